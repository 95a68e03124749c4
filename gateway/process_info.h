/* What the operating system says about this process; a number that cannot be had is 0. */
#ifndef GATEWAY_PROCESS_INFO_H
#define GATEWAY_PROCESS_INFO_H

#include <stdint.h>

struct process_info {
    uint64_t resident; /* octets */
    double cpu_s;      /* user and system */
    uint64_t open_fds, max_fds;
    double start_s; /* Unix time */
};
/* Reads /proc: for those who ask a few times a minute. */
void process_info(struct process_info *out);

#endif
