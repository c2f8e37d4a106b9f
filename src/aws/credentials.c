/* The chain: each source either has nothing to say (it is not configured), or answers for good.
 *
 * What was found is kept until five minutes before it expires; one thread then renews it, while the others go on with what is
 * still valid. A renewal that fails is tried again at the next question, and is an error only when nothing valid is left. */
#include "aws/credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "aws/ini.h"
#include "aws/inside.h"
#include "aws/shared.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/sigv4.h"
#include "base/xml.h"

enum { EARLY_MS = 300000, ARENA_BYTES = 4 << 20, FILE_BYTES_MAX = 1 << 20, ROLES_MAX = 5, METADATA_MS = 2000, ANSWER_MS = 15000 };

struct px_credential_chain {
    px_http *http;         /* borrowed */
    char region[64];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool renewing;         /* under the lock, like the rest */
    bool has;
    bool had;              /* once there were some, so there is a place that gives them */
    px_credentials kept;
};

/* What a source has to work with. */
struct looking {
    px_credential_chain *chain;
    px_arena *arena;
    px_credentials *found;
    px_error *err;
};

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Who has no time for us now may have some in a moment; who refuses us will do so again. */
static px_status refusal(int http_status) { return http_status == 429 || http_status >= 500 ? PX_THROTTLED : PX_ACCESS_DENIED; }

static px_status keep(const struct looking *looking, const char *where, const char *id, const char *secret, const char *token, const char *expiry)
{
    px_credentials found = { .expires_ms = 0 };
    if (!id || !secret || !*id || !*secret || strlen(id) >= sizeof found.access_key_id || strlen(secret) >= sizeof found.secret ||
        (token && strlen(token) >= sizeof found.token))
        return px_fail(looking->err, PX_ACCESS_DENIED, "%s gave no AWS credentials that could be used", where);
    strcpy(found.access_key_id, id);
    strcpy(found.secret, secret);
    strcpy(found.token, token ? token : "");
    if (expiry && *expiry && !px_time_parse(expiry, &found.expires_ms))
        return px_fail(looking->err, PX_ACCESS_DENIED, "%s gave AWS credentials that expire at '%.40s', which is no time", where, expiry);
    *looking->found = found;
    return PX_OK;
}

static px_status keep_json(const struct looking *looking, const char *where, px_bytes text, const char *token_name)
{
    PX_AUTO(px_json_free) json_t *answer = json_loadb((const char *)text.data, text.count, 0, NULL);
    const char *secret = json_string_value(json_object_get(answer, "SecretAccessKey"));
    return keep(looking, where, json_string_value(json_object_get(answer, "AccessKeyId")), secret,
                json_string_value(json_object_get(answer, token_name)), json_string_value(json_object_get(answer, "Expiration")));
}

/* ---- environment ---- */

static px_status from_environment(const struct looking *looking, bool *ret_has)
{
    *ret_has = variable("AWS_ACCESS_KEY_ID") != NULL;
    return *ret_has ? keep(looking, "the environment", variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN"), NULL) : PX_OK;
}

/* ---- STS ---- */

struct granted {
    px_arena *arena;
    const char *id, *secret, *token, *expiry;
};

static bool take_grant(void *context, const char *path, const char *text)
{
    struct granted *granted = context;
    const char *last = strrchr(path, '/');
    last = last ? last + 1 : path;
    const struct {
        const char *name, **target;
    } rows[] = { { "AccessKeyId", &granted->id }, { "SecretAccessKey", &granted->secret }, { "SessionToken", &granted->token },
                 { "Expiration", &granted->expiry } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, last) == 0)
            *rows[i].target = px_arena_copy_text(granted->arena, text);
    return true;
}

