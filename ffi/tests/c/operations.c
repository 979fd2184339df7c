/* Every operation in its blocking form. */
#include "harness.h"

#include <unistd.h>

static void storage(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    static const char body[] = "hello from C";
    const size_t len = sizeof body - 1;
    ron_address_t address, computed;
    ron_buffer_t *buffer = NULL;
    ron_report_t report = RON_REPORT_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_object_t object;
    ron_range_t range = {6, 100};
    ron_part_t part;
    char text[RON_ADDRESS_TEXT_SIZE], into[64];
    size_t got = 0;

    options.timeout_ms = 5000;
    options.report = &report;
    CHECK_OK(ron_storage_put(client, capability, body, len, &options, &address, &error));
    CHECK(report.attempts == 1 && report.executed == RON_EXECUTED_YES && report.replayed == 0);
    CHECK(report.elapsed_ns > 0);
    CHECK_OK(ron_address_of(body, len, &computed, &error));
    CHECK(memcmp(&address, &computed, sizeof address) == 0);
    CHECK_OK(ron_address_format(&address, text, sizeof text, &error));
    CHECK(strncmp(text, "b3:", 3) == 0 && strlen(text) == 67);
    CHECK_OK(ron_address_parse(text, &computed, &error));
    CHECK(memcmp(&address, &computed, sizeof address) == 0);

    CHECK_OK(ron_storage_get(client, capability, &address, &options, &buffer, &error));
    CHECK(report.executed == RON_EXECUTED_NO);
    CHECK(ron_buffer_len(buffer) == len && memcmp(ron_buffer_data(buffer), body, len) == 0);
    /* A second handle of the same bytes. */
    {
        ron_buffer_t *other = ron_buffer_share(buffer);
        CHECK(ron_buffer_data(other) == ron_buffer_data(buffer));
        ron_buffer_release(buffer);
        CHECK(memcmp(ron_buffer_data(other), body, len) == 0);
        ron_buffer_release(other);
    }

    CHECK_OK(ron_storage_get_into(client, capability, &address, NULL, into, sizeof into, &got, &error));
    CHECK(got == len && memcmp(into, body, len) == 0);
    memset(into, 'x', sizeof into);
    CHECK_STATUS(RON_TOO_LARGE,
                 ron_storage_get_into(client, capability, &address, NULL, into, len - 1, &got, &error));
    CHECK(got == len && into[0] == 'x');
    CHECK_STATUS(RON_TOO_LARGE,
                 ron_storage_get_into(client, capability, &address, NULL, NULL, 0, &got, &error));
    CHECK(got == len);

    CHECK_OK(ron_storage_head(client, capability, &address, NULL, &object, &error));
    CHECK(object.size == len && memcmp(&object.address, &address, sizeof address) == 0);

    CHECK_OK(ron_storage_get_range(client, capability, &address, &range, NULL, &buffer, &part, &error));
    CHECK(ron_buffer_len(buffer) == 6 && memcmp(ron_buffer_data(buffer), "from C", 6) == 0);
    CHECK(part.range.first == 6 && part.range.last == 11 && part.size == len);
    ron_buffer_release(buffer);
    CHECK_OK(ron_storage_get_range(client, capability, &address, &range, NULL, &buffer, NULL, &error));
    ron_buffer_release(buffer);

    /* Nothing is an object too, and is given as nothing. */
    CHECK_OK(ron_storage_put(client, capability, NULL, 0, NULL, &address, &error));
    CHECK_OK(ron_storage_get(client, capability, &address, NULL, &buffer, &error));
    CHECK(ron_buffer_len(buffer) == 0 && ron_buffer_data(buffer) != NULL);
    ron_buffer_release(buffer);
    CHECK_OK(ron_storage_get_into(client, capability, &address, NULL, NULL, 0, &got, &error));
    CHECK(got == 0);

    /* The greatest object. */
    {
        const size_t most = 1015808;
        char *large = malloc(most + 1);
        CHECK(large != NULL);
        memset(large, 'l', most + 1);
        CHECK_STATUS(RON_TOO_LARGE,
                     ron_storage_put(client, capability, large, most + 1, NULL, &address, &error));
        CHECK_OK(ron_storage_put(client, capability, large, most, NULL, &address, &error));
        CHECK_OK(ron_storage_get(client, capability, &address, NULL, &buffer, &error));
        CHECK(ron_buffer_len(buffer) == most && memcmp(ron_buffer_data(buffer), large, most) == 0);
        ron_buffer_release(buffer);
        free(large);
    }
    ron_capability_release(capability);
    ron_client_release(client);
}

