/* colour_type.h - PNG's (11.2.1). Private to src/codec/png. */
#ifndef PX_CODEC_PNG_COLOUR_TYPE_H
#define PX_CODEC_PNG_COLOUR_TYPE_H

enum { PX_PNG_GREY = 0, PX_PNG_COLOUR = 2, PX_PNG_PALETTE = 3, PX_PNG_GREY_ALPHA = 4, PX_PNG_COLOUR_ALPHA = 6 };

#endif
