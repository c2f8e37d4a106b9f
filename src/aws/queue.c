/* The queue port on SQS. A message that was taken stays ours as long as its heartbeat says so: one thread renews the visibility
 * of all that are in flight, so a worker that dies gives them back by itself. What ends for good goes to the dead letters with
 * its reason if there is such a queue; else it comes again until the queue's own redrive takes it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/shared.h"
#include "base/clock.h"

enum { CALL_ARENA = 4 << 20, VISIBILITY_S = 120, WAIT_MAX_S = 20, REPLAY_ROUNDS = 100000 };

/* A message that was taken and is not settled; its receipt is the delivery's id. */
struct flight {
    struct flight *next;
    char *receipt; /* owned */
};

struct state {
    px_aws_ports *ports;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t heart;
    struct flight *flights; /* under the lock */
    bool stopped, closing;  /* likewise */
    int visibility_s;
};

static struct state *state_of(px_queue *self) { return PX_PORTS_OF(self, queue)->queue_state; }

static px_status call(px_aws_ports *ports, const char *queue, const char *action, json_t *body, bool patient, px_arena *arena, json_t **ret_answer,
                      px_error *err)
{
    return body ? px_aws_sqs_call(ports, queue, action, body, patient, arena, ret_answer, err)
                : px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
}

/* ---- the heartbeat ---- */

static px_status change_visibility(px_aws_ports *ports, const char *queue, const char *receipt, int seconds, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_TRY(px_arena_open(CALL_ARENA, &arena, err));
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:s, s:i}", "ReceiptHandle", receipt, "VisibilityTimeout", seconds);
    return call(ports, queue, "ChangeMessageVisibility", body, false, &arena, &answer, err);
}

/* Copies of the receipts, so that no lock is held over the network. */
static char **receipts_in_flight(struct state *state, size_t *ret_count)
{
    size_t count = 0;
    for (struct flight *flight = state->flights; flight; flight = flight->next)
        count++;
    char **list = calloc(count + 1, sizeof *list);
    *ret_count = 0;
    for (struct flight *flight = state->flights; list && flight; flight = flight->next)
        if ((list[*ret_count] = strdup(flight->receipt)) != NULL)
            ++*ret_count;
    return list;
}

static void *beat(void *context)
{
    struct state *state = context;
    pthread_mutex_lock(&state->lock);
    while (!state->closing) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        int64_t nanoseconds = until.tv_nsec + (int64_t)state->visibility_s * 1000000000 / 3;
        until.tv_sec += nanoseconds / 1000000000;
        until.tv_nsec = nanoseconds % 1000000000;
        pthread_cond_timedwait(&state->changed, &state->lock, &until);
        size_t count;
        char **list = state->closing ? NULL : receipts_in_flight(state, &count);
        pthread_mutex_unlock(&state->lock);
        for (size_t i = 0; list && i < count; i++) {
            (void)!change_visibility(state->ports, state->ports->options.queue, list[i], state->visibility_s, NULL); /* settled meanwhile, or the next beat does it */
            free(list[i]);
        }
        free(list);
        pthread_mutex_lock(&state->lock);
    }
    pthread_mutex_unlock(&state->lock);
    return NULL;
}

static bool flight_begin(struct state *state, const char *receipt)
{
    struct flight *flight = calloc(1, sizeof *flight);
    if (!flight || !(flight->receipt = strdup(receipt))) {
        free(flight);
        return false;
    }
    pthread_mutex_lock(&state->lock);
    flight->next = state->flights;
    state->flights = flight;
    pthread_mutex_unlock(&state->lock);
    return true;
}

static void flight_end(struct state *state, const char *receipt)
{
    pthread_mutex_lock(&state->lock);
    for (struct flight **at = &state->flights; *at; at = &(*at)->next)
        if (strcmp((*at)->receipt, receipt) == 0) {
            struct flight *flight = *at;
            *at = flight->next;
            free(flight->receipt);
            free(flight);
            break;
        }
    pthread_mutex_unlock(&state->lock);
}

/* ---- the port ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static px_status receive(px_aws_ports *ports, const char *queue, int count, int visibility_s, int wait_s, px_arena *scratch, json_t **ret_answer,
                         px_error *err)
{
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:i, s:i, s:i, s:[s], s:[s], s:[s]}", "MaxNumberOfMessages", count, "WaitTimeSeconds", wait_s,
                                                   "VisibilityTimeout", visibility_s, "MessageSystemAttributeNames", "All", "AttributeNames", "All",
                                                   "MessageAttributeNames", "All");
    return call(ports, queue, "ReceiveMessage", body, true, scratch, ret_answer, err);
}

static bool is_stopped(struct state *state)
{
    pthread_mutex_lock(&state->lock);
    bool stopped = state->stopped;
    pthread_mutex_unlock(&state->lock);
    return stopped;
}

/* What came when nobody wanted more: at once for another worker, not when its visibility ends. */
static px_status give_back(struct state *state, const json_t *message, px_error *err)
{
    return message ? change_visibility(state->ports, state->ports->options.queue, text_of(message, "ReceiptHandle"), 0, err) : PX_OK;
}

