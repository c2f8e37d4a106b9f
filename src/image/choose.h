/* choose.h - an output that needs its picture more than once: held at output size, encoded, looked at, encoded again. Private to
 * src/image.
 *
 * `quality: auto`, `max_bytes` and `format: auto` come here. To a lane it is an encoder like any other; what it decided can be
 * asked for after finish. docs/quality.md says the rules to people. */
#ifndef PX_IMAGE_CHOOSE_H
#define PX_IMAGE_CHOOSE_H

#include "image/image.h"

typedef struct px_choose_spec {
    px_encoder_spec encoding; /* its quality is the most that may be used, or 0: what reaches the target */
    bool any_format;          /* encoding.format is what the plan counted with, no more */
    px_target target;
    uint64_t max_bytes;       /* 0: as many as there are */
} px_choose_spec;

typedef struct px_choice {
    px_format format;
    int quality;     /* as in px_output_report */
    int encodes;     /* at output size, the last included */
    double likeness; /* SSIM; 0 where nobody looked */
    char reason[PX_REASON_BYTES];
} px_choice;

/* The format to plan with: the source's for `keep`; for `auto` that of animations, or one that can hold whatever comes. */
px_format px_choose_format(const px_output_spec *spec, const px_header *header);

/* Must an output of this spec, planned to be of `format`, be held? An animation has its format already. */
bool px_choose_is_needed(const px_output_spec *spec, px_format format, bool animated);

uint64_t px_choose_memory(const px_choose_spec *spec); /* bytes */

/* `fd` is borrowed until close, readable and at its start. Finish fails with PX_TOO_MANY_BYTES where max_bytes cannot hold, and
 * says what would. */
PX_CHECKED px_status px_choose_open(const px_choose_spec *spec, int fd, px_encoder **ret, px_error *err);
const px_choice *px_choose_result(const px_encoder *encoder); /* borrowed until close; after finish */

#endif