/* Sends a form to STS, signed by `signer` (NULL: not at all), and keeps what it grants. */
static px_status ask_sts(const struct looking *looking, const char *const (*pairs)[2], int pair_count, const px_credentials *signer)
{
    PX_AUTO(px_buffer_done) px_buffer form = { 0 };
    const char *endpoint;
    bool path_style;
    px_arena *arena = looking->arena;
    const char *region = *looking->chain->region ? looking->chain->region : "us-east-1";
    PX_TRY(px_aws_endpoint("sts", NULL, PX_S3_AUTO, region, arena, &endpoint, &path_style, looking->err));
    for (int i = 0; i < pair_count; i++) {
        px_buffer_format(&form, "%s%s=", i ? "&" : "", pairs[i][0]);
        px_uri_encode(&form, pairs[i][1], false);
    }
    if (px_buffer_failed(&form))
        return px_fail(looking->err, PX_OUT_OF_MEMORY, "no memory for a request");
    px_http_header header = { "content-type", "application/x-www-form-urlencoded; charset=utf-8" };
    px_http_request http = { .method = "POST", .url = px_arena_format(arena, "%s/", endpoint), .headers = &header, .header_count = 1,
                             .body = px_buffer_bytes(&form) };
    if (signer) {
        px_aws_request request = { .service = "sts", .action = pairs[0][1], .target = "credentials", .method = "POST", .path = "/", .url = endpoint,
                                   .headers = &header, .header_count = 1, .body = px_buffer_bytes(&form) };
        PX_TRY(px_aws_prepare(0, &request, signer, region, arena, &http, looking->err));
    }
    http.deadline_ms = px_now_ms() + ANSWER_MS;
    px_http_response response;
    struct granted granted = { .arena = arena };
    PX_TRY(px_http_send(looking->chain->http, &http, arena, &response, looking->err));
    if (response.status != 200) {
        const char *code, *message;
        px_aws_error_read(&response, arena, &code, &message);
        return px_fail(looking->err, px_aws_error_may_pass(response.status, code) ? PX_THROTTLED : PX_ACCESS_DENIED, "STS refuses %s: %.200s",
                       pairs[0][1], *message ? message : *code ? code : "no reason given");
    }
    PX_TRY(px_xml_read(response.body, take_grant, &granted, looking->err));
    return keep(looking, "STS", granted.id, granted.secret, granted.token, granted.expiry);
}

static const char *session_name(void)
{
    const char *name = variable("AWS_ROLE_SESSION_NAME");
    return name ? name : "pixmill";
}

static px_status assume_with_token(const struct looking *looking, const char *role, const char *file)
{
    px_bytes token;
    PX_TRY(px_file_read(file, FILE_BYTES_MAX, looking->arena, &token, looking->err));
    char *text = px_arena_copy(looking->arena, token);
    if (!text)
        return px_fail(looking->err, PX_OUT_OF_MEMORY, "no memory for a token");
    text[strcspn(text, "\r\n")] = 0;
    const char *const pairs[][2] = { { "Action", "AssumeRoleWithWebIdentity" }, { "Version", "2011-06-15" }, { "RoleArn", role },
                                     { "RoleSessionName", session_name() }, { "WebIdentityToken", text } };
    return ask_sts(looking, pairs, 5, NULL);
}

static px_status from_web_identity(const struct looking *looking, bool *ret_has)
{
    const char *file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = variable("AWS_ROLE_ARN");
    *ret_has = file && role;
    return *ret_has ? assume_with_token(looking, role, file) : PX_OK;
}

/* ---- the container's endpoint: ECS, EKS Pod Identity ---- */

