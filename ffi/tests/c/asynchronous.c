/* Every operation in its asynchronous form, and the queue. */
#include "harness.h"

#include <poll.h>
#include <unistd.h>

static ron_client_t *client;
static ron_capability_t *capability;
static ron_queue_t *queue;

static void set_up(void) {
    client = test_client();
    capability = test_capability();
    CHECK_OK(ron_queue_new(&queue, &error));
}

static void tear_down(void) {
    ron_queue_release(queue);
    ron_capability_release(capability);
    ron_client_release(client);
}

/* Starts a call and waits for its completion, which must be a success. */
#define FINISH(into, start)                                                               \
    do {                                                                                  \
        uint64_t call = 0;                                                                \
        CHECK_OK(start);                                                                  \
        into = test_completion(queue, call);                                              \
        if (into.status != RON_OK) {                                                      \
            fprintf(stderr, "%s\n", ron_error_message(ron_result_error(into.result)));    \
        }                                                                                 \
        CHECK(into.status == RON_OK);                                                     \
        CHECK(into.user_data == &client);                                                 \
    } while (0)

static void every_operation(void) {
    ron_completion_t done;
    ron_address_t address, other;
    ron_object_t object;
    ron_part_t part;
    ron_range_t range = {1, 2};
    ron_buffer_t *buffer;
    ron_receipt_t receipt;
    ron_messages_t *messages;
    ron_capability_t *narrow = NULL;
    ron_lease_t *lease;
    ron_mail_t mail = RON_MAIL_INIT;
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_report_t report = RON_REPORT_INIT;

    set_up();
    FINISH(done, ron_storage_put_start(client, capability, "asynchronous", 12, NULL, queue, &client, &call, &error));
    CHECK(ron_result_address(done.result, &address));
    CHECK_OK(ron_address_of("asynchronous", 12, &other, &error));
    CHECK(memcmp(&address, &other, sizeof address) == 0);
    CHECK(ron_result_report(done.result, &report) && report.attempts == 1 && report.executed == RON_EXECUTED_YES);
    /* What a result has not is not found in it. */
    CHECK(!ron_result_object(done.result, &object) && !ron_result_part(done.result, &part));
    CHECK(ron_result_take_buffer(done.result) == NULL && ron_result_take_messages(done.result) == NULL);
    CHECK(!ron_result_receipt(done.result, &receipt) && ron_result_take_error(done.result) == NULL);
    ron_result_release(done.result);

    FINISH(done, ron_client_connect_start(client, NULL, queue, &client, &call, &error));
    CHECK(ron_result_report(done.result, &report) && report.attempts == 1);
    CHECK(!ron_result_address(done.result, &other) && ron_result_take_buffer(done.result) == NULL);
    ron_result_release(done.result);

    FINISH(done, ron_storage_get_start(client, capability, &address, NULL, queue, &client, &call, &error));
    buffer = ron_result_take_buffer(done.result);
    ron_result_release(done.result);
    CHECK(ron_buffer_len(buffer) == 12 && memcmp(ron_buffer_data(buffer), "asynchronous", 12) == 0);
    ron_buffer_release(buffer);

    FINISH(done, ron_storage_get_range_start(client, capability, &address, &range, NULL, queue, &client, &call, &error));
    CHECK(ron_result_part(done.result, &part) && part.range.last == 2 && part.size == 12);
    buffer = ron_result_take_buffer(done.result);
    CHECK(ron_buffer_len(buffer) == 2 && memcmp(ron_buffer_data(buffer), "sy", 2) == 0);
    ron_buffer_release(buffer);
    ron_result_release(done.result);

    FINISH(done, ron_storage_head_start(client, capability, &address, NULL, queue, &client, &call, &error));
    CHECK(ron_result_object(done.result, &object) && object.size == 12);
    ron_result_release(done.result);

    FINISH(done, ron_edge_get_start(client, capability, "/ron/64k", NULL, NULL, queue, &client, &call, &error));
    buffer = ron_result_take_buffer(done.result);
    CHECK(ron_buffer_len(buffer) == 65536);
    ron_buffer_release(buffer);
    ron_result_release(done.result);

    FINISH(done, ron_edge_head_start(client, capability, "/ron/64k", NULL, queue, &client, &call, &error));
    CHECK(ron_result_object(done.result, &object) && object.size == 65536);
    ron_result_release(done.result);

    mail.topic = receive.topic = "c/asynchronous";
    mail.body = "queued";
    mail.body_len = 6;
    FINISH(done, ron_mailbox_send_start(client, capability, &mail, NULL, queue, &client, &call, &error));
    CHECK(ron_result_receipt(done.result, &receipt) && strlen(receipt.id) > 0);
    ron_result_release(done.result);

    FINISH(done, ron_mailbox_receive_start(client, capability, &receive, NULL, queue, &client, &call, &error));
    messages = ron_result_take_messages(done.result);
    CHECK(ron_messages_count(messages) == 1 && ron_result_take_messages(done.result) == NULL);
    ron_result_release(done.result);
    lease = ron_lease_share(ron_message_lease(ron_messages_at(messages, 0)));
    ron_messages_release(messages);
    FINISH(done, ron_mailbox_extend_start(client, capability, lease, 1000, NULL, queue, &client, &call, &error));
    ron_result_release(done.result);
    FINISH(done, ron_mailbox_nack_start(client, capability, lease, 0, NULL, queue, &client, &call, &error));
    ron_result_release(done.result);
    ron_lease_release(lease);

    CHECK_OK(ron_capability_attenuate(capability, "topic=c/asynchronous", &narrow, &error));
    FINISH(done, ron_mailbox_recv_start(client, narrow, NULL, queue, &client, &call, &error));
    messages = ron_result_take_messages(done.result);
    CHECK(ron_messages_count(messages) == 1);
    ron_result_release(done.result);
    lease = ron_lease_share(ron_message_lease(ron_messages_at(messages, 0)));
    ron_messages_release(messages);
    ron_capability_release(narrow);
    FINISH(done, ron_mailbox_ack_start(client, capability, lease, NULL, queue, &client, &call, &error));
    ron_result_release(done.result);
    ron_lease_release(lease);

    FINISH(done, ron_index_publish_start(client, capability, "c.asynchronous", &address, RON_EXPECTED_NOTHING, NULL, NULL,
                                         queue, &client, &call, &error));
    ron_result_release(done.result);
    FINISH(done, ron_index_resolve_start(client, capability, "c.asynchronous", NULL, queue, &client, &call, &error));
    CHECK(ron_result_address(done.result, &other) && memcmp(&address, &other, sizeof address) == 0);
    ron_result_release(done.result);
    tear_down();
}

