/* crypto.h - libcrypto, loaded at the first digest: it takes longer to load and start than all else together. For base/hash.c alone. */
#ifndef PX_BASE_CRYPTO_H
#define PX_BASE_CRYPTO_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/status.h"

#define PX_CRYPTO_LIST(X)                                                                                            \
    X(CRYPTO_memcmp) X(EVP_MD_CTX_new) X(EVP_MD_CTX_free) X(EVP_DigestInit_ex) X(EVP_DigestUpdate) X(EVP_DigestFinal_ex) \
    X(EVP_md5) X(EVP_sha1) X(EVP_sha256) X(HMAC)

/* px_crypto.NAME is NAME. */
#define PX_CRYPTO_MEMBER(name) __typeof__(&name) name;
extern struct px_crypto { PX_CRYPTO_LIST(PX_CRYPTO_MEMBER) } px_crypto;
#undef PX_CRYPTO_MEMBER

PX_CHECKED px_status px_crypto_load(px_error *err);

#endif