/* Plain HTTP only to this machine and to the addresses that ECS and EKS use. */
static bool is_trusted(const char *url)
{
    static const char *const hosts[] = { "127.", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]" };
    if (strncmp(url, "https://", 8) == 0)
        return true;
    if (strncmp(url, "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t count = strlen(hosts[i]);
        if (strncmp(url + 7, hosts[i], count) == 0 && (i == 0 ? strspn(url + 7, "0123456789.") == strcspn(url + 7, ":/") : strchr(":/", url[7 + count]) != NULL))
            return true;
    }
    return false;
}

static px_status from_container(const struct looking *looking, bool *ret_has)
{
    const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"), *file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    *ret_has = relative || full;
    if (!*ret_has)
        return PX_OK;
    const char *url = relative ? px_arena_format(looking->arena, "http://169.254.170.2%s", relative) : full;
    if (!url || !is_trusted(url))
        return px_fail(looking->err, PX_ACCESS_DENIED, "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither HTTPS nor an address of ECS, EKS or this machine");
    px_bytes text = px_bytes_of(token ? token : "");
    if (file)
        PX_TRY(px_file_read(file, FILE_BYTES_MAX, looking->arena, &text, looking->err));
    char *value = px_arena_copy(looking->arena, text);
    if (!value)
        return px_fail(looking->err, PX_OUT_OF_MEMORY, "no memory for a token");
    value[strcspn(value, "\r\n")] = 0;
    px_http_header header = { "Authorization", value };
    px_http_request request = { .method = "GET", .url = url, .headers = &header, .header_count = *value ? 1 : 0, .direct = true,
                                .deadline_ms = px_now_ms() + ANSWER_MS };
    px_http_response response;
    PX_TRY(px_http_send(looking->chain->http, &request, looking->arena, &response, looking->err));
    if (response.status != 200)
        return px_fail(looking->err, refusal(response.status), "the container's credentials endpoint answered %d", response.status);
    return keep_json(looking, "the container's credentials endpoint", response.body, "Token");
}

/* ---- instance metadata, version 2 ---- */

static px_status metadata(const struct looking *looking, const char *method, const char *path, const px_http_header *header, px_bytes *ret)
{
    const char *base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    char *url = px_arena_format(looking->arena, "%s/latest/%s", base ? base : "http://169.254.169.254", path);
    px_http_request request = { .method = method, .url = url, .headers = header, .header_count = 1, .direct = true, .connect_ms = METADATA_MS / 2,
                                .deadline_ms = px_now_ms() + METADATA_MS };
    px_http_response response;
    if (!url)
        return px_fail(looking->err, PX_OUT_OF_MEMORY, "no memory for a request");
    PX_TRY(px_http_send(looking->chain->http, &request, looking->arena, &response, looking->err));
    if (response.status != 200)
        return px_fail(looking->err, refusal(response.status), "the instance metadata answered %d for %s", response.status, path);
    *ret = response.body;
    return PX_OK;
}

static px_status from_instance(const struct looking *looking, bool *ret_has)
{
    const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
    *ret_has = !disabled || strcasecmp(disabled, "true") != 0;
    if (!*ret_has)
        return PX_OK;
    px_http_header lifetime = { "X-aws-ec2-metadata-token-ttl-seconds", "21600" };
    px_bytes token, role, answer;
    PX_TRY(metadata(looking, "PUT", "api/token", &lifetime, &token));
    px_http_header header = { "X-aws-ec2-metadata-token", (const char *)token.data };
    PX_TRY(metadata(looking, "GET", "meta-data/iam/security-credentials/", &header, &role));
    const char *path = px_arena_format(looking->arena, "meta-data/iam/security-credentials/%.*s", (int)strcspn((const char *)role.data, "\r\n"), (const char *)role.data);
    PX_TRY(metadata(looking, "GET", path ? path : "", &header, &answer));
    return keep_json(looking, "the instance metadata", answer, "Token");
}

/* ---- shared files ---- */

static px_status read_shared(const struct looking *looking, const char *name, const char *fallback, px_bytes *ret)
{
    const char *path = variable(name), *home = variable("HOME");
    px_error ignored;
    if (!path && home)
        path = px_arena_format(looking->arena, "%s/.aws/%s", home, fallback);
    *ret = (px_bytes){ 0 };
    px_status status = path ? px_file_read(path, FILE_BYTES_MAX, looking->arena, ret, &ignored) : PX_NO_SUCH_KEY;
    return status == PX_NO_SUCH_KEY ? PX_OK : status == PX_OK ? PX_OK : px_fail(looking->err, status, "%s", ignored.message);
}

/* The credentials file names profiles plainly, the config file as [profile x]. */
static const char *setting(const struct looking *looking, px_bytes credentials, px_bytes config, const char *profile, const char *key)
{
    const char *value = px_ini_find(credentials, profile, key, looking->arena);
    if (value)
        return value;
    const char *section = strcmp(profile, "default") == 0 ? profile : px_arena_format(looking->arena, "profile %s", profile);
    return section ? px_ini_find(config, section, key, looking->arena) : NULL;
}

/* What a program of the user's prints ("Sourcing credentials with an external process", AWS CLI user guide). */
static px_status run_process(const struct looking *looking, const char *command)
{
    char *text = px_new(looking->arena, char, 65536);
    FILE *pipe = text ? popen(command, "re") : NULL;
    if (!pipe)
        return px_fail(looking->err, PX_ACCESS_DENIED, "credential_process could not be started");
    size_t count = fread(text, 1, 65535, pipe);
    int code = pclose(pipe);
    if (code != 0)
        return px_fail(looking->err, PX_ACCESS_DENIED, "credential_process ended with code %d", code);
    return keep_json(looking, "credential_process", (px_bytes){ (const uint8_t *)text, count }, "SessionToken");
}

static px_status from_named(const struct looking *looking, const char *source, const char *profile, bool *ret_has)
{
    if (strcmp(source, "Environment") == 0)
        return from_environment(looking, ret_has);
    if (strcmp(source, "EcsContainer") == 0)
        return from_container(looking, ret_has);
    if (strcmp(source, "Ec2InstanceMetadata") == 0)
        return from_instance(looking, ret_has);
    return px_fail(looking->err, PX_ACCESS_DENIED, "the profile %.60s has the credential_source %.40s: wanted Environment, EcsContainer or Ec2InstanceMetadata",
                   profile, source);
}

static px_status from_profile(const struct looking *looking, px_bytes credentials, px_bytes config, const char *profile, int depth, bool *ret_has);

static px_status assume_role(const struct looking *looking, px_bytes credentials, px_bytes config, const char *profile, const char *role, int depth)
{
    const char *source = setting(looking, credentials, config, profile, "source_profile");
    const char *named = setting(looking, credentials, config, profile, "credential_source");
    const char *session = setting(looking, credentials, config, profile, "role_session_name");
    const char *external = setting(looking, credentials, config, profile, "external_id");
    const char *file = setting(looking, credentials, config, profile, "web_identity_token_file");
    px_credentials *signer = px_new(looking->arena, px_credentials, 1);
    bool has = false;
    if (file)
        return assume_with_token(looking, role, file);
    if (!signer)
        return px_fail(looking->err, PX_OUT_OF_MEMORY, "no memory for credentials");
    struct looking inner = { looking->chain, looking->arena, signer, looking->err };
    if (source && depth < ROLES_MAX) {
        /* A profile may be its own source: its keys are meant then. */
        bool own = strcmp(source, profile) == 0;
        const char *id = own ? setting(looking, credentials, config, profile, "aws_access_key_id") : NULL;
        has = own;
        PX_TRY(own ? keep(&inner, "the profile", id, setting(looking, credentials, config, profile, "aws_secret_access_key"),
                          setting(looking, credentials, config, profile, "aws_session_token"), NULL)
                   : from_profile(&inner, credentials, config, source, depth + 1, &has));
    } else if (named)
        PX_TRY(from_named(&inner, named, profile, &has));
    if (!has)
        return px_fail(looking->err, PX_ACCESS_DENIED, "the profile %.60s has a role_arn, but its source_profile or credential_source gives no credentials", profile);
    const char *const pairs[][2] = { { "Action", "AssumeRole" }, { "Version", "2011-06-15" }, { "RoleArn", role },
                                     { "RoleSessionName", session ? session : session_name() }, { "ExternalId", external ? external : "" } };
    return ask_sts(looking, pairs, external ? 5 : 4, signer);
}

static px_status from_profile(const struct looking *looking, px_bytes credentials, px_bytes config, const char *profile, int depth, bool *ret_has)
{
    const char *role = setting(looking, credentials, config, profile, "role_arn");
    const char *id = setting(looking, credentials, config, profile, "aws_access_key_id");
    const char *command = setting(looking, credentials, config, profile, "credential_process");
    *ret_has = role || id || command;
    if (role)
        return assume_role(looking, credentials, config, profile, role, depth);
    if (id)
        return keep(looking, "the profile", id, setting(looking, credentials, config, profile, "aws_secret_access_key"),
                    setting(looking, credentials, config, profile, "aws_session_token"), NULL);
    return command ? run_process(looking, command) : PX_OK;
}

static px_status read_files(const struct looking *looking, px_bytes *ret_credentials, px_bytes *ret_config)
{
    PX_TRY(read_shared(looking, "AWS_SHARED_CREDENTIALS_FILE", "credentials", ret_credentials));
    return read_shared(looking, "AWS_CONFIG_FILE", "config", ret_config);
}

static px_status from_files(const struct looking *looking, bool *ret_has)
{
    const char *profile = variable("AWS_PROFILE");
    px_bytes credentials, config;
    *ret_has = false;
    PX_TRY(read_files(looking, &credentials, &config));
    PX_TRY(from_profile(looking, credentials, config, profile ? profile : "default", 0, ret_has));
    return profile && !*ret_has ? px_fail(looking->err, PX_ACCESS_DENIED, "AWS_PROFILE is %.60s, but no such profile has credentials", profile) : PX_OK;
}

void px_profile_region(char region[64])
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_bytes credentials, config;
    px_error ignored; /* files that cannot be read are told of when credentials are looked for */
    struct looking looking = { .arena = &arena, .err = &ignored };
    const char *profile = variable("AWS_PROFILE"), *found = NULL;
    if (px_arena_open(ARENA_BYTES, &arena, NULL) == PX_OK && read_files(&looking, &credentials, &config) == PX_OK)
        found = setting(&looking, credentials, config, profile ? profile : "default", "region");
    snprintf(region, 64, "%s", found ? found : "");
}