static void a_failure_is_a_completion(void) {
    ron_address_t address;
    ron_completion_t done;
    ron_error_t *taken;
    uint64_t call;

    set_up();
    CHECK_OK(ron_address_of("never stored by C", 17, &address, &error));
    CHECK_OK(ron_storage_get_start(client, capability, &address, NULL, queue, NULL, &call, &error));
    done = test_completion(queue, call);
    CHECK(done.status == RON_NOT_FOUND);
    CHECK(ron_error_gateway_status(ron_result_error(done.result)) == 404);
    taken = ron_result_take_error(done.result);
    ron_result_release(done.result);
    CHECK(ron_error_status(taken) == RON_NOT_FOUND && ron_error_attempts(taken) == 1);
    CHECK(ron_error_executed(taken) == RON_EXECUTED_NO && !ron_error_retry_after_ms(taken, NULL));
    ron_error_release(taken);
    tear_down();
}

/* A call that stays open: it waits for a message that does not come. */
static uint64_t start_waiting(const char *topic) {
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    uint64_t call = 0;
    receive.topic = topic;
    receive.wait_ms = 20000;
    options.timeout_ms = 60000;
    CHECK_OK(ron_mailbox_receive_start(client, capability, &receive, &options, queue, NULL, &call, &error));
    return call;
}

