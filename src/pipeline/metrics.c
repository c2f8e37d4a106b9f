/* Counts and durations of one picture for CloudWatch, as the embedded metric format has it: values stand at the root, and
 * `_aws` says which of them are metrics. Keys of pictures are no dimension: each would be a metric of its own to pay for. */
#include <string.h>

#include "base/clock.h"
#include "pipeline/inside.h"

static const struct {
    const char *name, *unit;
} rows[] = { { "Pictures", "Count" },            { "Failures", "Count" },
             { "Duration", "Milliseconds" },     { "FetchDuration", "Milliseconds" }, { "EngineDuration", "Milliseconds" },
             { "StoreDuration", "Milliseconds" }, { "TableDuration", "Milliseconds" },
             { "BytesIn", "Bytes" },             { "BytesOut", "Bytes" },             { "BytesSaved", "Bytes" } };

/* Dimensions: by service; failures also by code. */
static json_t *directives(bool failed)
{
    json_t *metrics = json_array();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_array_append_new(metrics, json_pack("{s:s, s:s}", "Name", rows[i].name, "Unit", rows[i].unit));
    json_t *list = json_pack("[{s:s, s:[[s]], s:o}]", "Namespace", "Pixmill", "Dimensions", "Service", "Metrics", metrics);
    if (failed && list)
        json_array_append_new(list, json_pack("{s:s, s:[[s, s]], s:[{s:s, s:s}]}", "Namespace", "Pixmill", "Dimensions", "Service", "Code",
                                              "Metrics", "Name", "Failures", "Unit", "Count"));
    return list;
}

/* Whatever level the log has: alarms read these, people need not. */
static void write_line(px_log *log, json_t *line) { px_log_object(log, PX_FATAL, line, NULL); }

void px_metrics_write(px_pipeline *pipeline, const char *request_id, const char *image_id, const px_metrics *metrics)
{
    json_int_t out = 0, saved = 0;
    bool failed = metrics->failure != PX_OK;
    for (int i = 0; i < metrics->made_count; i++)
        out += (json_int_t)metrics->made[i].bytes;
    if (metrics->made_count)
        saved = (json_int_t)metrics->bytes_in * metrics->made_count - out;
    const double *stage_ms = metrics->stage_ms;
    json_t *line = json_pack("{s:{s:I, s:o}, s:s, s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "_aws", "Timestamp",
                             (json_int_t)px_now_ms(), "CloudWatchMetrics", directives(failed), "Service",
                             pipeline->service ? pipeline->service : "pixmill", "requestId", request_id, "ImageId", image_id, "Pictures",
                             failed ? 0 : 1, "Failures", failed ? 1 : 0, "Duration", metrics->total_ms, "FetchDuration",
                             stage_ms[PX_STAGE_FETCH], "EngineDuration", stage_ms[PX_STAGE_ENGINE], "StoreDuration",
                             stage_ms[PX_STAGE_STORE], "TableDuration", stage_ms[PX_STAGE_TABLE], "BytesIn", (json_int_t)metrics->bytes_in,
                             "BytesOut", out, "BytesSaved", saved);
    if (line && failed)
        json_object_set_new(line, "Code", json_string(px_status_code(metrics->failure)));
    write_line(pipeline->log, line);
}

void px_metrics_cold_start(px_log *log, const char *service, const char *request_id, double init_ms)
{
    write_line(log, json_pack("{s:{s:I, s:[{s:s, s:[[s]], s:[{s:s, s:s}, {s:s, s:s}]}]}, s:s, s:s, s:i, s:f}", "_aws", "Timestamp",
                              (json_int_t)px_now_ms(), "CloudWatchMetrics", "Namespace", "Pixmill", "Dimensions", "Service", "Metrics",
                              "Name", "ColdStarts", "Unit", "Count", "Name", "InitDuration", "Unit", "Milliseconds", "Service", service,
                              "requestId", request_id, "ColdStarts", 1, "InitDuration", init_ms));
}
