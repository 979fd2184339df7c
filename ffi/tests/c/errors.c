/* The kinds of errors that a gateway with a fault can be brought to; the others are in the other suites. Each runs
   against a gateway of its own, with the fault that scripts/c_tests.sh gives it. */
#include "harness.h"

/* A get that meets the fault, in both forms, with a client that gives up where nothing comes for `read_ms`. */
static void get_with(const char *read_ms, ron_status_t expected, uint64_t timeout_ms) {
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_capability_t *capability = test_capability();
    ron_queue_t *queue = NULL;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_address_t address;
    ron_buffer_t *buffer = NULL;
    ron_completion_t done;
    uint64_t call = 0;
    int round;

    CHECK_OK(ron_config_from_env(&config, &error));
    CHECK_OK(ron_config_set(config, "backoff.max_attempts", "1", &error));
    CHECK_OK(ron_config_set(config, "timeouts.read_ms", read_ms, &error));
    CHECK_OK(ron_client_new(config, &client, &error));
    ron_config_release(config);
    CHECK_OK(ron_queue_new(&queue, &error));
    CHECK_OK(ron_storage_put(client, capability, "a body", 6, NULL, &address, &error));
    options.timeout_ms = timeout_ms;
    for (round = 0; round < 2; round++) {
        /* Connected before: a gateway that misbehaves at once would do so instead of answering HELLO. */
        CHECK_OK(ron_client_connect(client, NULL, &error));
        CHECK_STATUS(expected, ron_storage_get(client, capability, &address, &options, &buffer, &error));
        CHECK(buffer == NULL);
        CHECK_OK(ron_client_connect_start(client, NULL, queue, NULL, &call, &error));
        ron_result_release(test_completion(queue, call).result);
        CHECK_OK(ron_storage_get_start(client, capability, &address, &options, queue, NULL, &call, &error));
        done = test_completion(queue, call);
        CHECK(done.status == expected);
        CHECK(ron_error_executed(ron_result_error(done.result)) == RON_EXECUTED_NO);
        CHECK(ron_error_attempts(ron_result_error(done.result)) >= 1);
        CHECK(ron_result_take_buffer(done.result) == NULL);
        ron_result_release(done.result);
    }
    ron_queue_release(queue);
    ron_capability_release(capability);
    ron_client_release(client);
}

static void get(ron_status_t expected, uint64_t timeout_ms) {
    get_with("5000", expected, timeout_ms);
}

static void server(void) {
    get(RON_SERVER, 5000);
}
static void schema_violation(void) {
    get(RON_SCHEMA_VIOLATION, 5000);
}
static void integrity_mismatch(void) {
    get(RON_INTEGRITY_MISMATCH, 5000);
}
static void unknown(void) {
    get(RON_UNKNOWN, 5000);
}
static void cancelled(void) {
    get(RON_CANCELLED, 5000);
}
static void oap_violation(void) {
    get(RON_OAP_VIOLATION, 5000);
}
static void transport(void) {
    get(RON_TRANSPORT, 5000);
}
static void capability_expired(void) {
    get(RON_CAPABILITY_EXPIRED, 5000);
}
static void deadline_exceeded(void) {
    get(RON_DEADLINE_EXCEEDED, 200);
}

static void stalled(void) {
    get_with("200", RON_STALLED, 5000);
}

static void rate_limited(void) {
    ron_client_t *client = test_client_with("backoff.max_attempts", "1");
    ron_capability_t *capability = test_capability();
    ron_address_t address;
    ron_buffer_t *buffer = NULL;
    ron_error_t *error = NULL;
    uint64_t after = 0;

    CHECK(ron_storage_put(client, capability, "a body", 6, NULL, &address, &error) == RON_OK && error == NULL);
    CHECK(ron_storage_get(client, capability, &address, NULL, &buffer, &error) == RON_RATE_LIMITED);
    CHECK(ron_error_gateway_status(error) == 429 && ron_error_executed(error) == RON_EXECUTED_NO);
    CHECK(ron_error_retry_after_ms(error, &after) && after == 1234);
    ron_error_release(error);
    ron_capability_release(capability);
    ron_client_release(client);
}

