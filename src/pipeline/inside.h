/* inside.h - what the files of the pipeline share. Private to src/pipeline. */
#ifndef PX_PIPELINE_INSIDE_H
#define PX_PIPELINE_INSIDE_H

#include "pipeline/pipeline.h"

/* Raised only when pictures visibly change: it is part of every fingerprint. */
enum { PX_ENGINE_NUMBER = 1 };

/* Refuses unknown words and unbalanced braces. `where` is for the message ("pixmill.yaml:7"). */
PX_CHECKED px_status px_template_check(const char *name, const char *where, px_error *err);

/* Fills output->fingerprint from its spec. */
void px_output_fingerprint(px_output *output);

/* Right after the last slash; "" if there is none before. */
const char *px_key_filename(const char *key);

#endif
