/*
 * The configuration file from arbitrary octets: no crash, no leak, a sentence for each error, and
 * what our scan lets through libconfuse takes as well.
 */
#include "gateway/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "PATH:LINE: the parser stopped here": only libconfuse found something wrong. */
static bool is_parser_error(const char *text, const char *path)
{
    const char *rest = text + strlen(path) + 1;
    return strcmp(rest + strspn(rest, "0123456789"), ": the parser stopped here") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config;
    struct config_error error;
    char path[64];
    int fd = memfd_create("fuzz_config", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int err = config_load(path, &config, &error);
    close(fd);
    if ((err == 0) != (config != NULL) || (err == 0) != (error.text[0] == '\0') ||
        (err && is_parser_error(error.text, path)))
        abort();
    if (config) {
        FILE *null = fopen("/dev/null", "w");
        if (null) {
            config_print(config, null);
            fclose(null);
        }
        config_free(config);
    }
    return 0;
}