/* ---- the chain ---- */

static px_status look(px_credential_chain *chain, px_credentials *ret, px_error *err)
{
    static px_status (*const sources[])(const struct looking *looking, bool *ret_has) = { from_environment, from_web_identity, from_files,
                                                                                          from_container, from_instance };
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_TRY(px_arena_open(ARENA_BYTES, &arena, err));
    struct looking looking = { chain, &arena, ret, err };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        bool has = false;
        px_status status = sources[i](&looking, &has);
        if ((status == PX_NETWORK || status == PX_OUT_OF_TIME) && sources[i] == from_instance)
            break; /* this is no machine of AWS's */
        if (status != PX_OK || has)
            return status;
    }
    return px_fail(err, PX_ACCESS_DENIED, "no AWS credentials: not in the environment, not as a web identity, not in ~/.aws, not from a container's "
                   "or an instance's endpoint");
}

px_status px_credential_chain_create(px_http *http, const char *region, px_credential_chain **ret, px_error *err)
{
    px_credential_chain *chain = calloc(1, sizeof *chain);
    if (!chain)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for credentials");
    chain->http = http;
    snprintf(chain->region, sizeof chain->region, "%s", region);
    pthread_mutex_init(&chain->lock, NULL);
    pthread_cond_init(&chain->changed, NULL);
    *ret = chain;
    return PX_OK;
}

