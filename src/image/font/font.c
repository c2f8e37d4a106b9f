/* The bundled font, DejaVu Sans (Latin, Greek, Cyrillic, Hebrew, Arabic …; its licence lies beside it), as bytes of the program.
 * PX_FONT_FILE is the path that the build knows. */
#include "image/font/font.h"

__asm__(".pushsection .rodata\n"
        ".balign 16\n"
        ".hidden px_font_start\n.global px_font_start\npx_font_start:\n"
        ".incbin \"" PX_FONT_FILE "\"\n"
        ".hidden px_font_end\n.global px_font_end\npx_font_end:\n"
        ".byte 0\n"
        ".popsection\n");

extern const uint8_t px_font_start[], px_font_end[];

px_bytes px_font_bundled(void) { return (px_bytes){ px_font_start, (size_t)(px_font_end - px_font_start) }; }
