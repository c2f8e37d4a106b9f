/* letters.h - one line of text as a picture of its ink: shaped by HarfBuzz, drawn by FreeType. Private to src/image.
 *
 * Each piece of one direction is shaped by itself, its script guessed from its letters. Sizes are those of the ink alone: where a
 * mark lies is then what people see. */
#ifndef PX_IMAGE_LETTERS_H
#define PX_IMAGE_LETTERS_H

#include "base/bytes.h"
#include "base/status.h"

typedef struct px_letters px_letters;

/* `font` (TrueType or OpenType) is borrowed until close. PX_BAD_RECIPE: it cannot be read, has no glyph for a character of `text`,
 * or the text leaves no ink. */
PX_CHECKED px_status px_letters_open(const char *text, px_bytes font, px_letters **ret, px_error *err);
double px_letters_aspect(const px_letters *self); /* height by width of the ink */

/* How much of each pixel is ink, 0 to 255, of the line stretched to width x height: over zeros. */
PX_CHECKED px_status px_letters_draw(px_letters *self, int width, int height, uint8_t *coverage, px_error *err);
void px_letters_close(px_letters *self); /* NULL is accepted */

void px_letters_prepare(void); /* loads the libraries; that they are not there is told by open */

#endif
