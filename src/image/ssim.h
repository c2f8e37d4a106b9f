/* ssim.h - how alike two pictures look: the structural similarity of their luma. Private to src/image.
 *
 * Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, 2004, with uniform windows of 8x8 pixels instead of the paper's
 * Gaussian of 11x11, one at every fourth pixel in both directions, K1 = 0.01, K2 = 0.03, variances over 64 samples; the mean of
 * all windows. A side that no whole number of steps covers is made longer by repeating its last pixel. */
#ifndef PX_IMAGE_SSIM_H
#define PX_IMAGE_SSIM_H

#include <stddef.h>
#include <stdint.h>

#include "codec/codec.h"

/* Luma (BT.601) of a row of grey or RGB, opaque or with straight alpha, which is laid on the middle grey. */
void px_luma_row(const px_row *row, uint8_t *target);

size_t px_ssim_scratch(int width); /* bytes that px_ssim wants */

/* 1 for equal pictures; `scratch` is borrowed, aligned as malloc aligns. Pure. */
double px_ssim(const uint8_t *a, const uint8_t *b, int width, int height, void *scratch);

#endif
