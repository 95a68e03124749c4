/* What one PIN costs: each step on its own, in nanoseconds of CPU time. */
#include "base/result.h"
#include "pin/pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct pin_keyring *ring;
static struct msisdn number;
static const struct pin_owner owner = {"demo", "00000000000000000000000000000001", &number};
static const struct pin_spec spec = {PIN_NUMERIC, 6, false};
static struct pin_drawn drawn;

static int draw(void)
{
    return pin_draw(ring, &spec, &owner, 30, &drawn);
}

static int draw_again(void)
{
    return pin_draw_again(ring, &spec, &drawn);
}

static int tag(void)
{
    uint8_t out[PIN_TAG_SIZE];
    return pin_tag(ring, &owner, drawn.pin_id, "071048", 6, out);
}

static int random_64(void)
{
    uint8_t out[64];
    return pin_random(out, sizeof out);
}

static int seal_and_unseal(void)
{
    static const uint8_t plain[100];
    uint8_t sealed[PIN_SEAL_MAX], out[PIN_SEAL_MAX];
    size_t n = 0, back = 0;
    int err = pin_seal(ring, drawn.pin_id, plain, sizeof plain, sealed, sizeof sealed, &n);
    return err ? err : pin_unseal(ring, drawn.pin_id, sealed, n, out, sizeof out, &back);
}

static int render(void)
{
    static const struct pin_placeholder ph = {"shop", "Corner"};
    char text[200], why[160];
    return pin_text_render("{{shop}}: {{pin}} is your code", "071048", &ph, 1, text, sizeof text,
                           why, sizeof why);
}

static double cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int measure(const char *name, int (*step)(void), unsigned rounds)
{
    double start = cpu_ns();
    for (unsigned i = 0; i < rounds; i++)
        if (step())
            return 1;
    printf("%-24s %8.0f ns\n", name, (cpu_ns() - start) / rounds);
    return 0;
}

static int prepare(void)
{
    char dir[] = "/tmp/pin_draw.XXXXXX", path[64], why[256] = "no folder";
    if (!mkdtemp(dir))
        return ERR_IO;
    snprintf(path, sizeof path, "%s/key", dir);
    int err = pin_keyfile_new(path, why, sizeof why);
    if (!err)
        err = pin_keyring_load(path, &ring, why, sizeof why);
    if (err)
        fprintf(stderr, "%s\n", why);
    unlink(path);
    rmdir(dir);
    if (!err)
        err = pin_random_start(ring, NULL);
    return err ? err : msisdn_parse("385911234567", 12, &number);
}

int main(void)
{
    enum { ROUNDS = 500000 };
    if (prepare())
        return 1;
    int bad = measure("draw", draw, ROUNDS) || measure("draw again", draw_again, ROUNDS) ||
              measure("tag of a typed PIN", tag, ROUNDS) ||
              measure("64 random octets", random_64, ROUNDS) ||
              measure("seal and unseal 100", seal_and_unseal, ROUNDS) ||
              measure("render", render, ROUNDS);
    pin_random_stop();
    pin_keyring_free(ring);
    return bad;
}
