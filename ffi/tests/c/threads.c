/* Several threads at once, and releases while others are in calls. */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static ron_client_t *client;
static ron_capability_t *capability;
static ron_queue_t *queue;

static void *put_and_get(void *argument) {
    int round;
    for (round = 0; round < 20; round++) {
        int body[2] = {*(int *)argument, round};
        ron_address_t address;
        ron_buffer_t *buffer = NULL;
        CHECK_OK(ron_storage_put(client, capability, body, sizeof body, NULL, &address, &error));
        CHECK_OK(ron_storage_get(client, capability, &address, NULL, &buffer, &error));
        CHECK(ron_buffer_len(buffer) == sizeof body && memcmp(ron_buffer_data(buffer), body, sizeof body) == 0);
        ron_buffer_release(buffer);
    }
    return NULL;
}

static void one_client_for_all(void) {
    pthread_t threads[8];
    int numbers[8], at;
    client = test_client();
    capability = test_capability();
    for (at = 0; at < 8; at++) {
        numbers[at] = at;
        CHECK(pthread_create(&threads[at], NULL, put_and_get, &numbers[at]) == 0);
    }
    for (at = 0; at < 8; at++) {
        CHECK(pthread_join(threads[at], NULL) == 0);
    }
    ron_capability_release(capability);
    ron_client_release(client);
}

static void *receive_slowly(void *argument) {
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_messages_t *messages = NULL;
    (void)argument;
    receive.topic = "c/threads";
    receive.wait_ms = 700;
    CHECK_OK(ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    CHECK(ron_messages_count(messages) == 0);
    ron_messages_release(messages);
    return NULL;
}

static void wait_for_open_calls(uint64_t count) {
    ron_client_stats_t stats = RON_CLIENT_STATS_INIT;
    do {
        usleep(1000);
        CHECK_OK(ron_client_stats(client, &stats, &error));
    } while (stats.open_calls < count || stats.open_streams < count);
}

static void released_during_calls(void) {
    pthread_t threads[4];
    int at;
    client = test_client();
    capability = test_capability();
    for (at = 0; at < 4; at++) {
        CHECK(pthread_create(&threads[at], NULL, receive_slowly, NULL) == 0);
    }
    wait_for_open_calls(4);
    ron_capability_release(capability);
    ron_client_release(client);
    for (at = 0; at < 4; at++) {
        CHECK(pthread_join(threads[at], NULL) == 0);
    }
}

static void *receive_until_closed(void *argument) {
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_messages_t *messages = NULL;
    (void)argument;
    receive.topic = "c/threads";
    receive.wait_ms = 20000;
    options.timeout_ms = 60000;
    CHECK_STATUS(RON_CLOSED, ron_mailbox_receive(client, capability, &receive, &options, &messages, &error));
    return NULL;
}

static void closed_during_a_call(void) {
    pthread_t thread;
    size_t cut_off = 0;
    client = test_client();
    capability = test_capability();
    CHECK(pthread_create(&thread, NULL, receive_until_closed, NULL) == 0);
    wait_for_open_calls(1);
    CHECK_OK(ron_client_close(client, 10, &cut_off, &error));
    CHECK(cut_off == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    ron_capability_release(capability);
    ron_client_release(client);
}

static volatile sig_atomic_t is_stopped;

static void stop(int signal) {
    (void)signal;
    is_stopped = 1;
}

static bool ask(void) {
    return is_stopped != 0;
}

static void interrupted_by_a_signal(void) {
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_messages_t *messages = NULL;
    client = test_client();
    capability = test_capability();
    receive.topic = "c/threads";
    receive.wait_ms = 20000;
    options.timeout_ms = 60000;
    options.is_interrupted = ask;
    CHECK(signal(SIGALRM, stop) != SIG_ERR);
    alarm(1);
    CHECK_STATUS(RON_CANCELLED, ron_mailbox_receive(client, capability, &receive, &options, &messages, &error));
    CHECK(is_stopped);
    ron_capability_release(capability);
    ron_client_release(client);
}

enum { SUBMITTERS = 4, EACH = 100 };

static void *submit(void *argument) {
    int at;
    for (at = 0; at < EACH; at++) {
        uint64_t call = 0;
        CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", NULL, queue, argument, &call, &error));
        if (at % 3 == 0) {
            CHECK_OK(ron_call_cancel(queue, call, NULL, &error));
        }
    }
    return NULL;
}

static void *wait_for_ever(void *argument) {
    bool ready = true;
    (void)argument;
    CHECK_OK(ron_queue_wait(queue, -1, &ready, &error));
    CHECK(!ready);
    return NULL;
}

static void one_queue_for_all(void) {
    pthread_t threads[SUBMITTERS], waiting;
    char marks[SUBMITTERS];
    static bool seen[SUBMITTERS * EACH + 1];
    ron_completion_t done[16];
    size_t total = 0, count, at;
    client = test_client();
    capability = test_capability();
    CHECK_OK(ron_queue_new(&queue, &error));
    for (at = 0; at < SUBMITTERS; at++) {
        CHECK(pthread_create(&threads[at], NULL, submit, &marks[at]) == 0);
    }
    while (total < SUBMITTERS * EACH) {
        CHECK_OK(ron_queue_wait(queue, 20000, NULL, &error));
        CHECK_OK(ron_queue_drain(queue, done, 16, &count, &error));
        for (at = 0; at < count; at++) {
            CHECK(done[at].call >= 1 && done[at].call <= SUBMITTERS * EACH && !seen[done[at].call]);
            seen[done[at].call] = true;
            CHECK(done[at].status == RON_OK || done[at].status == RON_CANCELLED);
            CHECK((char *)done[at].user_data >= marks && (char *)done[at].user_data < marks + SUBMITTERS);
            ron_result_release(done[at].result);
        }
        total += count;
    }
    for (at = 0; at < SUBMITTERS; at++) {
        CHECK(pthread_join(threads[at], NULL) == 0);
    }
    /* Released while a thread waits for it. */
    CHECK(pthread_create(&waiting, NULL, wait_for_ever, NULL) == 0);
    usleep(100000);
    ron_queue_release(queue);
    CHECK(pthread_join(waiting, NULL) == 0);
    ron_capability_release(capability);
    ron_client_release(client);
}

const struct test threads[] = {
    {"one_client_for_all", one_client_for_all},
    {"released_during_calls", released_during_calls},
    {"closed_during_a_call", closed_during_a_call},
    {"interrupted_by_a_signal", interrupted_by_a_signal},
    {"one_queue_for_all", one_queue_for_all},
    {NULL, NULL},
};
