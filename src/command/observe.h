/* observe.h - what the commands that look at records and dead letters share: opening a data folder or AWS's table and queues,
 * words for times and sizes. */
#ifndef PX_COMMAND_OBSERVE_H
#define PX_COMMAND_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/arena.h"
#include "command/options.h"
#include "local/local.h"
#include "pipeline/pipeline.h"

/* Rows of a command's flags: where the configuration and the folder are. */
#define PX_FLAG_CONFIG { "config", 'c', "FILE", "configuration, instead of PIXMILL_CONFIG or ./pixmill.yaml", NULL }
#define PX_FLAG_DATA   { "data", 'd', "FOLDER", "data folder", "data" }

/* Loads the configuration that --config and the setting flags ask for. `extra` are settings beyond those, and win. */
PX_CHECKED px_status px_command_config(const px_options *options, const px_setting *extra, int extra_count,
                                       px_arena *arena, px_config *ret, px_error *err);

/* What the configuration says of AWS. Texts are the configuration's. */
px_aws_options px_command_aws_options(const px_config *config);

/* Records and dead letters, wherever they are. */
typedef struct px_observed {
    px_local *local;       /* owned, like the next two; NULL on AWS */
    px_aws *aws;
    px_aws_ports *ports;
    px_table *table;       /* borrowed; NULL if nobody named one */
    px_queue *queue;       /* likewise */
} px_observed;

/* Opens the folder that the configuration names, beside a serving process if there is one. An absent folder is PX_NO_SUCH_KEY
 * and says how to get one; it is not created. With `on_aws` its table and queues are looked at instead. Configuration and
 * arena are opened here too; the arena is the caller's to close, also on failure. */
PX_CHECKED px_status px_observe_start(const px_options *options, bool on_aws, px_arena *arena, px_config *config, px_observed *ret,
                                      px_error *err);
void px_observed_close(px_observed *observed); /* for PX_AUTO */

/* "90s", "10m", "2h", "1d" ago, an ISO 8601 time, or a date: milliseconds since 1970. NULL gives 0.
 * `option` is for the message. */
PX_CHECKED px_status px_moment_parse(const char *text, const char *option, int64_t *ret_ms, px_error *err);

/* "823 B", "88 kB", "3.2 MB" (powers of 1000). */
enum { PX_SIZE_TEXT = 24 };
void px_size_format(uint64_t bytes, char text[PX_SIZE_TEXT]);

/* What --key means for records and dead letters, which are found by BUCKET/KEY: a key that does not start with the
 * source bucket gets it in front. NULL stays NULL. In the arena. */
const char *px_image_pattern(const char *key, const char *bucket, px_arena *arena);

#endif
