/*
 * Are the PINs even and independent?  Draws N PINs (default 10 million) of six digits through the
 * product's own door and asks:
 *
 *   symbols at each position   chi-square over 10 symbols, for each of the 6 positions
 *   pairs inside a PIN         chi-square over 100 pairs, for each of the 5 neighbours
 *   pairs of PINs              chi-square over 100 x 100: first two digits of a PIN and of the next
 *   whole PINs                 chi-square over the 10^6 values; how often the commonest one came
 *   repeats at once            a PIN equal to the one before it
 *   runs                       up and down along the sequence of PINs (Wald-Wolfowitz on turning)
 *   median runs                above and below the middle
 *   serial correlation         at lags 1, 2, 3
 *
 * Then a tenth of that for each other alphabet, positions and symbols only.  Each figure becomes a
 * z value (standard deviations from what chance gives); beyond 4.5 the program fails.
 */
#include "base/result.h"
#include "pin/pin_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGITS  6
#define VALUES  1000000
#define LIMIT_Z 4.5
#define LAGS    3

static struct pin_keyring *ring;
static struct msisdn number;
static const struct pin_owner owner = {"demo", "00000000000000000000000000000001", &number};
static int failures;

static void report(const char *what, double z)
{
    bool bad = !(fabs(z) < LIMIT_Z);
    printf("%-44s z = %6.2f%s\n", what, z, bad ? "  FAIL" : "");
    failures += bad;
}

/* Wilson and Hilferty: chi-square as a normal deviate. */
static double chi_z(const uint32_t *count, size_t cells, double n)
{
    double expect = n / (double)cells, chi = 0, df = (double)cells - 1;
    for (size_t i = 0; i < cells; i++)
        chi += (count[i] - expect) * (count[i] - expect) / expect;
    double v = 2 / (9 * df);
    return (cbrt(chi / df) - (1 - v)) / sqrt(v);
}

/* --- six digits ---------------------------------------------------------------------------- */

static struct {
    uint32_t symbol[DIGITS][10];
    uint32_t pair[DIGITS - 1][100];
    uint32_t next[10000];
    uint32_t value[VALUES];
    uint64_t n, at_once, turns, median_runs, above;
    uint32_t last[LAGS]; /* the PINs before, the youngest first */
    int direction;       /* of the last step: -1, 0, 1 */
    double product[LAGS];
} s;

static void count_inside(const char *pin)
{
    for (unsigned p = 0; p < DIGITS; p++)
        s.symbol[p][pin[p] - '0']++;
    for (unsigned p = 0; p + 1 < DIGITS; p++)
        s.pair[p][(pin[p] - '0') * 10 + (pin[p + 1] - '0')]++;
}

/* Steps up and down; a turn is a change between them. */
static void count_turn(uint32_t v)
{
    int direction = (v > s.last[0]) - (v < s.last[0]);
    if (direction && s.direction)
        s.turns += direction != s.direction;
    if (direction)
        s.direction = direction;
}

static void count_between(uint32_t v)
{
    const double middle = (VALUES - 1) / 2.0;
    s.above += v > middle;
    s.value[v]++;
    if (s.n >= 1) {
        s.next[s.last[0] / 10000 * 100 + v / 10000]++;
        s.at_once += v == s.last[0];
        s.median_runs += (v > middle) != (s.last[0] > middle);
        count_turn(v);
    }
    for (unsigned lag = 0; lag < LAGS && lag < s.n; lag++)
        s.product[lag] += (v - middle) * (s.last[lag] - middle);
    memmove(s.last + 1, s.last, (LAGS - 1) * sizeof s.last[0]);
    s.last[0] = v;
    s.n++;
}

static void report_positions(void)
{
    char what[64];
    for (unsigned p = 0; p < DIGITS; p++) {
        snprintf(what, sizeof what, "NUMERIC symbols at position %u", p + 1);
        report(what, chi_z(s.symbol[p], 10, (double)s.n));
    }
    for (unsigned p = 0; p + 1 < DIGITS; p++) {
        snprintf(what, sizeof what, "NUMERIC pairs at positions %u and %u", p + 1, p + 2);
        report(what, chi_z(s.pair[p], 100, (double)s.n));
    }
}

