/* hosted.h - the configuration of a function or worker: a file, or a text in S3 or the Parameter Store, so that a recipe changes
 * without a new package. */
#ifndef PX_COMMAND_HOSTED_H
#define PX_COMMAND_HOSTED_H

#include "aws/aws.h"
#include "pipeline/pipeline.h"

/* s3://BUCKET/KEY or ssm:NAME? NULL is neither. */
bool px_hosted_is_remote(const char *address);

/* Loads it with the setting flags; `address` NULL or "": as px_config_load_hosted looks for it. What is remote is read by `aws`
 * (NULL: by a client of its own), before `deadline_ms` (0: whenever), and not again while *version holds (as px_aws_fetch has it):
 * then *ret_changed is false. */
PX_CHECKED px_status px_hosted_load(px_aws *aws, const char *address, int64_t deadline_ms, const px_setting *flags, int flag_count,
                                    const char **version, px_arena *arena, px_config *ret, bool *ret_changed, px_error *err);

#endif
