/* hash.h - digests and checksums, fed in pieces.
 *
 * MD5, SHA-1 and SHA-256 (libcrypto), CRC-32 and CRC-32C (libisal), CRC-64/NVME (ours): what S3 asks for.
 * A px_hash is plain data in the caller's storage; done accepts it at any time. */
#ifndef PX_BASE_HASH_H
#define PX_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

typedef enum px_hash_kind {
    PX_HASH_MD5, PX_HASH_SHA1, PX_HASH_SHA256, PX_HASH_CRC32, PX_HASH_CRC32C, PX_HASH_CRC64NVME, PX_HASH_COUNT
} px_hash_kind;

enum { PX_HASH_MAX = 32 }; /* bytes of the longest digest */

typedef struct px_hash {
    px_hash_kind kind;
    uint64_t crc;
    void *context; /* owned: libcrypto's, for MD5 and SHA */
} px_hash;

void px_hash_init(px_hash *hash, px_hash_kind kind);
void px_hash_push(px_hash *hash, const void *data, size_t count);

/* Writes the digest (CRCs big-endian, as S3 prints them) and returns its size; the hash is done then. */
size_t px_hash_finish(px_hash *hash, uint8_t digest[PX_HASH_MAX]);
void px_hash_done(px_hash *hash); /* for a hash that is given up */

size_t px_hash_of(px_hash_kind kind, px_bytes bytes, uint8_t digest[PX_HASH_MAX]);
void px_hmac_sha256(px_bytes key, px_bytes message, uint8_t digest[32]);

/* Lower-case hex, NUL behind it: 2 * count + 1 bytes. */
void px_hex(const uint8_t *data, size_t count, char *text);

/* Base 64 (RFC 4648, padded). `format` writes 4 * ceil(count / 3) + 1 bytes. `parse` returns the number of bytes
 * written to `data` (at most `capacity`), or -1 if the text is not base 64 or does not fit. */
void px_base64_format(const uint8_t *data, size_t count, char *text);
long px_base64_parse(px_bytes text, uint8_t *data, size_t capacity);

/* Equal? In a time that does not depend on where they differ. */
bool px_equal_secret(px_bytes a, px_bytes b);

/* Bytes nobody can guess. Dies if the kernel has none: nothing safe can be done then. */
void px_random(void *data, size_t count);

#endif
