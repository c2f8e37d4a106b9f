/* For now the environment alone, which is what Lambda gives. */
#include "aws/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct px_credential_chain {
    px_http *http;
};

px_status px_credential_chain_create(px_http *http, const char *region, px_credential_chain **ret, px_error *err)
{
    (void)region;
    px_credential_chain *chain = calloc(1, sizeof *chain);
    if (!chain)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for credentials");
    chain->http = http;
    *ret = chain;
    return PX_OK;
}

void px_credential_chain_destroy(px_credential_chain *chain) { free(chain); }

px_status px_credentials_now(px_credential_chain *chain, px_credentials *ret, px_error *err)
{
    (void)chain;
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY"), *token = getenv("AWS_SESSION_TOKEN");
    px_credentials found = { .expires_ms = 0 };
    if (!id || !secret || !*id || !*secret || strlen(id) >= sizeof found.access_key_id || strlen(secret) >= sizeof found.secret ||
        (token && strlen(token) >= sizeof found.token))
        return px_fail(err, PX_ACCESS_DENIED, "no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
    strcpy(found.access_key_id, id);
    strcpy(found.secret, secret);
    strcpy(found.token, token ? token : "");
    *ret = found;
    return PX_OK;
}

void px_credentials_expire(px_credential_chain *chain, const px_credentials *used) { (void)chain, (void)used; }

bool px_credentials_peek(px_credential_chain *chain, px_credentials *ret) { return px_credentials_now(chain, ret, NULL) == PX_OK; }
