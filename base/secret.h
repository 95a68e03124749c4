/*
 * What must not be seen: keys, passwords, PINs.
 *
 * A struct secret owns its octets, keeps them out of swap where the system allows it (mlock) and
 * wipes them in secret_clear().  No log call takes one: log.h has no member for it, so handing a
 * secret to a log line does not compile.  Short secrets that live on the stack (a PIN) are plain
 * arrays wiped with secret_wipe() before their function returns.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
    uint8_t *data; /* NULL when unset; always followed by a NUL octet that len does not count */
    size_t len;
};

/* Copies the octets.  The source remains the caller's to wipe. */
int secret_set(struct secret *s, const void *data, size_t len) __attribute__((warn_unused_result));
/* Wipes and frees; leaves it unset.  Safe on an unset one. */
void secret_clear(struct secret *s);
bool secret_is_set(const struct secret *s);

/*
 * The first line of a file of at most 4096 octets, without its line end.  The file must be a
 * regular one with no permission for others and no write or execute for the group (0640 or
 * stricter).  ERR_NOTFOUND, ERR_DENIED (mode), ERR_INVALID (empty or over-long), ERR_IO.
 */
int secret_read_file(struct secret *s, const char *path) __attribute__((warn_unused_result));

/* Not removed by the optimiser. */
void secret_wipe(void *p, size_t len);
/* Same time whatever the content; lengths are not secret. */
bool secret_equal(const void *a, size_t alen, const void *b, size_t blen);

#endif
