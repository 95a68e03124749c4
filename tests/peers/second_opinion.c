/*
 * What libsmpp34's decoder says about PDUs that pinbind wrote: one PDU as hex per input line, one
 * answer per output line.
 *
 *   ok COMMAND_ID                                            a PDU without a message in it
 *   ok COMMAND_ID SOURCE DESTINATION DATA_CODING SHORT_MESSAGE_HEX      submit_sm
 *   ok COMMAND_ID MESSAGE_ID SOURCE                          query_sm
 *   ok COMMAND_ID MESSAGE_ID SOURCE DESTINATION              cancel_sm
 *   refused COMMAND_ID LIBRARY_ERRNO
 *
 * For our own octets only: the library's decoder is not made for untrusted input.
 */
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <smpp34.h>
#include <smpp34_structs.h>

#define PDU_MAX 4096

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned octet;
    while (n < PDU_MAX && sscanf(hex + 2 * n, "%2x", &octet) == 1)
        out[n++] = (uint8_t)octet;
    return n;
}

static void print_submit(const submit_sm_t *s)
{
    printf(" %s %s %u ", s->source_addr, s->destination_addr, s->data_coding);
    for (unsigned i = 0; i < s->sm_length; i++)
        printf("%02x", s->short_message[i]);
}

int main(void)
{
    static char line[2 * PDU_MAX + 2];
    while (fgets(line, sizeof line, stdin)) {
        uint8_t pdu[PDU_MAX];
        size_t len = from_hex(line, pdu);
        if (len < 16) {
            puts("refused 0 short");
            continue;
        }
        uint32_t id = (uint32_t)pdu[4] << 24 | (uint32_t)pdu[5] << 16 | (uint32_t)pdu[6] << 8 |
                      pdu[7];
        union {
            submit_sm_t submit;
            query_sm_t query;
            cancel_sm_t cancel;
            submit_multi_t largest;
            uint8_t room[65536];
        } *u = calloc(1, sizeof *u);
        if (!u)
            return 1;
        if (smpp34_unpack2(u, pdu, (int)len) != 0) {
            printf("refused %08x %d\n", id, smpp34_errno);
        } else {
            printf("ok %08x", id);
            if (id == SUBMIT_SM)
                print_submit(&u->submit);
            else if (id == QUERY_SM)
                printf(" %s %s", u->query.message_id, u->query.source_addr);
            else if (id == CANCEL_SM)
                printf(" %s %s %s", u->cancel.message_id, u->cancel.source_addr,
                       u->cancel.destination_addr);
            putchar('\n');
        }
        fflush(stdout);
        free(u); /* TLV lists go with the process */
    }
    return 0;
}