static void cancelling(void) {
    ron_completion_t done;
    uint64_t call;
    bool was_open = false;
    size_t count = 7;

    set_up();
    call = start_waiting("c/cancelling");
    CHECK(ron_queue_open_calls(queue) == 1);
    CHECK_OK(ron_call_cancel(queue, call, &was_open, &error));
    CHECK(was_open);
    done = test_completion(queue, call);
    CHECK(done.status == RON_CANCELLED);
    ron_result_release(done.result);
    CHECK_OK(ron_call_cancel(queue, call, &was_open, &error));
    CHECK(!was_open);
    CHECK_OK(ron_call_cancel(queue, 123456, &was_open, &error));
    CHECK(!was_open);
    CHECK_OK(ron_queue_drain(queue, &done, 1, &count, &error));
    CHECK(count == 0 && ron_queue_open_calls(queue) == 0);
    tear_down();
}

static bool is_readable(int descriptor, int timeout) {
    struct pollfd polled = {descriptor, POLLIN, 0};
    return poll(&polled, 1, timeout) == 1;
}

static void the_descriptor(void) {
    ron_completion_t done[3];
    size_t count = 0, total = 0, at;
    int descriptor;

    set_up();
    descriptor = ron_queue_fd(queue);
    CHECK(descriptor >= 0 && !is_readable(descriptor, 0));
    for (at = 0; at < 10; at++) {
        CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", NULL, queue, &total, NULL, &error));
    }
    while (total < 10) {
        CHECK(is_readable(descriptor, 20000));
        CHECK_OK(ron_queue_drain(queue, done, 3, &count, &error));
        CHECK(count <= 3);
        for (at = 0; at < count; at++) {
            CHECK(done[at].user_data == &total && done[at].status == RON_OK);
            ron_result_release(done[at].result);
        }
        total += count;
    }
    CHECK(!is_readable(descriptor, 0));
    tear_down();
}

static int called;

static void count_call(const ron_completion_t *completion) {
    ron_object_t object;
    CHECK(completion->status == RON_OK && completion->user_data == &called);
    CHECK(ron_result_object(completion->result, &object) && object.size == 65536);
    called++;
}

static void release_the_queue(const ron_completion_t *completion) {
    CHECK(completion->status == RON_OK);
    called++;
    ron_queue_release(queue);
    queue = NULL;
}

static void callbacks(void) {
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    size_t count, total = 0, at;

    set_up();
    options.callback = count_call;
    called = 0;
    for (at = 0; at < 5; at++) {
        CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", &options, queue, &called, NULL, &error));
    }
    /* One without a callback is released unseen. */
    CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", NULL, queue, &called, NULL, &error));
    while (total < 6) {
        CHECK_OK(ron_queue_wait(queue, -1, NULL, &error));
        CHECK_OK(ron_queue_dispatch(queue, 4, &count, &error));
        CHECK(count <= 4);
        total += count;
    }
    CHECK(called == 5);
    /* A callback may release the queue that it is called from. */
    options.callback = release_the_queue;
    CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", &options, queue, NULL, NULL, &error));
    CHECK_OK(ron_queue_wait(queue, -1, NULL, &error));
    CHECK_OK(ron_queue_dispatch(queue, 64, NULL, &error));
    CHECK(called == 6 && queue == NULL);
    tear_down();
}

static void give_back(void *data) {
    /* The body is its own bytes' last user: what is freed here is not touched any more, as the sanitizer sees. */
    free(data);
    __atomic_add_fetch(&called, 1, __ATOMIC_SEQ_CST);
}

