/* One switch at the start of a hash; afterwards libcrypto's context or a running CRC. */
#include "base/hash.h"

#include <assert.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/crypto.h"

/* CRC-64/NVME: polynomial 0xad93d23594c93659, reflected, all ones in and out. Eight tables, eight bytes a step. */
static uint64_t crc64_tables[8][256];
static pthread_once_t crc64_once = PTHREAD_ONCE_INIT;

static void crc64_prepare(void)
{
    const uint64_t reflected = 0x9a6c9329ac4bc9b5u;
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ reflected : crc >> 1;
        crc64_tables[0][i] = crc;
    }
    for (int t = 1; t < 8; t++)
        for (unsigned i = 0; i < 256; i++)
            crc64_tables[t][i] = crc64_tables[t - 1][i] >> 8 ^ crc64_tables[0][crc64_tables[t - 1][i] & 255];
}

static uint64_t crc64_push(uint64_t crc, const uint8_t *data, size_t count)
{
    for (; count >= 8; count -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        word = crc ^ (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word);
        crc = 0;
        for (int t = 0; t < 8; t++)
            crc ^= crc64_tables[7 - t][word >> (8 * t) & 255];
    }
    for (; count > 0; count--, data++)
        crc = crc >> 8 ^ crc64_tables[0][(crc ^ *data) & 255];
    return crc;
}

/* It is where pixmill is: the package depends on it. */
static void need_crypto(void)
{
    px_error err = { "" };
    if (px_crypto_load(&err) == PX_OK)
        return;
    fprintf(stderr, "pixmill: %s\n", err.message);
    abort();
}

static const EVP_MD *digest_of(px_hash_kind kind)
{
    if (kind > PX_HASH_SHA256)
        return NULL;
    need_crypto();
    switch (kind) {
    case PX_HASH_MD5:    return px_crypto.EVP_md5();
    case PX_HASH_SHA1:   return px_crypto.EVP_sha1();
    case PX_HASH_SHA256: return px_crypto.EVP_sha256();
    default:             return NULL;
    }
}

/* libcrypto fails here only without memory, or with MD5 switched off by a FIPS policy: nothing can go on then. */
static void must(int worked)
{
    if (worked == 1)
        return;
    fputs("pixmill: libcrypto refuses a digest that S3 needs (is a FIPS policy in force?)\n", stderr);
    abort();
}

void px_hash_init(px_hash *hash, px_hash_kind kind)
{
    *hash = (px_hash){ .kind = kind };
    const EVP_MD *digest = digest_of(kind);
    if (digest) {
        hash->context = px_crypto.EVP_MD_CTX_new();
        must(hash->context != NULL && px_crypto.EVP_DigestInit_ex(hash->context, digest, NULL) == 1);
    } else if (kind == PX_HASH_CRC32C) {
        hash->crc = 0xffffffffu;
    } else if (kind == PX_HASH_CRC64NVME) {
        pthread_once(&crc64_once, crc64_prepare);
        hash->crc = UINT64_MAX;
    }
}

void px_hash_push(px_hash *hash, const void *data, size_t count)
{
    const uint8_t *next = data;
    if (hash->context) {
        must(px_crypto.EVP_DigestUpdate(hash->context, data, count));
        return;
    }
    while (count > 0) {
        size_t piece = count < INT_MAX ? count : INT_MAX; /* libisal counts in int */
        if (hash->kind == PX_HASH_CRC32)
            hash->crc = crc32_gzip_refl((uint32_t)hash->crc, next, piece);
        else if (hash->kind == PX_HASH_CRC32C)
            hash->crc = crc32_iscsi((unsigned char *)(uintptr_t)next, (int)piece, (unsigned)hash->crc);
        else
            hash->crc = crc64_push(hash->crc, next, piece);
        next += piece;
        count -= piece;
    }
}

size_t px_hash_finish(px_hash *hash, uint8_t digest[PX_HASH_MAX])
{
    unsigned size = 0;
    if (hash->context) {
        must(px_crypto.EVP_DigestFinal_ex(hash->context, digest, &size));
        px_hash_done(hash);
        return size;
    }
    uint64_t value = hash->crc;
    size = 4;
    if (hash->kind == PX_HASH_CRC32C)
        value ^= 0xffffffffu;
    if (hash->kind == PX_HASH_CRC64NVME) {
        value ^= UINT64_MAX;
        size = 8;
    }
    for (unsigned i = 0; i < size; i++)
        digest[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    return size;
}

void px_hash_done(px_hash *hash)
{
    if (hash->context)
        px_crypto.EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

size_t px_hash_of(px_hash_kind kind, px_bytes bytes, uint8_t digest[PX_HASH_MAX])
{
    px_hash hash;
    px_hash_init(&hash, kind);
    px_hash_push(&hash, bytes.data, bytes.count);
    return px_hash_finish(&hash, digest);
}

void px_hmac_sha256(px_bytes key, px_bytes message, uint8_t digest[32])
{
    static const uint8_t nothing = 0;
    unsigned size = 32;
    need_crypto();
    must(px_crypto.HMAC(px_crypto.EVP_sha256(), key.data ? key.data : &nothing, (int)key.count, message.data, message.count, digest,
              &size) != NULL);
}

void px_hex(const uint8_t *data, size_t count, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    text[2 * count] = '\0';
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void px_base64_format(const uint8_t *data, size_t count, char *text)
{
    for (; count > 0; text += 4) {
        size_t piece = count < 3 ? count : 3;
        uint32_t bits = (uint32_t)data[0] << 16 | (piece > 1 ? (uint32_t)data[1] << 8 : 0) | (piece > 2 ? data[2] : 0);
        text[0] = base64_digits[bits >> 18];
        text[1] = base64_digits[bits >> 12 & 63];
        text[2] = piece > 1 ? base64_digits[bits >> 6 & 63] : '=';
        text[3] = piece > 2 ? base64_digits[bits & 63] : '=';
        data += piece;
        count -= piece;
    }
    *text = '\0';
}

static int base64_value(uint8_t c)
{
    const char *found = c ? strchr(base64_digits, c) : NULL;
    return found ? (int)(found - base64_digits) : -1;
}

long px_base64_parse(px_bytes text, uint8_t *data, size_t capacity)
{
    size_t written = 0;
    if (text.count % 4 != 0)
        return -1;
    for (size_t i = 0; i < text.count; i += 4) {
        const uint8_t *four = text.data + i;
        size_t padding = 0;
        if (i + 4 == text.count)
            padding = (size_t)(four[3] == '=') + (size_t)(four[3] == '=' && four[2] == '=');
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = k >= 4 - padding ? 0 : base64_value(four[k]);
            if (value < 0)
                return -1;
            bits = bits << 6 | (uint32_t)value;
        }
        if (written + 3 - padding > capacity)
            return -1;
        for (size_t k = 0; k < 3 - padding; k++)
            data[written++] = (uint8_t)(bits >> (16 - 8 * k));
    }
    return (long)written;
}

bool px_equal_secret(px_bytes a, px_bytes b)
{
    need_crypto();
    return a.count == b.count && px_crypto.CRYPTO_memcmp(a.data, b.data, a.count) == 0;
}

void px_random(void *data, size_t count)
{
    uint8_t *next = data;
    while (count > 0) {
        ssize_t got = getrandom(next, count, 0);
        if (got < 0)
            abort();
        next += got;
        count -= (size_t)got;
    }
}
