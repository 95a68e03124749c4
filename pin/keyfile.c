/*
 * Makes and extends key files.  The new content is written to PATH.new, which also serves as the
 * lock (O_EXCL), and then takes the place of PATH in one step.
 */
#include "base/clock.h"
#include "base/result.h"
#include "pin/pin_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE 192

static const char header[] =
    "# pinbind PIN keys: ID ACTIVE_FROM BASE64, one generation a line.\n"
    "# Keep this file secret and backed up: without it no PIN that is out can be verified.\n";

struct target {
    const char *path;
    char temp[PATH_MAX];
    char *why;
    size_t why_size;
};

static int os_error(const struct target *t, const char *what)
{
    int err = errno == EEXIST ? ERR_EXISTS : errno == EACCES ? ERR_DENIED : ERR_IO;
    return pin_why(t->why, t->why_size, err, "%s: %s: %s", t->path, what, strerror(errno));
}

static int target_init(struct target *t, const char *path, char *why, size_t why_size)
{
    *t = (struct target){.path = path, .why = why, .why_size = why_size};
    int n = snprintf(t->temp, sizeof t->temp, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof t->temp)
        return pin_why(why, why_size, ERR_TOOLONG, "the name of the key file is too long");
    return 0;
}

static int make_line(const struct target *t, uint32_t id, int64_t from_ms, char out[LINE_SIZE])
{
    uint8_t k[PIN_KEY_SIZE];
    char base64[PIN_KEY_SIZE * 2];
    char from[32];
    int64_t again;
    wall_format(from_ms, from, sizeof from);
    if (pin_time_parse(from, &again) || again != from_ms)
        return pin_why(t->why, t->why_size, ERR_INVALID,
                       "a generation becomes active between the years 1900 and 9999");
    if (RAND_priv_bytes(k, sizeof k) != 1)
        return pin_why(t->why, t->why_size, ERR_IO, "no random octets from OpenSSL");
    EVP_EncodeBlock((uint8_t *)base64, k, sizeof k);
    snprintf(out, LINE_SIZE, "%u %s %s\n", id, from, base64);
    secret_wipe(k, sizeof k);
    secret_wipe(base64, sizeof base64);
    return 0;
}

static int write_parts(int fd, const char *const *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(parts[i]);
        if (write(fd, parts[i], len) != (ssize_t)len)
            return -1;
    }
    return fsync(fd);
}

/* Leaves the descriptor of PATH.new open in *fd, also when writing failed. */
static int open_temp(const struct target *t, int *fd)
{
    *fd = open(t->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd >= 0)
        return 0;
    if (errno != EEXIST)
        return os_error(t, "cannot write beside it");
    return pin_why(t->why, t->why_size, ERR_EXISTS,
                   "%s is there: another pinkey command is running, or one was killed; then "
                   "remove that file",
                   t->temp);
}

static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd); /* not every file system can; the content is on disk already */
    close(fd);
}

int pin_keyfile_new(const char *path, char *why, size_t why_size)
{
    struct target t;
    char line[LINE_SIZE];
    int fd = -1;
    int err = target_init(&t, path, why, why_size);
    if (!err)
        err = open_temp(&t, &fd);
    if (err)
        return err;
    err = make_line(&t, 1, wall_ms(), line);
    if (!err && write_parts(fd, (const char *[]){header, line}, 2))
        err = os_error(&t, "cannot be written");
    /* link() never replaces what is there. */
    if (!err && link(t.temp, path))
        err = os_error(&t, "cannot be made");
    secret_wipe(line, sizeof line);
    close(fd);
    unlink(t.temp);
    sync_folder(path);
    return err;
}

static int choose_id(const struct target *t, const struct pin_keyring *ring, uint32_t *id)
{
    uint32_t max = 0;
    for (size_t i = 0; i < PIN_KEY_SLOTS; i++)
        if (ring->slots[i] && ring->slots[i]->id > max)
            max = ring->slots[i]->id;
    for (uint32_t next = max + 1; next <= max + PIN_KEY_SLOTS && next <= PIN_KEY_ID_MAX; next++)
        if (!ring->slots[next % PIN_KEY_SLOTS]) {
            *id = next;
            return 0;
        }
    return pin_why(t->why, t->why_size, ERR_FULL,
                   "%s holds a key in each of the 16 slots: remove generations whose PINs are over",
                   t->path);
}

/* The new file belongs to whom the old one belonged: an operator's root must not lock pinbind out.
 */
static int keep_owner(const struct target *t, int fd, const struct pin_keyfile *old)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_uid == old->uid && st.st_gid == old->gid)
        return 0;
    return fchown(fd, old->uid, old->gid) ? os_error(t, "its owner cannot be kept") : 0;
}

static int add_to_open(const struct target *t, int fd, const struct pin_keyfile *old,
                       const char *line)
{
    const char *gap = old->len && old->text[old->len - 1] != '\n' ? "\n" : "";
    if (old->len + strlen(line) + 1 > PIN_KEYFILE_MAX)
        return pin_why(t->why, t->why_size, ERR_TOOLONG, "%s would be longer than %d octets",
                       t->path, PIN_KEYFILE_MAX);
    int err = keep_owner(t, fd, old);
    if (!err && write_parts(fd, (const char *[]){old->text, gap, line}, 3))
        err = os_error(t, "cannot be written");
    if (!err && rename(t->temp, t->path))
        err = os_error(t, "cannot be replaced");
    return err;
}

/* Under the lock of PATH.new. */
static int add_locked(const struct target *t, int fd, int64_t active_from_ms)
{
    struct pin_keyring *ring = NULL;
    struct pin_keyfile old;
    char line[LINE_SIZE];
    uint32_t id = 0;
    int err = pin_keyring_load(t->path, &ring, t->why, t->why_size);
    if (err)
        return err;
    err = choose_id(t, ring, &id);
    pin_keyring_free(ring);
    if (err)
        return err;
    err = pin_keyfile_read(t->path, &old, t->why, t->why_size);
    if (!err)
        err = make_line(t, id, active_from_ms, line);
    if (!err)
        err = add_to_open(t, fd, &old, line);
    secret_wipe(&old, sizeof old);
    secret_wipe(line, sizeof line);
    return err;
}

int pin_keyfile_add(const char *path, int64_t active_from_ms, char *why, size_t why_size)
{
    struct target t;
    int fd = -1;
    int err = target_init(&t, path, why, why_size);
    if (!err)
        err = open_temp(&t, &fd);
    if (err)
        return err;
    err = add_locked(&t, fd, active_from_ms);
    close(fd);
    if (err)
        unlink(t.temp);
    else
        sync_folder(path);
    return err;
}
