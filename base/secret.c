#include "base/secret.h"

#include "base/result.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE_MAX 4096

void secret_wipe(void *p, size_t len)
{
    if (p && len)
        explicit_bzero(p, len);
}

bool secret_equal(const void *a, size_t alen, const void *b, size_t blen)
{
    return alen == blen && CRYPTO_memcmp(a, b, alen) == 0;
}

int secret_set(struct secret *s, const void *data, size_t len)
{
    uint8_t *copy = calloc(1, len + 1);
    if (!copy)
        return ERR_NOMEM;
    /* Best effort: RLIMIT_MEMLOCK may be small. Pages stay locked when a secret is cleared: others
     * may share them. */
    (void)mlock(copy, len + 1);
    memcpy(copy, data, len);
    secret_clear(s);
    s->data = copy;
    s->len = len;
    return 0;
}

void secret_clear(struct secret *s)
{
    if (s->data) {
        secret_wipe(s->data, s->len + 1);
        free(s->data);
    }
    s->data = NULL;
    s->len = 0;
}

bool secret_is_set(const struct secret *s)
{
    return s->data != NULL;
}

static int check_file(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return ERR_IO;
    if (!S_ISREG(st.st_mode))
        return ERR_INVALID;
    return (st.st_mode & 037) ? ERR_DENIED : 0;
}

static int set_first_line(struct secret *s, const char *buf, ssize_t n)
{
    if (n < 0)
        return ERR_IO;
    const char *nl = memchr(buf, '\n', (size_t)n);
    size_t len = nl ? (size_t)(nl - buf) : (size_t)n;
    if (len && buf[len - 1] == '\r')
        len--;
    if (len == 0 || len > SECRET_FILE_MAX)
        return ERR_INVALID;
    return secret_set(s, buf, len);
}

int secret_read_file(struct secret *s, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
    char buf[SECRET_FILE_MAX + 2];
    int err = check_file(fd);
    if (!err)
        err = set_first_line(s, buf, read(fd, buf, sizeof buf));
    close(fd);
    secret_wipe(buf, sizeof buf);
    return err;
}