static void idempotency(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_report_t report = RON_REPORT_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_address_t address;

    options.report = &report;
    options.idempotency_key = "c-tests-idempotency";
    CHECK_OK(ron_storage_put(client, capability, "once", 4, &options, &address, &error));
    CHECK(report.replayed == 0);
    CHECK_OK(ron_storage_put(client, capability, "once", 4, &options, &address, &error));
    CHECK(report.replayed == 1);
    CHECK_STATUS(RON_CONFLICT, ron_storage_put(client, capability, "twice", 5, &options, &address, &error));
    options.idempotency_key = "not a key";
    CHECK_STATUS(RON_CONFIG, ron_storage_put(client, capability, "once", 4, &options, &address, &error));
    ron_capability_release(capability);
    ron_client_release(client);
}

static void edge(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_buffer_t *whole = NULL, *some = NULL;
    ron_object_t object;
    ron_range_t range = {1, 4};
    ron_address_t address;
    size_t len = 0;
    char *into = malloc(65536);

    CHECK(into != NULL);
    CHECK_OK(ron_edge_get(client, capability, "/ron/64k", NULL, NULL, &whole, &error));
    CHECK(ron_buffer_len(whole) == 65536);
    CHECK_OK(ron_edge_get(client, capability, "/ron/64k", &range, NULL, &some, &error));
    CHECK(ron_buffer_len(some) == 4);
    CHECK(memcmp(ron_buffer_data(some), (const char *)ron_buffer_data(whole) + 1, 4) == 0);
    CHECK_OK(ron_edge_get_into(client, capability, "/ron/64k", NULL, NULL, into, 65536, &len, &error));
    CHECK(len == 65536 && memcmp(into, ron_buffer_data(whole), len) == 0);
    CHECK_OK(ron_edge_head(client, capability, "/ron/64k", NULL, &object, &error));
    CHECK(object.size == 65536);
    CHECK_OK(ron_address_of(into, len, &address, &error));
    CHECK(memcmp(&address, &object.address, sizeof address) == 0);
    CHECK_STATUS(RON_NOT_FOUND, ron_edge_head(client, capability, "/none", NULL, &object, &error));
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_edge_head(client, capability, "none", NULL, &object, &error));
    free(into);
    ron_buffer_release(whole);
    ron_buffer_release(some);
    ron_capability_release(capability);
    ron_client_release(client);
}

