#include "gateway/process_info.h"

#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S        1e9
#define MS_PER_S        1e3
#define FDS_COUNTED_MAX 1000

/* The first line of a file of /proc; "" where it cannot be read. */
static void read_line(const char *path, char *out, int size)
{
    FILE *f = fopen(path, "re");
    if (!f || !fgets(out, size, f))
        out[0] = 0;
    if (f)
        fclose(f);
}

static double clock_s(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / NS_PER_S;
}

/* The second field of statm: resident pages (proc(5)). */
static uint64_t resident(void)
{
    char line[128];
    read_line("/proc/self/statm", line, sizeof line);
    const char *second = strchr(line, ' ');
    return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Linux says it as the size of the folder since 6.2; before that they are counted, as far as it
 * holds nobody up. */
static uint64_t open_fds(void)
{
    struct stat st;
    uint64_t n = 0;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;
    while (d && n < FDS_COUNTED_MAX && (e = readdir(d)))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n ? n - 1 : 0; /* the folder's own */
}

/* Field 22 of stat: ticks from boot to the start of the process; the second field, its name, ends
 * with the last bracket of the line. */
static double start_s(void)
{
    char line[1024];
    read_line("/proc/self/stat", line, sizeof line);
    const char *p = strrchr(line, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (!p)
        return 0;
    double since_boot = (double)strtoull(p, NULL, 10) / (double)sysconf(_SC_CLK_TCK);
    return (double)wall_ms() / MS_PER_S - (clock_s(CLOCK_BOOTTIME) - since_boot);
}

void process_info(struct process_info *out)
{
    static double started; /* asked once: the wall clock may be set */
    struct rlimit fds = {0};
    if (started <= 0)
        started = start_s();
    getrlimit(RLIMIT_NOFILE, &fds);
    *out = (struct process_info){.resident = resident(),
                                 .cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID),
                                 .open_fds = open_fds(),
                                 .max_fds = fds.rlim_cur,
                                 .start_s = started};
}
