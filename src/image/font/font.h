/* font.h - the font of watermarks that name none. Private to src/image. */
#ifndef PX_IMAGE_FONT_FONT_H
#define PX_IMAGE_FONT_FONT_H

#include "base/bytes.h"

px_bytes px_font_bundled(void);

#endif
