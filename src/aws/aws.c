/* What all threads share, opened and closed; and the ports that stand on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/shared.h"

static void find_region(char region[64])
{
    const char *value = getenv("AWS_REGION");
    if (!value || !*value)
        value = getenv("AWS_DEFAULT_REGION");
    if (value && *value)
        snprintf(region, 64, "%s", value);
    else
        px_profile_region(region);
}

px_status px_aws_open(px_log *log, px_aws **ret, px_error *err)
{
    px_aws *aws = calloc(1, sizeof *aws);
    if (!aws)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for AWS");
    aws->log = log;
    pthread_mutex_init(&aws->lock, NULL);
    find_region(aws->region);
    px_status status = px_http_open(&aws->http, err);
    if (status == PX_OK)
        status = px_credential_chain_create(aws->http, aws->region, &aws->chain, err);
    if (status != PX_OK) {
        px_aws_close(aws);
        return status;
    }
    *ret = aws;
    return PX_OK;
}

void px_aws_close(px_aws *aws)
{
    if (!aws)
        return;
    px_http_close(aws->http);
    px_credential_chain_destroy(aws->chain);
    pthread_mutex_destroy(&aws->lock);
    free(aws);
}

px_http *px_aws_http(px_aws *aws) { return aws->http; }

void px_aws_region_of(px_aws *aws, const char *bucket, char region[64])
{
    snprintf(region, 64, "%s", aws->region);
    if (!bucket)
        return;
    pthread_mutex_lock(&aws->lock);
    for (int i = 0; i < aws->region_count; i++)
        if (strcmp(aws->regions[i].bucket, bucket) == 0)
            snprintf(region, 64, "%s", aws->regions[i].region);
    pthread_mutex_unlock(&aws->lock);
}

void px_aws_region_learn(px_aws *aws, const char *bucket, const char *region)
{
    pthread_mutex_lock(&aws->lock);
    int at = 0;
    while (at < aws->region_count && strcmp(aws->regions[at].bucket, bucket) != 0)
        at++;
    if (at == PX_AWS_REGIONS_KEPT)
        at = 0; /* more buckets than places: it costs a redirect now and then */
    snprintf(aws->regions[at].bucket, sizeof aws->regions[at].bucket, "%s", bucket);
    snprintf(aws->regions[at].region, sizeof aws->regions[at].region, "%s", region);
    aws->region_count = at >= aws->region_count ? at + 1 : aws->region_count;
    pthread_mutex_unlock(&aws->lock);
}

px_status px_aws_ports_create(px_aws *aws, const px_aws_options *options, px_aws_ports **ret, px_error *err)
{
    px_aws_ports *ports = calloc(1, sizeof *ports);
    if (!ports)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for ports");
    ports->aws = aws;
    ports->options = *options;
    px_aws_store_init(ports);
    if (options->table && *options->table)
        px_aws_table_init(ports);
    if (options->queue && *options->queue) {
        px_status status = px_aws_queue_init(ports, err);
        if (status != PX_OK) {
            free(ports);
            return status;
        }
    }
    *ret = ports;
    return PX_OK;
}

void px_aws_ports_destroy(px_aws_ports *ports)
{
    if (ports)
        px_aws_queue_done(ports);
    free(ports);
}

px_store *px_aws_store(px_aws_ports *ports) { return &ports->store; }
px_table *px_aws_table(px_aws_ports *ports) { return ports->table.find ? &ports->table : NULL; }
px_queue *px_aws_queue(px_aws_ports *ports) { return ports->queue.take ? &ports->queue : NULL; }

void px_aws_ports_begin(px_aws_ports *ports, int64_t deadline_ms, const char *request_id)
{
    ports->deadline_ms = deadline_ms;
    ports->request_id = request_id;
}