static void bodies(void) {
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_mail_t mail = RON_MAIL_INIT;
    ron_completion_t done;
    ron_address_t address, expected;
    const size_t len = 300000;
    char *body;
    uint64_t call;
    int round;

    set_up();
    called = 0;
    /* Taken over, and given back at the completion at the latest. */
    body = malloc(len);
    CHECK(body != NULL);
    memset(body, 'b', len);
    CHECK_OK(ron_address_of(body, len, &expected, &error));
    options.body_release = give_back;
    options.body_release_data = body;
    CHECK_OK(ron_storage_put_start(client, capability, body, len, &options, queue, NULL, &call, &error));
    done = test_completion(queue, call);
    CHECK(__atomic_load_n(&called, __ATOMIC_SEQ_CST) == 1);
    CHECK(done.status == RON_OK && ron_result_address(done.result, &address));
    CHECK(memcmp(&address, &expected, sizeof address) == 0);
    ron_result_release(done.result);
    /* Also where no call is started. */
    options.body_release_data = malloc(1);
    CHECK_STATUS(RON_CONFIG, ron_storage_put_start(NULL, capability, options.body_release_data, 1, &options, queue, NULL,
                                                   NULL, &error));
    CHECK(called == 2);
    options.body_release_data = malloc(1);
    CHECK_STATUS(RON_CONFIG, ron_mailbox_send_start(client, capability, NULL, &options, queue, NULL, NULL, &error));
    CHECK(called == 3);
    options.body_release_data = malloc(1);
    mail.topic = "NOT A TOPIC";
    CHECK_STATUS(RON_SCHEMA_VIOLATION,
                 ron_mailbox_send_start(client, capability, &mail, &options, queue, NULL, NULL, &error));
    CHECK(called == 4);
    /* Borrowed: free as soon as its completion is there, however it ends. */
    options.body_release = NULL;
    for (round = 0; round < 50; round++) {
        body = malloc(len);
        CHECK(body != NULL);
        memset(body, round, len);
        CHECK_OK(ron_storage_put_start(client, capability, body, len, &options, queue, NULL, &call, &error));
        if (round % 2 == 0) {
            CHECK_OK(ron_call_cancel(queue, call, NULL, &error));
        }
        done = test_completion(queue, call);
        memset(body, 0, len);
        free(body);
        CHECK(done.status == RON_OK || (done.status == RON_CANCELLED && round % 2 == 0));
        ron_result_release(done.result);
    }
    /* And as soon as the queue is released. */
    body = malloc(len);
    CHECK(body != NULL);
    memset(body, 'q', len);
    CHECK_OK(ron_storage_put_start(client, capability, body, len, &options, queue, NULL, &call, &error));
    ron_queue_release(queue);
    free(body);
    queue = NULL;
    tear_down();
}

static void closing_a_queue(void) {
    ron_completion_t done[8];
    size_t count = 0, at;

    set_up();
    for (at = 0; at < 5; at++) {
        start_waiting("c/closing");
    }
    CHECK_OK(ron_queue_close(queue, &error));
    CHECK(ron_queue_open_calls(queue) == 0);
    CHECK_STATUS(RON_CLOSED,
                 ron_edge_head_start(client, capability, "/ron/64k", NULL, queue, NULL, NULL, &error));
    CHECK_OK(ron_queue_drain(queue, done, 8, &count, &error));
    CHECK(count == 5);
    for (at = 0; at < count; at++) {
        CHECK(done[at].status == RON_CANCELLED);
        ron_result_release(done[at].result);
    }
    tear_down();
}

static void closing_a_client(void) {
    ron_completion_t done;
    uint64_t call;
    size_t cut_off = 0;

    set_up();
    call = start_waiting("c/closing-client");
    CHECK_OK(ron_client_close(client, 0, &cut_off, &error));
    CHECK(cut_off == 1);
    done = test_completion(queue, call);
    CHECK(done.status == RON_CLOSED);
    ron_result_release(done.result);
    tear_down();
}

static void releasing_a_client(void) {
    ron_completion_t done;
    ron_capability_t *other = capability;
    uint64_t call;

    set_up();
    other = capability;
    CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", NULL, queue, NULL, &call, &error));
    ron_client_release(client);
    ron_capability_release(other);
    done = test_completion(queue, call);
    CHECK(done.status == RON_OK);
    ron_result_release(done.result);
    /* Completions that nobody takes are released with their queue. */
    client = test_client();
    capability = test_capability();
    CHECK_OK(ron_edge_get_start(client, capability, "/ron/64k", NULL, NULL, queue, NULL, NULL, &error));
    CHECK_OK(ron_queue_wait(queue, -1, NULL, &error));
    tear_down();
}

const struct test asynchronous[] = {
    {"every_operation", every_operation},
    {"a_failure_is_a_completion", a_failure_is_a_completion},
    {"cancelling", cancelling},
    {"the_descriptor", the_descriptor},
    {"callbacks", callbacks},
    {"bodies", bodies},
    {"closing_a_queue", closing_a_queue},
    {"closing_a_client", closing_a_client},
    {"releasing_a_client", releasing_a_client},
    {NULL, NULL},
};
