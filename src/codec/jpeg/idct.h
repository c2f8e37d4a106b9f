/* idct.h - from coefficients to samples, N×N of them for a block of 8×8: its lowest N×N frequencies, as samples of N/8 the size.
 *
 * Blocks go in groups of PX_JPEG_GROUP that lie beside each other: coefficient by coefficient, one of each block. All sets give the same bytes: each
 * lane does the same sums in the same order, and nothing is contracted. Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_IDCT_H
#define PX_CODEC_JPEG_IDCT_H

#include <stddef.h>
#include <stdint.h>

enum { PX_JPEG_GROUP = 8 };

/* `group` holds N*N coefficients of each block, row by row: group[place * PX_JPEG_GROUP + block]. `steps` are what they are multiplied by, from
 * px_jpeg_steps. Writes N lines of 8*N samples, and up to 8 bytes behind each. */
typedef void px_jpeg_idct_run(const int16_t *group, const float *steps, uint8_t *samples, size_t stride);

typedef struct px_jpeg_idct {
    const char *name;
    px_jpeg_idct_run *run[9]; /* by N, from 1 */
} px_jpeg_idct;

const px_jpeg_idct *px_jpeg_idct_best(void);  /* for this CPU */
extern const px_jpeg_idct px_jpeg_idct_plain; /* one block after the other: what the others must give */
extern const px_jpeg_idct px_jpeg_idct_baseline;
extern const px_jpeg_idct px_jpeg_idct_avx2; /* only where PX_HAVE_AVX2 */

/* What N×N coefficients are multiplied by: a table of quantisation (T.81 B.2.4.1) in rows of 8. */
void px_jpeg_steps(const uint16_t table[64], int n, float *ret);

#endif
