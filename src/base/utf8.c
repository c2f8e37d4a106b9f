/* One function knows the well-formed sequences (RFC 3629 section 4): no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
#include "base/utf8.h"

/* The bytes of the character that `c` begins with; 0 if it is none. A NUL continues no character, so none is passed. */
static int character_bytes(const unsigned char *c)
{
    int count = *c < 0x80 ? 1 : *c >= 0xc2 && *c < 0xe0 ? 2 : (*c & 0xf0) == 0xe0 ? 3 : *c >= 0xf0 && *c < 0xf5 ? 4 : 0;
    if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) || (*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] > 0x8f))
        return 0;
    for (int i = 1; i < count; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    return count;
}

bool px_is_utf8(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        int count = character_bytes(c);
        if (count == 0)
            return false;
        c += count;
    }
    return true;
}

void px_utf8_mend(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c;) {
        int count = character_bytes(c);
        if (count == 0)
            *c = '?';
        c += count ? count : 1;
    }
}