void px_credential_chain_destroy(px_credential_chain *chain)
{
    if (!chain)
        return;
    pthread_cond_destroy(&chain->changed);
    pthread_mutex_destroy(&chain->lock);
    explicit_bzero(&chain->kept, sizeof chain->kept);
    free(chain);
}

static bool lasts(const px_credential_chain *chain, int64_t margin_ms)
{
    return chain->has && (!chain->kept.expires_ms || chain->kept.expires_ms - margin_ms > px_now_ms());
}

px_status px_credentials_now(px_credential_chain *chain, px_credentials *ret, px_error *err)
{
    px_credentials fresh;
    px_error why = { "" };
    pthread_mutex_lock(&chain->lock);
    while (chain->renewing && !lasts(chain, 0))
        pthread_cond_wait(&chain->changed, &chain->lock);
    if (lasts(chain, EARLY_MS) || (chain->renewing && lasts(chain, 0))) {
        *ret = chain->kept;
        pthread_mutex_unlock(&chain->lock);
        return PX_OK;
    }
    chain->renewing = true;
    pthread_mutex_unlock(&chain->lock);
    px_status status = look(chain, &fresh, &why);
    pthread_mutex_lock(&chain->lock);
    chain->renewing = false;
    if (status == PX_OK) {
        chain->kept = fresh;
        chain->has = chain->had = true;
    } else if (chain->had && status == PX_ACCESS_DENIED)
        status = PX_NETWORK; /* no picture is to blame: its job comes again, when there are some once more */
    bool valid = lasts(chain, 0);
    if (valid)
        *ret = chain->kept;
    pthread_cond_broadcast(&chain->changed);
    pthread_mutex_unlock(&chain->lock);
    explicit_bzero(&fresh, sizeof fresh);
    if (status == PX_OK && !valid)
        return px_fail(err, PX_EXPIRED_TOKEN, "the AWS credentials that were found have expired already");
    return valid ? PX_OK : px_fail(err, status, "%s", why.message);
}

bool px_credentials_peek(px_credential_chain *chain, px_credentials *ret)
{
    pthread_mutex_lock(&chain->lock);
    bool valid = lasts(chain, 0);
    if (valid)
        *ret = chain->kept;
    pthread_mutex_unlock(&chain->lock);
    return valid;
}

void px_credentials_expire(px_credential_chain *chain, const px_credentials *used)
{
    pthread_mutex_lock(&chain->lock);
    if (chain->has && strcmp(chain->kept.access_key_id, used->access_key_id) == 0 && strcmp(chain->kept.token, used->token) == 0)
        chain->has = false;
    pthread_mutex_unlock(&chain->lock);
}