static void report_repeats(double n)
{
    char what[64];
    uint32_t most = 0, never = 0;
    for (uint32_t v = 0; v < VALUES; v++) {
        most = s.value[v] > most ? s.value[v] : most;
        never += s.value[v] == 0;
    }
    double mean = n / VALUES;
    /* The chance that one value comes more than `most` times, over all values. */
    double tail = 0, term = exp(-mean);
    for (uint32_t k = 0; k <= most + 200; k++, term *= mean / k)
        tail += k >= most ? term : 0;
    snprintf(what, sizeof what, "commonest PIN %u times (mean %.1f), chance", most, mean);
    printf("%-44s p = %6.3f%s\n", what, 1 - exp(-VALUES * tail),
           VALUES * tail < 1e-5 ? "  FAIL" : "");
    failures += VALUES * tail < 1e-5;
    printf("%-44s     %6u (chance gives %.0f)\n", "PINs that never came", never,
           VALUES * exp(-mean));
    snprintf(what, sizeof what, "the same PIN at once, %llu times (chance %.1f)",
             (unsigned long long)s.at_once, mean);
    report(what, ((double)s.at_once - mean) / sqrt(mean));
}

static void report_sequence(double n)
{
    char what[64];
    double turns = 2 * (n - 2) / 3, above = (double)s.above, below = n - above;
    report("turns up and down", ((double)s.turns - turns) / sqrt((16 * n - 29) / 90));
    double runs = 2 * above * below / n;
    report("runs above and below the middle",
           ((double)s.median_runs - runs) / sqrt(runs * (runs - 1) / (n - 1)));
    for (unsigned lag = 0; lag < LAGS; lag++) {
        double variance = ((double)VALUES * VALUES - 1) / 12;
        snprintf(what, sizeof what, "correlation with the PIN %u before", lag + 1);
        report(what, s.product[lag] / variance / sqrt(n - lag - 1));
    }
}

static int six_digits(uint32_t n)
{
    const struct pin_spec spec = {PIN_NUMERIC, DIGITS, false};
    struct pin_drawn d;
    for (uint32_t i = 0; i < n; i++) {
        if (pin_draw(ring, &spec, &owner, 30, &d))
            return 1;
        count_inside(d.pin);
        count_between((uint32_t)strtoul(d.pin, NULL, 10));
    }
    report_positions();
    report("pairs of a PIN and the next", chi_z(s.next, 10000, (double)(s.n - 1)));
    report("whole PINs over their 10^6 values", chi_z(s.value, VALUES, (double)s.n));
    report_repeats((double)n);
    report_sequence((double)n);
    return 0;
}

/* --- the other alphabets ------------------------------------------------------------------- */

static int alphabet(enum pin_type type, bool no_look_alikes, uint32_t n)
{
    static uint32_t count[8][36];
    const struct pin_spec spec = {type, 8, no_look_alikes};
    const char *symbols = pin_alphabet(type, no_look_alikes);
    struct pin_drawn d;
    double worst = 0;
    memset(count, 0, sizeof count);
    for (uint32_t i = 0; i < n; i++) {
        if (pin_draw(ring, &spec, &owner, 30, &d))
            return 1;
        for (unsigned p = 0; p < 8; p++)
            count[p][strchr(symbols, d.pin[p]) - symbols]++;
    }
    for (unsigned p = 0; p < 8; p++) {
        double z = chi_z(count[p], strlen(symbols), n);
        worst = fabs(z) > fabs(worst) ? z : worst;
    }
    char what[64];
    snprintf(what, sizeof what, "%s%s, worst of 8 positions", pin_type_name(type),
             no_look_alikes ? " without look-alikes" : "");
    report(what, worst);
    return 0;
}

static int prepare(void)
{
    char dir[] = "/tmp/pin_quality.XXXXXX", path[64], why[256] = "no folder";
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

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000000;
    if (n < 1000 || prepare())
        return 1;
    int bad = six_digits(n);
    for (unsigned i = 1; !bad && i < 8; i++)
        bad = alphabet((enum pin_type)(i / 2), i % 2, n / 10);
    pin_random_stop();
    pin_keyring_free(ring);
    printf("%s\n", bad ? "drawing failed" : failures ? "not even" : "even");
    return bad || failures;
}
