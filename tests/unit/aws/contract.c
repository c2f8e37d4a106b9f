/* The ports' contracts, kept by those on AWS. Not a test of its own: tests/e2e/test_contracts.py gives it something that
 * speaks S3, DynamoDB and SQS, with empty buckets, tables and queues (numbered from 0, one for each test). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws.h"
#include "test.h"

#include "../ports/contract.h"

struct aws_place {
    px_place place;
    px_aws_ports *ports;
    char source[64], target[64], table[64], queue[160], dead_letters[160];
};

static px_aws *aws;
static int number;
static bool with_queue;

/* As a client would: the test gives us one. */
static void place_put(px_place *place, const char *bucket, const char *key, const char *text)
{
    char command[512];
    (void)place;
    snprintf(command, sizeof command, "printf '%%s' '%s' | \"$PIXMILL_TEST_PUT\" '%s' '%s'", text, bucket, key);
    assert_int_equal(system(command), 0);
}

static void place_remove(px_place *place, const char *bucket, const char *key)
{
    char command[512];
    (void)place;
    snprintf(command, sizeof command, "\"$PIXMILL_TEST_PUT\" --delete '%s' '%s'", bucket, key);
    assert_int_equal(system(command), 0);
}

static px_place *place_open(void)
{
    struct aws_place *made = calloc(1, sizeof *made);
    px_error err = { "" };
    assert_non_null(made);
    snprintf(made->source, sizeof made->source, "contract-source-%d", number);
    snprintf(made->target, sizeof made->target, "contract-target-%d", number);
    snprintf(made->table, sizeof made->table, "contract-table-%d", number++);
    const char *endpoint = with_queue ? getenv("AWS_ENDPOINT_URL") : NULL;
    if (endpoint) {
        snprintf(made->queue, sizeof made->queue, "%s/123456789012/%s-queue", endpoint, made->source);
        snprintf(made->dead_letters, sizeof made->dead_letters, "%s/123456789012/%s-dead", endpoint, made->source);
    }
    px_aws_options options = { .table = made->table, .queue = made->queue, .dead_letters = made->dead_letters };
    assert_ok(px_aws_ports_create(aws, &options, &made->ports, &err));
    made->place = (px_place){ .store = px_aws_store(made->ports), .table = px_aws_table(made->ports),
                              .queue = px_aws_queue(made->ports), .source = made->source, .target = made->target,
                              .put = place_put, .remove = place_remove };
    return &made->place;
}

static void place_close(px_place *place)
{
    px_aws_ports_destroy(((struct aws_place *)place)->ports);
    free(place);
}

int main(int argc, char **argv)
{
    const px_place_factory factory = { place_open, place_close };
    const char *which = argc > 1 ? argv[1] : "table";
    px_error err = { "" };
    if (px_aws_open(NULL, &aws, &err) != PX_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    with_queue = strcmp(which, "queue") == 0;
    int failed = with_queue ? px_queue_contract(&factory) : strcmp(which, "store") == 0 ? px_store_contract(&factory) : px_table_contract(&factory);
    px_aws_close(aws);
    return failed;
}