static px_status queue_take(px_queue *self, int wait_ms, px_arena *arena, px_delivery *ret, bool *ret_taken, px_error *err)
{
    struct state *state = state_of(self);
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    int wait_s = wait_ms / 1000 < WAIT_MAX_S ? wait_ms / 1000 : WAIT_MAX_S;
    *ret_taken = false;
    if (is_stopped(state))
        return PX_OK;
    PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
    PX_TRY(receive(state->ports, state->ports->options.queue, 1, state->visibility_s, wait_s, &scratch, &answer, err));
    const json_t *message = json_array_get(json_object_get(answer, "Messages"), 0), *attributes = json_object_get(message, "Attributes");
    if (!message || is_stopped(state))
        return give_back(state, message, err);
    px_delivery delivery = { .id = px_arena_copy_text(arena, text_of(message, "ReceiptHandle")), .body = px_arena_copy_text(arena, text_of(message, "Body")),
                             .attempts = atoi(text_of(attributes, "ApproximateReceiveCount")),
                             .sent_ms = strtoll(text_of(attributes, "SentTimestamp"), NULL, 10),
                             .trace_id = px_arena_copy_text(arena, text_of(attributes, "AWSTraceHeader")) };
    if (!delivery.id || !delivery.body || !delivery.trace_id || !flight_begin(state, delivery.id))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a message"); /* it comes again by itself */
    *ret = delivery;
    *ret_taken = true;
    return PX_OK;
}

static px_status delete_message(px_aws_ports *ports, const char *queue, const char *receipt, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_TRY(px_arena_open(CALL_ARENA, &arena, err));
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:s}", "ReceiptHandle", receipt);
    return call(ports, queue, "DeleteMessage", body, false, &arena, &answer, err);
}

static px_status bury(px_aws_ports *ports, const px_settlement *settlement, px_error *err)
{
    const char *message = settlement->message && *settlement->message ? settlement->message : "-";
    const char *image_id = settlement->image_id && *settlement->image_id ? settlement->image_id : "-";
    const px_meta attributes[] = { { "Code", px_status_code(settlement->status) }, { "Reason", message }, { "ImageId", image_id } };
    PX_TRY(px_aws_queue_send(ports, ports->options.dead_letters, settlement->delivery->body, attributes, 3, err));
    return delete_message(ports, ports->options.queue, settlement->delivery->id, err);
}

static px_status queue_settle(px_queue *self, const px_settlement *settlement, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, queue);
    const char *receipt = settlement->delivery->id;
    bool has_dead = ports->options.dead_letters && *ports->options.dead_letters;
    flight_end(state_of(self), receipt); /* settled or not: without a heartbeat it comes again */
    if (settlement->verdict == PX_ACKNOWLEDGE)
        return delete_message(ports, ports->options.queue, receipt, err);
    if (settlement->verdict == PX_DEAD && has_dead)
        return bury(ports, settlement, err);
    int64_t delay_s = settlement->verdict == PX_DEAD ? 0 : (settlement->delay_ms + 999) / 1000;
    return change_visibility(ports, ports->options.queue, receipt, (int)(delay_s < 43200 ? delay_s : 43200), err);
}

static const char *attribute_of(const json_t *message, const char *name)
{
    return text_of(json_object_get(json_object_get(message, "MessageAttributes"), name), "StringValue");
}

static bool is_wanted(const px_dead_filter *filter, const json_t *message)
{
    int64_t sent_ms = strtoll(text_of(json_object_get(message, "Attributes"), "SentTimestamp"), NULL, 10);
    return (!filter->key || px_key_matches(filter->key, attribute_of(message, "ImageId"))) &&
           (!filter->code || strcmp(filter->code, attribute_of(message, "Code")) == 0) && (!filter->since_ms || sent_ms >= filter->since_ms) &&
           (!filter->until_ms || sent_ms <= filter->until_ms);
}

/* A dead letter that was looked at. Texts live in the replay's arena. */
struct letter {
    const char *receipt, *body; /* body NULL: it is not wanted */
};

struct replay {
    px_aws_ports *ports;
    const px_dead_filter *filter;
    px_arena arena;
    struct letter *letters; /* owned */
    size_t count, capacity;
};