/* A lost answer to a mutation: nobody can say whether it took effect. */
static void executed_unknown(void) {
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_capability_t *capability = test_capability();
    ron_address_t address;
    ron_error_t *error = NULL;

    CHECK(ron_config_from_env(&config, NULL) == RON_OK);
    CHECK(ron_config_set(config, "backoff.max_attempts", "1", NULL) == RON_OK);
    CHECK(ron_client_new(config, &client, NULL) == RON_OK);
    ron_config_release(config);
    CHECK(ron_storage_put(client, capability, "a body", 6, NULL, &address, &error) == RON_SERVER);
    CHECK(ron_error_executed(error) == RON_EXECUTED_UNKNOWN && ron_error_attempts(error) == 1);
    ron_error_release(error);
    ron_capability_release(capability);
    ron_client_release(client);
}

/* The first attempt fails, the second one does not. */
static void retried(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_report_t report = RON_REPORT_INIT;
    ron_address_t address;

    options.report = &report;
    CHECK_OK(ron_storage_put(client, capability, "a body", 6, &options, &address, &error));
    CHECK(report.attempts == 2 && report.replayed == 1);
    ron_capability_release(capability);
    ron_client_release(client);
}

static void tls(void) {
    const char *pin = "sha256:0707070707070707070707070707070707070707070707070707070707070707";
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_capability_t *capability = test_capability();
    ron_object_t object;

    CHECK_OK(ron_config_new(&config, &error));
    CHECK_OK(ron_config_set(config, "gateway_addr", getenv("RON_SDK_GATEWAY_ADDR"), &error));
    CHECK_OK(ron_config_set(config, "tls.pin", pin, &error));
    CHECK_OK(ron_client_new(config, &client, &error));
    ron_config_release(config);
    CHECK_STATUS(RON_TLS, ron_edge_head(client, capability, "/ron/64k", NULL, &object, &error));
    ron_capability_release(capability);
    ron_client_release(client);
}

/* The gateway is there, and Tor is not. */
static void tor_unavailable(void) {
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_capability_t *capability = test_capability();
    ron_object_t object;

    CHECK_OK(ron_config_from_env(&config, &error));
    CHECK_OK(ron_config_set(config, "transport", "tor", &error));
    CHECK_OK(ron_config_set(config, "tor.socks_addr", "127.0.0.1:1", &error));
    CHECK_OK(ron_client_new(config, &client, &error));
    ron_config_release(config);
    CHECK_STATUS(RON_TOR_UNAVAILABLE, ron_edge_head(client, capability, "/ron/64k", NULL, &object, &error));
    ron_capability_release(capability);
    ron_client_release(client);
}

static void busy(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_queue_t *queue = NULL;
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_completion_t done;
    size_t at, count = 0;
    uint64_t call = 0;

    CHECK_OK(ron_queue_new(&queue, &error));
    receive.topic = "c/busy";
    receive.wait_ms = 20000;
    options.timeout_ms = 60000;
    for (at = 0; at < 1024 + 16384; at++) {
        CHECK_OK(ron_mailbox_receive_start(client, capability, &receive, &options, queue, NULL, &call, &error));
    }
    CHECK_OK(ron_mailbox_receive_start(client, capability, &receive, &options, queue, NULL, &call, &error));
    done = test_completion(queue, call);
    CHECK(done.status == RON_BUSY);
    ron_result_release(done.result);
    CHECK_OK(ron_queue_close(queue, &error));
    do {
        CHECK_OK(ron_queue_drain(queue, &done, 1, &count, &error));
        if (count == 1) {
            CHECK(done.status == RON_CANCELLED);
            ron_result_release(done.result);
            at--;
        }
    } while (count == 1);
    CHECK(at == 0);
    ron_queue_release(queue);
    ron_capability_release(capability);
    ron_client_release(client);
}

const struct test errors[] = {
    {"server", server},
    {"schema_violation", schema_violation},
    {"integrity_mismatch", integrity_mismatch},
    {"unknown", unknown},
    {"cancelled", cancelled},
    {"oap_violation", oap_violation},
    {"transport", transport},
    {"capability_expired", capability_expired},
    {"deadline_exceeded", deadline_exceeded},
    {"stalled", stalled},
    {"rate_limited", rate_limited},
    {"executed_unknown", executed_unknown},
    {"retried", retried},
    {"tls", tls},
    {"tor_unavailable", tor_unavailable},
    {"busy", busy},
    {NULL, NULL},
};
