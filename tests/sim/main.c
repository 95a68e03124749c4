/* pinbind-smsc: the simulator SMSC; see man/pinbind-smsc.1. */
#include "tests/sim/smsc.h"

#include "base/result.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct smsc *s = calloc(1, sizeof *s);
    if (!s) {
        fprintf(stderr, "pinbind-smsc: out of memory\n");
        return 1;
    }
    int status = 1;
    enum options_result r = options_parse(&s->opt, argc, argv);
    if (r == OPTIONS_RUN) {
        if (smsc_start(s) == ERR_OK)
            status = smsc_run(s);
        smsc_free(s);
    } else if (r == OPTIONS_DONE) {
        status = 0;
    }
    free(s);
    return status;
}
