/* Each character gets a kind from a table of ranges; kinds are resolved by the rules that are named beside them, then become levels
 * (even: from the left), and runs of one level are turned round as rule L2 says. */
#include "image/runs.h"

#include <stddef.h>

typedef enum kind { LEFT, RIGHT, NUMBER, ARABIC_NUMBER, SEPARATOR, MARK, NEUTRAL } kind;

/* Whatever is in no range: LEFT from U+00C0 on, NEUTRAL before. The first that fits counts. */
static const struct {
    unsigned first, last;
    kind kind;
} ranges[] = {
    { '0', '9', NUMBER }, { 'A', 'Z', LEFT }, { 'a', 'z', LEFT }, { '+', '+', SEPARATOR }, { ',', '/', SEPARATOR }, { ':', ':', SEPARATOR },
    { 0xaa, 0xaa, LEFT }, { 0xb5, 0xb5, LEFT }, { 0xba, 0xba, LEFT }, { 0xd7, 0xd7, NEUTRAL }, { 0xf7, 0xf7, NEUTRAL }, { 0x300, 0x36f, MARK },
    { 0x591, 0x5bd, MARK }, { 0x610, 0x61a, MARK }, { 0x64b, 0x65f, MARK }, { 0x660, 0x669, ARABIC_NUMBER }, { 0x66b, 0x66c, ARABIC_NUMBER },
    { 0x6f0, 0x6f9, NUMBER }, { 0x590, 0x8ff, RIGHT }, { 0x200c, 0x200d, MARK }, { 0x200e, 0x200e, LEFT }, { 0x200f, 0x200f, RIGHT },
    { 0x2000, 0x2bff, NEUTRAL }, { 0x3000, 0x3004, NEUTRAL }, { 0xfb1d, 0xfdff, RIGHT }, { 0xfe00, 0xfe0f, MARK }, { 0xfe70, 0xfefe, RIGHT },
    { 0x10800, 0x10fff, RIGHT }, { 0x1e800, 0x1efff, RIGHT }, { 0x1f000, 0x1faff, NEUTRAL },
};

static kind kind_of(unsigned character)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return ranges[i].kind;
    return character >= 0xc0 ? LEFT : NEUTRAL;
}

unsigned px_character_at(const char *text, int *ret_bytes)
{
    const unsigned char *c = (const unsigned char *)text;
    int more = c[0] >= 0xf0 ? 3 : c[0] >= 0xe0 ? 2 : c[0] >= 0xc0 ? 1 : 0, i = 1;
    unsigned value = more == 0 ? c[0] : c[0] & (0x3fu >> more);
    for (; i <= more && (c[i] & 0xc0) == 0x80; i++)
        value = value << 6 | (c[i] & 0x3f);
    if (ret_bytes)
        *ret_bytes = i;
    return value;
}

typedef struct line {
    kind kinds[PX_MARK_TEXT_MAX];
    int starts[PX_MARK_TEXT_MAX + 1]; /* bytes; one more, for the end */
    int count;                        /* characters */
    kind base;                        /* LEFT or RIGHT: the line's own direction */
} line;

static void read_line(const char *text, line *self)
{
    int at = 0, bytes;
    self->count = 0;
    for (; text[at] && self->count < PX_MARK_TEXT_MAX; at += bytes) {
        self->kinds[self->count] = kind_of(px_character_at(text + at, &bytes));
        self->starts[self->count++] = at;
    }
    self->starts[self->count] = at;
    self->base = LEFT; /* P2, P3: the first strong letter says it */
    for (int i = 0; i < self->count; i++)
        if (self->kinds[i] == LEFT || self->kinds[i] == RIGHT) {
            self->base = self->kinds[i];
            return;
        }
}

static bool is_number(kind of) { return of == NUMBER || of == ARABIC_NUMBER; }

/* W1: a mark is what it stands on. W4: one separator between two numbers is of them; any other is neutral. */
static void resolve_weak(line *self)
{
    kind *kinds = self->kinds;
    for (int i = 0; i < self->count; i++)
        if (kinds[i] == MARK)
            kinds[i] = i > 0 ? kinds[i - 1] : NEUTRAL;
    for (int i = 0; i < self->count; i++)
        if (kinds[i] == SEPARATOR)
            kinds[i] = i > 0 && i + 1 < self->count && is_number(kinds[i - 1]) && kinds[i - 1] == kinds[i + 1] ? kinds[i - 1] : NEUTRAL;
    kind strong = self->base; /* W7: a number, but an Arabic one, after a letter from the left is as that */
    for (int i = 0; i < self->count; i++) {
        if (kinds[i] == LEFT || kinds[i] == RIGHT)
            strong = kinds[i];
        if (kinds[i] == NUMBER && strong == LEFT)
            kinds[i] = LEFT;
        if (kinds[i] == ARABIC_NUMBER)
            kinds[i] = NUMBER;
    }
}

/* N1, N2: what is between two of one direction has it; otherwise the line's. To these a number is from the right. */
static void resolve_neutrals(line *self)
{
    kind before = self->base;
    for (int i = 0; i < self->count; i++) {
        if (self->kinds[i] != NEUTRAL) {
            before = self->kinds[i] == LEFT ? LEFT : RIGHT;
            continue;
        }
        int end = i;
        while (end < self->count && self->kinds[end] == NEUTRAL)
            end++;
        kind after = end == self->count ? self->base : self->kinds[end] == LEFT ? LEFT : RIGHT;
        for (; i < end; i++)
            self->kinds[i] = before == after ? before : self->base;
        i--;
    }
}

/* I1, I2. */
static int level_of(const line *self, int i)
{
    return self->kinds[i] == NUMBER ? 2 : self->kinds[i] == RIGHT ? 1 : self->base == RIGHT ? 2 : 0;
}

static void reverse(px_run *runs, int count)
{
    for (int i = 0; i < count / 2; i++) {
        px_run one = runs[i];
        runs[i] = runs[count - 1 - i];
        runs[count - 1 - i] = one;
    }
}

int px_runs_of(const char *text, px_run runs[PX_MARK_TEXT_MAX])
{
    line self;
    int levels[PX_MARK_TEXT_MAX], count = 0;
    read_line(text, &self);
    resolve_weak(&self);
    resolve_neutrals(&self);
    for (int i = 0; i < self.count; i++) {
        int level = level_of(&self, i);
        if (count == 0 || levels[count - 1] != level) {
            levels[count] = level;
            runs[count++] = (px_run){ .start = self.starts[i], .from_right = level % 2 };
        }
        runs[count - 1].count = self.starts[i + 1] - runs[count - 1].start;
    }
    for (int i = 0, end; i < count; i = end) { /* L2; of level 2 there are no two runs side by side to be turned first */
        end = i;
        while (end < count && levels[end] >= 1)
            end++;
        reverse(runs + i, end - i);
        end = end > i ? end : i + 1;
    }
    return count;
}
