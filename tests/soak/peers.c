/* The peers of the soak and their auditor: started, stopped for a while, ended. */
#include "tests/soak/peers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 64

/* Percent of the messages.  Throttles are rare: each halves a rate that takes seconds to recover.
 */

static const char *const sim_args[][ARGS_MAX] = {
    {"--fault", "sys-err:0.5",
     "--fault", "invalid-dest:1",
     "--fault", "nack:0.2",
     "--fault", "no-response:0.02",
     "--fault", "late-response:0.03",
     "--fault", "no-body:0.2",
     "--fault", "empty-id:0.2",
     "--fault", "wrong-seq:0.01",
     "--fault", "dup-response:0.3",
     "--fault", "slow-write:0.01",
     "--fault", "unknown-command:0.3",
     "--fault", "receipt-first:0.5",
     "--fault", "receipt-dup:0.5",
     "--fault", "receipt-tlv-only:1",
     "--fault", "receipt-unknown-id:0.5",
     NULL},
    {"--id-mode", "hex-dec",           "--receipts", "90",
     "--fault",   "close:0.002",       "--fault",    "reset:0.002",
     "--fault",   "bad-length:0.001",  "--fault",    "queue-full:0.001",
     "--fault",   "receipt-data-sm:2", "--fault",    "receipt-text-only:2",
     "--fault",   "receipt-undeliv:1", "--fault",    "receipt-rejected:1",
     NULL},
    {"--id-mode", "uuid", "--response-delay-ms", "20", "--fault", "throttled:0.002", "--fault",
     "late-response:0.05", "--fault", "sys-err:1", "--fault", "reset:0.001", "--fault",
     "receipt-dup:2", "--receipt-delay-ms", "10", NULL},
};

static struct {
    pid_t pids[SOAK_PEERS], auditor;
    int logs[SOAK_PEERS];
} t;

static void start(size_t i, const char *const argv[])
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        exit(1);
    t.logs[i] = fds[0];
    t.pids[i] = fork();
    if (t.pids[i] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], 1);
        execvp(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    close(fds[1]);
}

static void start_sim(size_t i, const char *build)
{
    static const char *const always[] = {
        "--listen",           "127.0.0.1:0", "--web",      "none", "--inbox-numbers",    "0",
        "--system-id",        "soak",        "--password", "soak", "--late-response-ms", "2600",
        "--receipt-retry-ms", "200",         "--seed",     "7"};
    const char *argv[ARGS_MAX * 2] = {build};
    size_t n = 1;
    for (size_t a = 0; a < sizeof always / sizeof always[0]; a++)
        argv[n++] = always[a];
    for (size_t a = 0; sim_args[i][a]; a++)
        argv[n++] = sim_args[i][a];
    start(i, argv);
}

void peers_start(struct soak_book *book, const char *sim)
{
    for (size_t i = 0; i < SOAK_PEERS - 1; i++)
        start_sim(i, sim);
    start(SOAK_PEERS - 1,
          (const char *[]){"node", "tests/peers/node-smpp-server.mjs", "--port", "0", "--user",
                           "soak", "--pass", "soak", "--late-ms", "2600", NULL});
    t.auditor = fork();
    if (t.auditor == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        soak_audit(book, t.logs);
        _exit(0);
    }
    for (size_t i = 0; i < SOAK_PEERS; i++)
        close(t.logs[i]);
}

uint16_t peers_port(const struct soak_book *book, size_t i)
{
    static const struct timespec pause = {0, 10000000};
    uint16_t port = 0;
    for (int n = 0; n < 3000 && !port; n++) {
        port = __atomic_load_n(&book->logs[i].port, __ATOMIC_ACQUIRE);
        if (!port)
            nanosleep(&pause, NULL);
    }
    return port;
}

void peers_signal(size_t i, int signal_number)
{
    kill(t.pids[i], signal_number);
}

void peers_end(void)
{
    for (size_t i = 0; i < SOAK_PEERS; i++) {
        kill(t.pids[i], SIGCONT);
        kill(t.pids[i], SIGTERM);
        waitpid(t.pids[i], NULL, 0);
    }
    waitpid(t.auditor, NULL, 0);
}