static px_status keep_letter(struct replay *replay, const json_t *message, px_error *err)
{
    if (replay->count == replay->capacity) {
        size_t capacity = replay->capacity ? replay->capacity * 2 : 64;
        struct letter *more = realloc(replay->letters, capacity * sizeof *more);
        if (!more)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %zu dead letters", capacity);
        replay->letters = more;
        replay->capacity = capacity;
    }
    bool wanted = is_wanted(replay->filter, message);
    struct letter letter = { px_arena_copy_text(&replay->arena, text_of(message, "ReceiptHandle")),
                             wanted ? px_arena_copy_text(&replay->arena, text_of(message, "Body")) : NULL };
    if (!letter.receipt || (wanted && !letter.body))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a dead letter");
    replay->letters[replay->count++] = letter;
    return PX_OK;
}

/* Until none is in sight. One that waits for somebody else's visibility timeout is not found. */
static px_status collect(struct replay *replay, px_error *err)
{
    enum { BATCH = 10, OUT_OF_SIGHT_S = 3600 };
    for (int round = 0; round < REPLAY_ROUNDS; round++) {
        PX_AUTO(px_arena_close) px_arena scratch = { 0 };
        PX_AUTO(px_json_free) json_t *answer = NULL;
        size_t index;
        json_t *message;
        PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
        PX_TRY(receive(replay->ports, replay->ports->options.dead_letters, BATCH, OUT_OF_SIGHT_S, 1, &scratch, &answer, err));
        const json_t *messages = json_object_get(answer, "Messages");
        if (json_array_size(messages) == 0)
            break;
        json_array_foreach(messages, index, message)
            PX_TRY(keep_letter(replay, message, err));
    }
    return PX_OK;
}

static px_status send_back(const struct replay *replay, const struct letter *letter, px_error *err)
{
    px_aws_ports *ports = replay->ports;
    PX_TRY(px_aws_queue_send(ports, ports->options.queue, letter->body, NULL, 0, err));
    return delete_message(ports, ports->options.dead_letters, letter->receipt, err);
}

/* All are looked at before the first goes back: one that a worker buries again at once must not be replayed for ever. */
static px_status queue_replay(px_queue *self, const px_dead_filter *filter, int64_t *ret_count, px_error *err)
{
    struct replay replay = { .ports = PX_PORTS_OF(self, queue), .filter = filter };
    *ret_count = 0;
    if (!replay.ports->options.dead_letters || !*replay.ports->options.dead_letters)
        return px_fail(err, PX_BAD_CONFIG, "dead_letters is not set, so there is no queue to replay from");
    PX_TRY(px_arena_open((size_t)1 << 30, &replay.arena, err));
    px_status status = collect(&replay, err);
    for (size_t i = 0; i < replay.count; i++) {
        const struct letter *letter = &replay.letters[i];
        if (status == PX_OK && letter->body)
            *ret_count += (status = send_back(&replay, letter, err)) == PX_OK;
        else /* not wanted, or not to be sent any more: given back, or it comes in an hour */
            (void)!change_visibility(replay.ports, replay.ports->options.dead_letters, letter->receipt, 0, NULL);
    }
    free(replay.letters);
    px_arena_close(&replay.arena);
    return status;
}

static void queue_stop(px_queue *self)
{
    struct state *state = state_of(self);
    pthread_mutex_lock(&state->lock);
    state->stopped = true;
    pthread_mutex_unlock(&state->lock);
}

px_status px_aws_queue_init(px_aws_ports *ports, px_error *err)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a queue");
    state->ports = ports;
    state->visibility_s = ports->options.visibility_s > 0 ? ports->options.visibility_s : VISIBILITY_S;
    pthread_mutex_init(&state->lock, NULL);
    pthread_cond_init(&state->changed, NULL);
    int number = pthread_create(&state->heart, NULL, beat, state);
    if (number != 0) {
        free(state);
        return px_fail_errno(err, number, "cannot start the queue's heartbeat");
    }
    ports->queue_state = state;
    ports->queue = (px_queue){ .name = "sqs", .take = queue_take, .settle = queue_settle, .replay = queue_replay, .stop = queue_stop };
    return PX_OK;
}

void px_aws_queue_done(px_aws_ports *ports)
{
    struct state *state = ports->queue_state;
    if (!state)
        return;
    pthread_mutex_lock(&state->lock);
    state->closing = true;
    pthread_cond_broadcast(&state->changed);
    pthread_mutex_unlock(&state->lock);
    pthread_join(state->heart, NULL);
    while (state->flights) {
        struct flight *flight = state->flights;
        state->flights = flight->next;
        free(flight->receipt);
        free(flight);
    }
    pthread_cond_destroy(&state->changed);
    pthread_mutex_destroy(&state->lock);
    free(state);
}
