/* The processes that a bench starts: a folder of their own, their CPU time and memory. */
#ifndef TESTS_BENCH_PROCESS_H
#define TESTS_BENCH_PROCESS_H

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Ends with this process, whatever becomes of it. Its output goes to a file of the folder. */
static inline pid_t process_start(const char *dir, const char *log, const char *const argv[])
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, log);
    pid_t pid = fork();
    if (pid)
        return pid;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fd, 1);
    dup2(fd, 2);
    execvp(argv[0], (char **)(uintptr_t)argv);
    _exit(127);
}

/* A redis-server on redis.sock of the folder, and a connection to it; NULL: it did not start. */
static inline redisContext *process_redis(const char *dir, pid_t *pid)
{
    char path[128];
    snprintf(path, sizeof path, "%s/redis.sock", dir);
    *pid = process_start(dir, "redis.log",
                         (const char *[]){"redis-server", "--port", "0", "--unixsocket", path,
                                          "--save", "", "--appendonly", "yes", "--appendfsync",
                                          "everysec", "--maxmemory-policy", "noeviction", "--dir",
                                          dir, NULL});
    for (int i = 0; i < 1000; i++) {
        redisContext *c = redisConnectUnix(path);
        if (c && !c->err)
            return c;
        redisFree(c);
        usleep(10000);
    }
    return NULL;
}

/* Octets that Redis has allocated. */
static inline double process_redis_memory(redisContext *c)
{
    redisReply *r = redisCommand(c, "INFO memory");
    const char *at = r && r->str ? strstr(r->str, "used_memory:") : NULL;
    double v = at ? strtod(at + strlen("used_memory:"), NULL) : 0;
    freeReplyObject(r);
    return v;
}

/* CPU time of all threads of a process. */
static inline double process_cpu_us(pid_t pid)
{
    clockid_t id;
    struct timespec t = {0, 0};
    if (clock_getcpuclockid(pid, &id) == 0)
        clock_gettime(id, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A line of /proc/PID/status such as "VmRSS:". */
static inline long process_status_kb(pid_t pid, const char *name)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return kb;
}

#endif
