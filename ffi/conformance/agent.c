/*
 * Makes the calls of the conformance scenarios in C: "agent blocking" or "agent async".
 * What it is asked and what it says is described in testing/conformance/README.md.
 */
#include "ron_sdk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FIELDS 64
#define MOST_ATTRIBUTES 32
#define WRITTEN_OUT 256

struct field {
    const char *name;
    char *value;
};

/* A request: its fields, which are parts of the line. */
struct request {
    const char *verb;
    struct field fields[MOST_FIELDS];
    size_t count;
};

/* What calls are made with. */
struct agent {
    bool is_async;
    ron_client_t *client;
    ron_capability_t *capability;
    ron_queue_t *queue;
};

/* What one call is made with, and what came of it. */
struct call {
    const struct agent *agent;
    const ron_capability_t *capability;
    ron_call_options_t options;
    ron_report_t report;
    ron_error_t *error;
};

static void *allocated(void *memory)
{
    if (!memory) {
        fputs("no memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* Requests. */

static const char *get(const struct request *request, const char *name)
{
    for (size_t index = 0; index < request->count; index++)
        if (!strcmp(request->fields[index].name, name))
            return request->fields[index].value;
    return NULL;
}

static const char *required(const struct request *request, const char *name)
{
    const char *value = get(request, name);
    return value ? value : "";
}

static uint64_t number(const struct request *request, const char *name, uint64_t otherwise)
{
    const char *value = get(request, name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static int digit(char digit)
{
    const char *digits = "0123456789abcdef", *found;
    if (digit >= 'A' && digit <= 'F')
        digit = (char)(digit - 'A' + 'a');
    found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)(found - digits) : 0;
}

static void unescape(char *value)
{
    char *out = value;
    for (; *value; value++) {
        if (*value == '%' && value[1] && value[2]) {
            *out++ = (char)(digit(value[1]) * 16 + digit(value[2]));
            value += 2;
        } else {
            *out++ = *value;
        }
    }
    *out = '\0';
}

static struct request parse(char *line)
{
    struct request request = {.verb = ""};
    char *rest = line;

    line[strcspn(line, "\r\n")] = '\0';
    rest += strcspn(rest, "\t");
    request.verb = line;
    while (*rest && request.count < MOST_FIELDS) {
        struct field *field = &request.fields[request.count];
        char *end;
        *rest++ = '\0';
        end = rest + strcspn(rest, "\t");
        field->name = rest;
        field->value = memchr(rest, '=', (size_t)(end - rest));
        if (field->value) {
            *field->value++ = '\0';
            request.count++;
        }
        if (*end) {
            *end = '\0';
            if (field->value)
                unescape(field->value);
            *end = '\t';
        } else if (field->value) {
            unescape(field->value);
        }
        rest = end;
    }
    return request;
}

static unsigned char *body_of(const struct request *request, size_t *len)
{
    const char *text = required(request, "body");
    unsigned char *body;

    if (!strncmp(text, "pattern:", 8)) {
        *len = (size_t)strtoull(text + 8, NULL, 10);
        body = allocated(malloc(*len + 1));
        for (size_t at = 0; at < *len; at++)
            body[at] = (unsigned char)(at % 251);
    } else if (!strncmp(text, "hex:", 4)) {
        *len = strlen(text + 4) / 2;
        body = allocated(malloc(*len + 1));
        for (size_t at = 0; at < *len; at++)
            body[at] = (unsigned char)(digit(text[4 + 2 * at]) * 16 + digit(text[5 + 2 * at]));
    } else {
        const char *after = strncmp(text, "text:", 5) ? text : text + 5;
        *len = strlen(after);
        body = allocated(malloc(*len + 1));
        memcpy(body, after, *len);
    }
    return body;
}

/* Answers. */

static void say(const char *name, const char *value)
{
    printf("\t%s=", name);
    for (; *value; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte > 0x20 && byte < 0x7f && byte != '%')
            putchar(byte);
        else
            printf("%%%02X", byte);
    }
}

static void say_number(const char *name, uint64_t number)
{
    printf("\t%s=%llu", name, (unsigned long long)number);
}

static void say_body(const char *name, const void *data, size_t len)
{
    const unsigned char *body = data;
    bool is_pattern = len > WRITTEN_OUT;

    for (size_t at = 0; is_pattern && at < len; at++)
        is_pattern = body[at] == at % 251;
    if (is_pattern) {
        printf("\t%s=pattern:%zu", name, len);
        return;
    }
    printf("\t%s=hex:", name);
    for (size_t at = 0; at < len; at++)
        printf("%02x", body[at]);
}

static void say_address(const ron_address_t *address)
{
    char text[RON_ADDRESS_TEXT_SIZE];
    if (ron_address_format(address, text, sizeof text, NULL) == RON_OK)
        say("address", text);
}

static const char *executed(ron_executed_t executed)
{
    static const char *const names[] = {"no", "yes", "unknown"};
    return executed <= RON_EXECUTED_UNKNOWN ? names[executed] : "?";
}

static void say_ok(const ron_report_t *report)
{
    fputs("ok", stdout);
    say_number("attempts", report->attempts);
    say("replayed", report->replayed ? "true" : "false");
    say("executed", executed(report->executed));
}

static void say_error(const ron_error_t *error)
{
    uint64_t after;
    fputs("error", stdout);
    say("kind", ron_status_name(ron_error_status(error)));
    say_number("number", ron_error_status(error));
    say("executed", executed(ron_error_executed(error)));
    say_number("attempts", ron_error_attempts(error));
    say("message", ron_error_message(error));
    if (ron_error_gateway_status(error))
        say_number("status", ron_error_gateway_status(error));
    if (ron_error_retry_after_ms(error, &after))
        say_number("retry_after_ms", after);
}

static void say_object(const ron_object_t *object)
{
    say_address(&object->address);
    say_number("size", object->size);
}

static void say_part(const ron_part_t *part)
{
    say_number("first", part->range.first);
    say_number("last", part->range.last);
    say_number("size", part->size);
}

static void say_receipt(const ron_receipt_t *receipt)
{
    say("id", receipt->id);
    say("duplicate", receipt->duplicate ? "true" : "false");
}

static void say_buffer(ron_buffer_t *buffer)
{
    say_body("body", ron_buffer_data(buffer), ron_buffer_len(buffer));
    ron_buffer_release(buffer);
}

static const char *of_message(size_t index, const char *name)
{
    static char text[256];
    snprintf(text, sizeof text, "%zu.%s", index, name);
    return text;
}

static void say_messages(ron_messages_t *messages)
{
    size_t count = ron_messages_count(messages);
    say_number("count", count);
    for (size_t index = 0; index < count; index++) {
        const ron_message_t *message = ron_messages_at(messages, index);
        const ron_lease_t *lease = ron_message_lease(message);
        uint32_t deliveries = 0;
        ron_dead_reason_t dead = ron_message_dead(message, &deliveries);
        say(of_message(index, "topic"), ron_lease_topic(lease));
        say(of_message(index, "id"), ron_message_id(message));
        say(of_message(index, "token"), ron_lease_token(lease));
        say_number(of_message(index, "attempt"), ron_message_attempt(message));
        say_body(of_message(index, "body"), ron_message_body(message), ron_message_body_len(message));
        for (size_t at = 0; at < ron_message_attribute_count(message); at++) {
            const char *name = ron_message_attribute_name(message, at);
            char full[128];
            snprintf(full, sizeof full, "attribute.%s", name);
            say(of_message(index, full), ron_message_attribute(message, name));
        }
        if (dead != RON_DEAD_NOT) {
            say(of_message(index, "dead.reason"), dead == RON_DEAD_TOO_MANY_DELIVERIES ? "too_many_deliveries" : "?");
            say_number(of_message(index, "dead.deliveries"), deliveries);
        }
    }
    ron_messages_release(messages);
}

/* Calls. */

/* Whether a blocking call has succeeded, or a function before any call; says its error where it has not. */
static bool succeeded(struct call *call, ron_status_t status)
{
    if (status != RON_OK) {
        say_error(call->error);
        ron_error_release(call->error);
        call->error = NULL;
    }
    return status == RON_OK;
}

/* The same, and says how a call went that has. */
static bool made(struct call *call, ron_status_t status)
{
    if (!succeeded(call, status))
        return false;
    say_ok(&call->report);
    return true;
}

/* Waits for a call that was started, and says what came of it. */
static void finish(struct call *call, ron_status_t status, uint64_t id, const struct request *request)
{
    const ron_queue_t *queue = call->agent->queue;
    ron_completion_t completion;
    ron_report_t report = RON_REPORT_INIT;
    ron_buffer_t *buffer;
    ron_messages_t *messages;
    ron_address_t address;
    ron_object_t object;
    ron_part_t part;
    ron_receipt_t receipt;
    size_t count = 0;

    if (!succeeded(call, status))
        return;
    if (get(request, "cancel_after_ms")) {
        bool ready;
        ron_queue_wait(queue, (int64_t)number(request, "cancel_after_ms", 0), &ready, NULL);
        if (!ready)
            ron_call_cancel(queue, id, NULL, NULL);
    }
    while (count == 0) {
        if (ron_queue_wait(queue, -1, NULL, NULL) != RON_OK || ron_queue_drain(queue, &completion, 1, &count, NULL) != RON_OK) {
            fputs("misunderstood", stdout);
            return;
        }
    }
    if (completion.status != RON_OK) {
        say_error(ron_result_error(completion.result));
        ron_result_release(completion.result);
        return;
    }
    ron_result_report(completion.result, &report);
    say_ok(&report);
    if (ron_result_address(completion.result, &address))
        say_address(&address);
    if (ron_result_object(completion.result, &object))
        say_object(&object);
    if (ron_result_part(completion.result, &part))
        say_part(&part);
    if (ron_result_receipt(completion.result, &receipt))
        say_receipt(&receipt);
    if ((buffer = ron_result_take_buffer(completion.result)))
        say_buffer(buffer);
    if ((messages = ron_result_take_messages(completion.result)))
        say_messages(messages);
    ron_result_release(completion.result);
}

/* The arguments that all operations begin with. */
#define WITH call->agent->client, call->capability
/* What follows an asynchronous operation's own arguments. */
#define STARTED &call->options, call->agent->queue, NULL, &id, &call->error
/* What follows a blocking operation's own arguments. */
#define MADE(out) &call->options, out, &call->error

static void storage(struct call *call, const struct request *request)
{
    bool is_async = call->agent->is_async;
    ron_address_t address;
    ron_range_t range = {number(request, "first", 0), number(request, "last", 0)};
    ron_buffer_t *buffer = NULL;
    ron_object_t object;
    ron_part_t part;
    uint64_t id = 0;

    if (!strcmp(request->verb, "storage_put")) {
        size_t len;
        unsigned char *body = body_of(request, &len);
        if (is_async)
            finish(call, ron_storage_put_start(WITH, body, len, STARTED), id, request);
        else if (made(call, ron_storage_put(WITH, body, len, MADE(&address))))
            say_address(&address);
        free(body);
        return;
    }
    if (!succeeded(call, ron_address_parse(required(request, "address"), &address, &call->error)))
        return;
    if (!strcmp(request->verb, "storage_get")) {
        if (is_async)
            finish(call, ron_storage_get_start(WITH, &address, STARTED), id, request);
        else if (made(call, ron_storage_get(WITH, &address, MADE(&buffer))))
            say_buffer(buffer);
    } else if (!strcmp(request->verb, "storage_get_range")) {
        if (is_async) {
            finish(call, ron_storage_get_range_start(WITH, &address, &range, STARTED), id, request);
        } else if (made(call, ron_storage_get_range(WITH, &address, &range, &call->options, &buffer, &part, &call->error))) {
            say_part(&part);
            say_buffer(buffer);
        }
    } else if (is_async) {
        finish(call, ron_storage_head_start(WITH, &address, STARTED), id, request);
    } else if (made(call, ron_storage_head(WITH, &address, MADE(&object)))) {
        say_object(&object);
    }
}

static void edge(struct call *call, const struct request *request)
{
    bool is_async = call->agent->is_async;
    const char *path = required(request, "path");
    ron_range_t wanted = {number(request, "first", 0), number(request, "last", 0)};
    const ron_range_t *range = get(request, "first") ? &wanted : NULL;
    ron_buffer_t *buffer = NULL;
    ron_object_t object;
    uint64_t id = 0;

    if (!strcmp(request->verb, "edge_get")) {
        if (is_async)
            finish(call, ron_edge_get_start(WITH, path, range, STARTED), id, request);
        else if (made(call, ron_edge_get(WITH, path, range, MADE(&buffer))))
            say_buffer(buffer);
    } else if (is_async) {
        finish(call, ron_edge_head_start(WITH, path, STARTED), id, request);
    } else if (made(call, ron_edge_head(WITH, path, MADE(&object)))) {
        say_object(&object);
    }
}

static void mail(struct call *call, const struct request *request)
{
    ron_mail_t mail = RON_MAIL_INIT;
    ron_attribute_t attributes[MOST_ATTRIBUTES];
    ron_receipt_t receipt;
    size_t len;
    unsigned char *body = body_of(request, &len);
    uint64_t id = 0;

    mail.topic = required(request, "topic");
    mail.body = body;
    mail.body_len = len;
    mail.attributes = attributes;
    for (size_t index = 0; index < request->count && mail.attributes_len < MOST_ATTRIBUTES; index++) {
        const struct field *field = &request->fields[index];
        if (!strncmp(field->name, "attribute.", 10)) {
            attributes[mail.attributes_len].name = field->name + 10;
            attributes[mail.attributes_len++].value = field->value;
        }
    }
    if (call->agent->is_async)
        finish(call, ron_mailbox_send_start(WITH, &mail, STARTED), id, request);
    else if (made(call, ron_mailbox_send(WITH, &mail, MADE(&receipt))))
        say_receipt(&receipt);
    free(body);
}

static void receive(struct call *call, const struct request *request)
{
    bool is_async = call->agent->is_async, has_topic = !strcmp(request->verb, "mailbox_receive");
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_messages_t *messages = NULL;
    ron_status_t status;
    uint64_t id = 0;

    receive.topic = required(request, "topic");
    receive.visibility_ms = number(request, "visibility_ms", receive.visibility_ms);
    receive.wait_ms = number(request, "wait_ms", 0);
    receive.max = (uint32_t)number(request, "max", receive.max);
    if (is_async) {
        status = has_topic ? ron_mailbox_receive_start(WITH, &receive, STARTED) : ron_mailbox_recv_start(WITH, STARTED);
        finish(call, status, id, request);
        return;
    }
    status = has_topic ? ron_mailbox_receive(WITH, &receive, MADE(&messages)) : ron_mailbox_recv(WITH, MADE(&messages));
    if (made(call, status))
        say_messages(messages);
}

static void with_lease(struct call *call, const struct request *request)
{
    bool is_async = call->agent->is_async;
    uint64_t delay = number(request, "delay_ms", 0), visibility = number(request, "visibility_ms", 0), id = 0;
    ron_lease_t *lease = NULL;
    ron_status_t status;

    status = ron_lease_new(required(request, "topic"), required(request, "id"), required(request, "token"), &lease, &call->error);
    if (!succeeded(call, status))
        return;
    if (!strcmp(request->verb, "mailbox_ack"))
        status = is_async ? ron_mailbox_ack_start(WITH, lease, STARTED)
                          : ron_mailbox_ack(WITH, lease, &call->options, &call->error);
    else if (!strcmp(request->verb, "mailbox_nack"))
        status = is_async ? ron_mailbox_nack_start(WITH, lease, delay, STARTED)
                          : ron_mailbox_nack(WITH, lease, delay, &call->options, &call->error);
    else
        status = is_async ? ron_mailbox_extend_start(WITH, lease, visibility, STARTED)
                          : ron_mailbox_extend(WITH, lease, visibility, &call->options, &call->error);
    if (is_async)
        finish(call, status, id, request);
    else
        made(call, status);
    ron_lease_release(lease);
}

static void name(struct call *call, const struct request *request)
{
    bool is_async = call->agent->is_async;
    const char *name = required(request, "name"), *expectation = get(request, "expected");
    ron_address_t address, expected_address;
    const ron_address_t *other = NULL;
    ron_expected_t expected = RON_EXPECTED_ANYTHING;
    ron_status_t status;
    uint64_t id = 0;

    if (!strcmp(request->verb, "index_resolve")) {
        if (is_async)
            finish(call, ron_index_resolve_start(WITH, name, STARTED), id, request);
        else if (made(call, ron_index_resolve(WITH, name, MADE(&address))))
            say_address(&address);
        return;
    }
    if (!succeeded(call, ron_address_parse(required(request, "address"), &address, &call->error)))
        return;
    if (expectation && !strcmp(expectation, "absent")) {
        expected = RON_EXPECTED_NOTHING;
    } else if (expectation) {
        if (!succeeded(call, ron_address_parse(expectation, &expected_address, &call->error)))
            return;
        expected = RON_EXPECTED_ADDRESS;
        other = &expected_address;
    }
    if (is_async) {
        status = ron_index_publish_start(WITH, name, &address, expected, other, STARTED);
        finish(call, status, id, request);
    } else {
        made(call, ron_index_publish(WITH, name, &address, expected, other, &call->options, &call->error));
    }
}

static void make(struct agent *agent, const struct request *request)
{
    static const struct {
        const char *begins;
        void (*make)(struct call *, const struct request *);
    } operations[] = {
        {"storage_", storage},        {"edge_", edge},      {"mailbox_send", mail},  {"mailbox_rec", receive},
        {"mailbox_", with_lease},     {"index_", name},
    };
    struct call call = {.agent = agent, .capability = agent->capability};
    ron_capability_t *own = NULL;
    const char *token = get(request, "capability");

    call.report = (ron_report_t)RON_REPORT_INIT;
    call.options = (ron_call_options_t)RON_CALL_OPTIONS_INIT;
    call.options.report = &call.report;
    call.options.idempotency_key = get(request, "idempotency_key");
    call.options.timeout_ms = number(request, "timeout_ms", RON_TIMEOUT_DEFAULT);
    if (token && !succeeded(&call, ron_capability_from_text(token, &own, &call.error)))
        return;
    if (own)
        call.capability = own;
    for (size_t index = 0; index < sizeof operations / sizeof *operations; index++) {
        if (!strncmp(request->verb, operations[index].begins, strlen(operations[index].begins))) {
            operations[index].make(&call, request);
            ron_capability_release(own);
            return;
        }
    }
    ron_capability_release(own);
    fputs("misunderstood", stdout);
}

static void make_client(struct agent *agent, const struct request *request)
{
    struct call call = {.agent = agent};
    ron_config_t *config = NULL;
    bool is_made = succeeded(&call, ron_config_new(&config, &call.error));

    ron_client_release(agent->client);
    ron_capability_release(agent->capability);
    agent->client = NULL;
    agent->capability = NULL;
    for (size_t index = 0; is_made && index < request->count; index++) {
        const struct field *field = &request->fields[index];
        if (!strncmp(field->name, "config.", 7))
            is_made = succeeded(&call, ron_config_set(config, field->name + 7, field->value, &call.error));
    }
    is_made = is_made && succeeded(&call, ron_capability_from_text(required(request, "capability"), &agent->capability, &call.error)) &&
              succeeded(&call, ron_client_new(config, &agent->client, &call.error));
    if (is_made)
        fputs("ok", stdout);
    ron_config_release(config);
}

static void close_client(const struct agent *agent)
{
    struct call call = {.agent = agent};
    size_t left = 0;
    if (succeeded(&call, ron_client_close(agent->client, 1000, &left, &call.error))) {
        fputs("ok", stdout);
        say_number("left", left);
    }
}

static void show_metrics(const struct agent *agent)
{
    struct call call = {.agent = agent};
    ron_metrics_t *metrics = NULL;
    ron_buffer_t *text = NULL;

    if (succeeded(&call, ron_client_metrics(agent->client, &metrics, &call.error)) &&
        succeeded(&call, ron_metrics_text(metrics, &text, &call.error))) {
        char *line = allocated(malloc(ron_buffer_len(text) + 1));
        memcpy(line, ron_buffer_data(text), ron_buffer_len(text));
        line[ron_buffer_len(text)] = '\0';
        fputs("ok", stdout);
        say("text", line);
        free(line);
    }
    ron_buffer_release(text);
    ron_metrics_release(metrics);
}

/* A line of any length; NULL at the end. */
static char *read_line(void)
{
    size_t room = 4096, len = 0;
    char *line = allocated(malloc(room));
    while (fgets(line + len, (int)(room - len), stdin)) {
        len += strlen(line + len);
        if (len && line[len - 1] == '\n')
            return line;
        room *= 2;
        line = allocated(realloc(line, room));
    }
    free(line);
    return NULL;
}

int main(int argc, char **argv)
{
    struct agent agent = {.is_async = argc > 1 && !strcmp(argv[1], "async")};
    char *line;

    if (ron_queue_new(&agent.queue, NULL) != RON_OK)
        return 1;
    printf("ready\tlanguage=%s\tcan=%s\n", agent.is_async ? "c-async" : "c-blocking", agent.is_async ? "cancel" : "");
    fflush(stdout);
    while ((line = read_line())) {
        struct request request = parse(line);
        if (!strcmp(request.verb, "client"))
            make_client(&agent, &request);
        else if (!strcmp(request.verb, "close"))
            close_client(&agent);
        else if (!strcmp(request.verb, "metrics"))
            show_metrics(&agent);
        else
            make(&agent, &request);
        putchar('\n');
        fflush(stdout);
        free(line);
    }
    ron_client_release(agent.client);
    ron_capability_release(agent.capability);
    ron_queue_release(agent.queue);
    return 0;
}
