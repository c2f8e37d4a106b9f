/* A token is (value + 2048) * 16 + run. Small values stand close together, so that one table gives code and bits of nearly all, and one
 * other counts them. Zero as a value is the end of a block, or sixteen zeros. */
#include "codec/jpeg/tokens.h"

#include <stdlib.h>

enum {
    CHUNK_TOKENS = 32 << 10,
    ZERO = 2048 << 4,
    END = ZERO,            /* T.81's EOB */
    SIXTEEN = ZERO | 15,   /* ZRL */
    FULL = ZERO | 1,       /* the end of a block whose last coefficient is not 0: nothing is written */
    SMALL = 32,            /* values below it are in the tables */
    FIRST = ZERO - (SMALL << 4),
    SMALL_TOKENS = 2 * SMALL << 4,
};

typedef struct chunk {
    struct chunk *next;
    uint32_t count, units;
    uint16_t tokens[CHUNK_TOKENS];
} chunk;

struct px_jpeg_tokens {
    chunk *first, *last; /* owned; at least one */
    uint8_t tables[PX_JPEG_UNIT_BLOCKS];
    int unit_blocks;
    uint64_t small[2][SMALL_TOKENS]; /* AC, by token */
    uint64_t others[2][256];         /* AC, by symbol */
    uint64_t dc[2][256];             /* by size */
};

static chunk *chunk_create(void)
{
    chunk *made = malloc(sizeof *made);
    if (made) {
        made->next = NULL;
        made->count = made->units = 0;
    }
    return made;
}

px_jpeg_tokens *px_jpeg_tokens_create(const uint8_t *tables, int count)
{
    px_jpeg_tokens *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->unit_blocks = count;
    memcpy(self->tables, tables, (size_t)count);
    self->first = self->last = chunk_create();
    if (self->first)
        return self;
    px_jpeg_tokens_destroy(self);
    return NULL;
}

uint64_t px_jpeg_tokens_memory(uint64_t units, unsigned unit_blocks)
{
    uint64_t unit = unit_blocks * PX_JPEG_BLOCK_TOKENS, filled = CHUNK_TOKENS - PX_JPEG_UNIT_BLOCKS * PX_JPEG_BLOCK_TOKENS;
    return sizeof(px_jpeg_tokens) + (units * unit / filled + 1) * sizeof(chunk);
}

void px_jpeg_tokens_destroy(px_jpeg_tokens *self)
{
    for (chunk *c = self ? self->first : NULL; c;) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
    free(self);
}

px_status px_jpeg_tokens_next(px_jpeg_tokens *self, px_error *err)
{
    if (self->last->count + PX_JPEG_UNIT_BLOCKS * PX_JPEG_BLOCK_TOKENS > CHUNK_TOKENS) {
        chunk *next = chunk_create();
        if (!next)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for the coefficients of a JPEG");
        self->last->next = next;
        self->last = next;
    }
    self->last->units++;
    return PX_OK;
}

static inline void count_ac(px_jpeg_tokens *self, int table, uint16_t token)
{
    unsigned index = (unsigned)token - FIRST;
    if (index < SMALL_TOKENS)
        self->small[table][index]++;
    else
        self->others[table][(token & 15) << 4 | px_jpeg_size((token >> 4) - 2048)]++;
}

static inline void add_dc(px_jpeg_tokens *self, int table, int difference)
{
    self->last->tokens[self->last->count++] = (uint16_t)((difference + 2048) << 4);
    self->dc[table][px_jpeg_size(difference)]++;
}

void px_jpeg_tokens_add(px_jpeg_tokens *self, int table, const px_jpeg_group *group, int block, int difference)
{
    add_dc(self, table, difference);
    uint16_t *at = self->last->tokens + self->last->count;
    uint64_t left = ((uint64_t)group->high[block] << 32 | group->low[block]) & ~UINT64_C(1);
    int last = 0;
    for (; left; left &= left - 1) {
        int k = __builtin_ctzll(left), run = k - last - 1;
        last = k;
        for (; run > 15; run -= 16) {
            *at++ = SIXTEEN;
            count_ac(self, table, SIXTEEN);
        }
        uint16_t token = (uint16_t)((group->values[k][block] + 2048) << 4 | run);
        *at++ = token;
        count_ac(self, table, token);
    }
    if (last < 63)
        count_ac(self, table, END);
    *at++ = last < 63 ? END : FULL;
    self->last->count = (uint32_t)(at - self->last->tokens);
}

void px_jpeg_tokens_add_flat(px_jpeg_tokens *self, int table, int difference)
{
    add_dc(self, table, difference);
    count_ac(self, table, END);
    self->last->tokens[self->last->count++] = END;
}

void px_jpeg_tokens_codes(const px_jpeg_tokens *self, px_jpeg_code codes[2][2])
{
    for (int table = 0; table < 2; table++) {
        uint64_t ac[256];
        memcpy(ac, self->others[table], sizeof ac);
        for (int i = 0; i < SMALL_TOKENS; i++)
            if (self->small[table][i])
                ac[(i & 15) << 4 | px_jpeg_size((i >> 4) - SMALL)] += self->small[table][i];
        px_jpeg_code_make(self->dc[table], &codes[table][0]);
        px_jpeg_code_make(ac, &codes[table][1]);
    }
}

/* Code and bits of a token, shifted left by 5, and how many they are: at most 16 + 11. */
static uint32_t word_of(const px_jpeg_code *code, unsigned token)
{
    int value = (int)(token >> 4) - 2048, size = px_jpeg_size(value);
    uint32_t word = code->words[(token & 15) << 4 | (unsigned)size];
    return ((word >> 5) << size | px_jpeg_extra(value, size)) << 5 | ((word & 31) + (uint32_t)size);
}

static inline void put_word(px_jpeg_bits *to, uint32_t word) { px_jpeg_bits_put(to, word >> 5, (int)(word & 31)); }

static inline const uint16_t *write_block(const uint16_t *at, const px_jpeg_code *codes, const uint32_t words[SMALL_TOKENS], px_jpeg_bits *to)
{
    put_word(to, word_of(&codes[0], *at++));
    for (;;) {
        unsigned token = *at++, index = token - FIRST;
        if (token == FULL)
            return at;
        put_word(to, index < SMALL_TOKENS ? words[index] : word_of(&codes[1], token));
        if (token == END)
            return at;
    }
}

static const uint16_t *write_unit(const px_jpeg_tokens *self, const uint16_t *at, px_jpeg_code codes[2][2],
                                  uint32_t words[2][SMALL_TOKENS], px_jpeg_out *out)
{
    px_jpeg_bits to = out->bits;
    for (int i = 0; i < self->unit_blocks; i++)
        at = write_block(at, codes[self->tables[i]], words[self->tables[i]], &to);
    out->bits = to;
    return at;
}

px_status px_jpeg_tokens_write(const px_jpeg_tokens *self, px_jpeg_code codes[2][2], px_jpeg_out *out, px_error *err)
{
    uint32_t words[2][SMALL_TOKENS];
    for (int table = 0; table < 2; table++)
        for (unsigned i = 0; i < SMALL_TOKENS; i++)
            words[table][i] = word_of(&codes[table][1], i + FIRST);
    for (const chunk *c = self->first; c; c = c->next) {
        const uint16_t *at = c->tokens;
        for (uint32_t unit = 0; unit < c->units; unit++) {
            at = write_unit(self, at, codes, words, out);
            PX_TRY(px_jpeg_out_flush(out, err));
        }
    }
    return px_jpeg_out_pad(out, err);
}
