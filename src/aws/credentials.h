/* credentials.h - who we are to AWS: the chain of places that its SDKs look at, in their order. Private to src/aws.
 *
 * Kept and renewed before they expire; any thread may ask. Never logged. */
#ifndef PX_AWS_CREDENTIALS_H
#define PX_AWS_CREDENTIALS_H

#include "base/http.h"

typedef struct px_credentials {
    char access_key_id[132], secret[260];
    char token[4096];       /* "" if none */
    int64_t expires_ms;     /* since 1970; 0: never */
} px_credentials;

typedef struct px_credential_chain px_credential_chain;

PX_CHECKED px_status px_credential_chain_create(px_http *http, const char *region, px_credential_chain **ret, px_error *err);
void px_credential_chain_destroy(px_credential_chain *chain);

/* The region that the profile in force names; "" if it names none. */
void px_profile_region(char region[64]);

/* Those to sign with now. PX_ACCESS_DENIED names the places that were tried. */
PX_CHECKED px_status px_credentials_now(px_credential_chain *chain, px_credentials *ret, px_error *err);

/* The ones last given out, without looking anywhere: for who must not wait. False if there are none yet. */
bool px_credentials_peek(px_credential_chain *chain, px_credentials *ret);

/* AWS said that these have expired: the next px_credentials_now looks for new ones. */
void px_credentials_expire(px_credential_chain *chain, const px_credentials *used);

#endif