static void mailbox(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability(), *narrow = NULL;
    const ron_attribute_t attributes[] = {{"kind", "greeting"}, {"language", "C"}};
    ron_mail_t mail = RON_MAIL_INIT;
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_receipt_t receipt;
    ron_messages_t *messages = NULL;
    const ron_message_t *message;
    ron_lease_t *lease, *again = NULL;
    ron_buffer_t *body;
    uint32_t deliveries = 7;

    mail.topic = receive.topic = "c/blocking";
    mail.body = "a message";
    mail.body_len = 9;
    mail.attributes = attributes;
    mail.attributes_len = 2;
    CHECK_OK(ron_mailbox_send(client, capability, &mail, NULL, &receipt, &error));
    CHECK(strlen(receipt.id) > 0 && receipt.duplicate == 0);

    receive.max = 10;
    CHECK_OK(ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    CHECK(ron_messages_count(messages) == 1);
    CHECK(ron_messages_at(messages, 1) == NULL);
    message = ron_messages_at(messages, 0);
    CHECK(strcmp(ron_message_id(message), receipt.id) == 0);
    CHECK(ron_message_attempt(message) == 1);
    CHECK(ron_message_body_len(message) == 9 && memcmp(ron_message_body(message), "a message", 9) == 0);
    CHECK(ron_message_sent_at_ms(message) > 1600000000000u);
    CHECK(ron_message_attribute_count(message) == 2);
    CHECK(strcmp(ron_message_attribute_name(message, 0), "kind") == 0);
    CHECK(ron_message_attribute_name(message, 2) == NULL);
    CHECK(strcmp(ron_message_attribute(message, "language"), "C") == 0);
    CHECK(ron_message_attribute(message, "none") == NULL);
    CHECK(ron_message_dead(message, &deliveries) == RON_DEAD_NOT && deliveries == 0);
    body = ron_message_share_body(message);
    CHECK(ron_buffer_data(body) == ron_message_body(message));
    lease = ron_lease_share(ron_message_lease(message));
    ron_messages_release(messages);
    CHECK(ron_buffer_len(body) == 9 && memcmp(ron_buffer_data(body), "a message", 9) == 0);
    ron_buffer_release(body);

    /* A lease outlives its message, and can be handed to somebody else. */
    CHECK(strcmp(ron_lease_topic(lease), "c/blocking") == 0 && strcmp(ron_lease_id(lease), receipt.id) == 0);
    CHECK_OK(ron_lease_new(ron_lease_topic(lease), ron_lease_id(lease), ron_lease_token(lease), &again, &error));
    CHECK_OK(ron_mailbox_extend(client, capability, again, 60000, NULL, &error));
    CHECK_OK(ron_mailbox_nack(client, capability, again, 0, NULL, &error));
    CHECK_STATUS(RON_STALE_LEASE, ron_mailbox_ack(client, capability, lease, NULL, &error));
    ron_lease_release(lease);
    ron_lease_release(again);

    CHECK_OK(ron_capability_attenuate(capability, "topic=c/blocking", &narrow, &error));
    CHECK_OK(ron_mailbox_recv(client, narrow, NULL, &messages, &error));
    CHECK(ron_messages_count(messages) == 1);
    message = ron_messages_at(messages, 0);
    CHECK(ron_message_attempt(message) == 2);
    CHECK_OK(ron_mailbox_ack(client, capability, ron_message_lease(message), NULL, &error));
    ron_messages_release(messages);
    CHECK_OK(ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    CHECK(ron_messages_count(messages) == 0);
    ron_messages_release(messages);
    CHECK_STATUS(RON_CONFIG, ron_mailbox_recv(client, capability, NULL, &messages, &error));
    CHECK(messages == NULL);
    ron_capability_release(narrow);
    ron_capability_release(capability);
    ron_client_release(client);
}

static void names(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_address_t one, two, found;

    CHECK_OK(ron_address_of("1", 1, &one, &error));
    CHECK_OK(ron_address_of("2", 1, &two, &error));
    CHECK_STATUS(RON_NOT_FOUND, ron_index_resolve(client, capability, "c.blocking", NULL, &found, &error));
    CHECK_OK(ron_index_publish(client, capability, "c.blocking", &one, RON_EXPECTED_NOTHING, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFLICT, ron_index_publish(client, capability, "c.blocking", &two, RON_EXPECTED_NOTHING, NULL,
                                                 NULL, &error));
    CHECK_OK(ron_index_publish(client, capability, "c.blocking", &two, RON_EXPECTED_ADDRESS, &one, NULL, &error));
    CHECK_OK(ron_index_resolve(client, capability, "c.blocking", NULL, &found, &error));
    CHECK(memcmp(&found, &two, sizeof two) == 0);
    CHECK_OK(ron_index_publish(client, capability, "c.blocking", &one, RON_EXPECTED_ANYTHING, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_index_publish(client, capability, "c.blocking", &one, 3, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_index_publish(client, capability, "c.blocking", &one, RON_EXPECTED_ADDRESS, NULL,
                                               NULL, &error));
    ron_capability_release(capability);
    ron_client_release(client);
}

struct provider {
    int asked, released;
};

static ron_status_t provide(void *user_data, ron_capability_t **out) {
    ((struct provider *)user_data)->asked++;
    return ron_capability_from_env(out, NULL);
}

static ron_status_t provide_nothing(void *user_data, ron_capability_t **out) {
    (void)out;
    ((struct provider *)user_data)->asked++;
    return RON_OK;
}

static void released(void *user_data) {
    __atomic_add_fetch(&((struct provider *)user_data)->released, 1, __ATOMIC_SEQ_CST);
}

/* The thread that has asked a provider may be its last owner. */
static void wait_until_released(const struct provider *provider) {
    int round;
    for (round = 0; round < 20000 && __atomic_load_n(&provider->released, __ATOMIC_SEQ_CST) == 0; round++) {
        usleep(1000);
    }
    CHECK(__atomic_load_n(&provider->released, __ATOMIC_SEQ_CST) == 1);
}

static void capabilities(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability(), *other = NULL;
    ron_buffer_t *token = NULL;
    ron_object_t object;
    struct provider provider = {0, 0}, failing = {0, 0};
    char path[] = "/tmp/ron-c-tests-XXXXXX";
    FILE *file;

    CHECK_OK(ron_capability_expose(capability, &token, &error));
    CHECK_OK(ron_capability_from_bytes(ron_buffer_data(token), ron_buffer_len(token), &other, &error));
    ron_buffer_release(token);
    CHECK_OK(ron_edge_head(client, other, "/ron/64k", NULL, &object, &error));
    ron_capability_release(other);

    CHECK_OK(ron_capability_from_text(getenv("RON_SDK_CAPABILITY"), &other, &error));
    CHECK_OK(ron_edge_head(client, other, "/ron/64k", NULL, &object, &error));
    ron_capability_release(other);

    close(mkstemp(path));
    file = fopen(path, "w");
    CHECK(file != NULL && fputs(getenv("RON_SDK_CAPABILITY"), file) >= 0 && fclose(file) == 0);
    CHECK_OK(ron_capability_from_file(path, &other, &error));
    CHECK_OK(ron_edge_head(client, other, "/ron/64k", NULL, &object, &error));
    CHECK_STATUS(RON_CONFIG, ron_capability_expose(other, &token, &error));
    ron_capability_release(other);
    CHECK(remove(path) == 0);

    CHECK_OK(ron_capability_from_provider(provide, &provider, released, &other, &error));
    CHECK_OK(ron_edge_head(client, other, "/ron/64k", NULL, &object, &error));
    CHECK_OK(ron_edge_head(client, other, "/ron/64k", NULL, &object, &error));
    CHECK(provider.asked == 1 && provider.released == 0);
    ron_capability_release(other);
    wait_until_released(&provider);

    CHECK_OK(ron_capability_from_provider(provide_nothing, &failing, released, &other, &error));
    CHECK_STATUS(RON_CAPABILITY_DENIED, ron_edge_head(client, other, "/ron/64k", NULL, &object, &error));
    ron_capability_release(other);
    wait_until_released(&failing);
    CHECK_STATUS(RON_CONFIG, ron_capability_from_provider(NULL, &failing, released, &other, &error));
    CHECK(failing.released == 2);

    CHECK_OK(ron_capability_attenuate(capability, "op=storage.get", &other, &error));
    CHECK_STATUS(RON_CAPABILITY_DENIED, ron_edge_head(client, other, "/ron/64k", NULL, &object, &error));
    ron_capability_release(other);
    CHECK_STATUS(RON_CONFIG, ron_capability_from_text("none!", &other, &error));
    CHECK_STATUS(RON_CONFIG, ron_capability_from_bytes(NULL, 0, &other, &error));
    ron_capability_release(capability);
    ron_client_release(client);
}

static bool at_once(void) {
    return true;
}

static void connecting(void) {
    ron_client_t *client = test_client();
    ron_client_stats_t stats = RON_CLIENT_STATS_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_report_t report = RON_REPORT_INIT;
    int round;

    options.report = &report;
    options.timeout_ms = 20000;
    for (round = 0; round < 2; round++) {
        CHECK_OK(ron_client_connect(client, &options, &error));
        CHECK(report.attempts == 1 && report.executed == RON_EXECUTED_NO && report.replayed == 0);
        CHECK_OK(ron_client_stats(client, &stats, &error));
        CHECK(stats.connections == 1 && stats.open_calls == 0 && stats.open_streams == 0);
    }
    ron_client_release(client);

    client = test_client_with("gateway_addr", "https://127.0.0.1:1");
    options.timeout_ms = 50;
    CHECK_STATUS(RON_TRANSPORT, ron_client_connect(client, &options, &error));
    options.timeout_ms = 0;
    CHECK_STATUS(RON_CONFIG, ron_client_connect(client, &options, &error));
    options.timeout_ms = 20000;
    options.is_interrupted = at_once;
    CHECK_STATUS(RON_CANCELLED, ron_client_connect(client, &options, &error));
    ron_client_release(client);
}

/* What a client knows of itself, and what it finds out. */
static void readiness(void) {
    ron_client_t *client = test_client();
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_readiness_t *ready = NULL;
    ron_status_t status = RON_OK;

    CHECK_OK(ron_client_ready(client, &ready, &error));
    CHECK(!ron_readiness_is_ready(ready));
    CHECK(ron_readiness_check(ready, RON_CHECKED_CONFIG, NULL) == RON_CHECK_OK);
    CHECK(ron_readiness_check(ready, RON_CHECKED_TOR, NULL) == RON_CHECK_NOT_APPLICABLE);
    CHECK(ron_readiness_check(ready, RON_CHECKED_TRANSPORT, NULL) == RON_CHECK_UNKNOWN);
    ron_readiness_release(ready);
    CHECK_OK(ron_client_probe(client, &options, &ready, &error));
    CHECK(ron_readiness_is_ready(ready));
    CHECK(ron_readiness_check(ready, RON_CHECKED_TRANSPORT, &status) == RON_CHECK_OK && status == RON_OK);
    CHECK(ron_readiness_reason(ready, RON_CHECKED_TRANSPORT) == NULL);
    ron_readiness_release(ready);
    CHECK_OK(ron_client_ready(client, &ready, &error));
    CHECK(ron_readiness_is_ready(ready));
    ron_readiness_release(ready);
    options.timeout_ms = 0;
    CHECK_STATUS(RON_CONFIG, ron_client_probe(client, &options, &ready, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_ready(NULL, &ready, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_probe(NULL, NULL, &ready, &error));
    CHECK(ready == NULL && !ron_readiness_is_ready(NULL));
    CHECK(ron_readiness_check(NULL, RON_CHECKED_CONFIG, &status) == RON_CHECK_UNKNOWN && status == RON_OK);
    ron_readiness_release(NULL);
    ron_client_release(client);

    client = test_client_with("gateway_addr", "https://127.0.0.1:1");
    options.timeout_ms = 200;
    CHECK_OK(ron_client_probe(client, &options, &ready, &error));
    CHECK(!ron_readiness_is_ready(ready));
    CHECK(ron_readiness_check(ready, RON_CHECKED_TRANSPORT, &status) == RON_CHECK_FAILED);
    CHECK(status == RON_TRANSPORT && ron_readiness_reason(ready, RON_CHECKED_TRANSPORT) != NULL);
    CHECK(ron_readiness_check(ready, 3, NULL) == RON_CHECK_UNKNOWN && ron_readiness_reason(ready, 3) == NULL);
    ron_readiness_release(ready);
    ron_client_release(client);
    CHECK(strcmp(ron_check_name(RON_CHECKED_CONFIG), "config") == 0);
    CHECK(strcmp(ron_check_name(RON_CHECKED_TOR), "tor") == 0);
    CHECK(strcmp(ron_check_name(RON_CHECKED_TRANSPORT), "transport") == 0 && ron_check_name(3) == NULL);
}

/* The trace of a call: what it has to look like. The gateway's log is looked at elsewhere. */
static void traces(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_queue_t *queue = NULL;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_object_t object;
    uint64_t call = 0;

    options.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    CHECK_OK(ron_edge_head(client, capability, "/ron/64k", &options, &object, &error));
    CHECK_OK(ron_queue_new(&queue, &error));
    CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", &options, queue, NULL, &call, &error));
    ron_result_release(test_completion(queue, call).result);
    options.traceparent = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/ron/64k", &options, &object, &error));
    CHECK_STATUS(RON_CONFIG,
                 ron_edge_head_start(client, capability, "/ron/64k", &options, queue, NULL, &call, &error));
    ron_queue_release(queue);
    ron_capability_release(capability);
    ron_client_release(client);
}

static void closing(void) {
    ron_client_t *client = test_client(), *other;
    ron_capability_t *capability = test_capability();
    ron_client_stats_t stats = RON_CLIENT_STATS_INIT;
    ron_object_t object;
    size_t cut_off = 7;

    CHECK_OK(ron_edge_head(client, capability, "/ron/64k", NULL, &object, &error));
    CHECK_OK(ron_client_connect(client, NULL, &error));
    CHECK_OK(ron_client_stats(client, &stats, &error));
    CHECK(stats.connections == 1 && stats.open_calls == 0);
    other = ron_client_share(client);
    CHECK_OK(ron_client_close(client, 1000, &cut_off, &error));
    CHECK(cut_off == 0);
    CHECK_STATUS(RON_CLOSED, ron_edge_head(client, capability, "/ron/64k", NULL, &object, &error));
    CHECK_STATUS(RON_CLOSED, ron_client_connect(client, NULL, &error));
    ron_client_release(client);
    CHECK_STATUS(RON_CLOSED, ron_edge_head(other, capability, "/ron/64k", NULL, &object, &error));
    CHECK_OK(ron_client_close(other, 0, NULL, &error));
    ron_client_release(other);
    ron_capability_release(capability);
}

const struct test operations[] = {
    {"storage", storage}, {"idempotency", idempotency},   {"edge", edge},       {"mailbox", mailbox},
    {"names", names},     {"capabilities", capabilities}, {"closing", closing},
    {"connecting", connecting}, {"readiness", readiness}, {"traces", traces},   {NULL, NULL},
};
