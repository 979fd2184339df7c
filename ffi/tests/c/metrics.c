/* What clients count, as text and as numbers. */
#include "harness.h"

/* The sum of the samples with this name and, where it is not NULL, this value of the label. */
static double total(const ron_metrics_t *metrics, const char *name, const char *label, const char *value) {
    ron_samples_t *samples = NULL;
    double sum = 0;
    size_t at;

    CHECK_OK(ron_metrics_snapshot(metrics, &samples, &error));
    for (at = 0; at < ron_samples_count(samples); at++) {
        const ron_sample_t *sample = ron_samples_at(samples, at);
        const char *is = label == NULL ? NULL : ron_sample_label(sample, label);
        if (strcmp(ron_sample_name(sample), name) == 0 && (label == NULL || (is != NULL && strcmp(is, value) == 0))) {
            sum += ron_sample_value(sample);
        }
    }
    CHECK(ron_samples_at(samples, at) == NULL);
    ron_samples_release(samples);
    return sum;
}

/* Whether a text, which has no NUL at its end, has this line. */
static bool has_line(const ron_buffer_t *text, const char *line) {
    const size_t len = ron_buffer_len(text), wanted = strlen(line);
    const char *data = ron_buffer_data(text);
    size_t at;
    for (at = 0; at + wanted < len; at++) {
        if ((at == 0 || data[at - 1] == '\n') && memcmp(data + at, line, wanted) == 0 && data[at + wanted] == '\n') {
            return true;
        }
    }
    return false;
}

static void of_one_client(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_queue_t *queue = NULL;
    ron_metrics_t *metrics = NULL;
    ron_samples_t *samples = NULL;
    ron_buffer_t *buffer = NULL;
    ron_address_t address;
    uint64_t call = 0;

    CHECK_OK(ron_client_metrics(client, &metrics, &error));
    CHECK(total(metrics, "sdk_requests_total", NULL, NULL) == 0);
    CHECK_OK(ron_storage_put(client, capability, "hello", 5, NULL, &address, &error));
    CHECK_OK(ron_storage_get(client, capability, &address, NULL, &buffer, &error));
    ron_buffer_release(buffer);
    /* Both forms are counted together. */
    CHECK_OK(ron_queue_new(&queue, &error));
    CHECK_OK(ron_storage_get_start(client, capability, &address, NULL, queue, NULL, &call, &error));
    ron_result_release(test_completion(queue, call).result);
    ron_queue_release(queue);
    ron_client_release(client);

    CHECK(total(metrics, "sdk_requests_total", "endpoint", "storage.put") == 1);
    CHECK(total(metrics, "sdk_requests_total", "endpoint", "storage.get") == 2);
    CHECK(total(metrics, "sdk_requests_total", "outcome", "ok") == 3);
    CHECK(total(metrics, "sdk_request_latency_seconds_count", NULL, NULL) == 3);
    CHECK(total(metrics, "sdk_request_latency_seconds_sum", NULL, NULL) > 0);
    CHECK(total(metrics, "sdk_inflight_requests", NULL, NULL) == 0);
    CHECK(total(metrics, "sdk_storage_get_bytes_total", NULL, NULL) == 10);

    CHECK_OK(ron_metrics_text(metrics, &buffer, &error));
    CHECK(has_line(buffer, "sdk_requests_total{endpoint=\"storage.get\",outcome=\"ok\",code=\"200\"} 2"));
    CHECK(has_line(buffer, "# TYPE sdk_request_latency_seconds histogram"));
    CHECK(has_line(buffer, "sdk_storage_put_bytes_total 5"));
    CHECK(has_line(buffer, "# EOF"));
    ron_buffer_release(buffer);
    CHECK(strncmp(ron_metrics_content_type(), "application/openmetrics-text;", 29) == 0);

    CHECK_OK(ron_metrics_snapshot(metrics, &samples, &error));
    {
        const ron_sample_t *first = ron_samples_at(samples, 0);
        CHECK(ron_sample_label_count(first) == 3);
        CHECK(strcmp(ron_sample_label_name(first, 0), "endpoint") == 0);
        CHECK(ron_sample_label_name(first, 3) == NULL);
        CHECK(ron_sample_label(first, "colour") == NULL);
    }
    ron_samples_release(samples);
    ron_metrics_release(metrics);
    ron_capability_release(capability);
}

static void shared(void) {
    ron_config_t *config = NULL;
    ron_metrics_t *metrics = NULL, *same = NULL;
    ron_client_t *clients[2] = {NULL, NULL};
    ron_capability_t *capability = test_capability();
    ron_object_t object;
    size_t at;

    CHECK_OK(ron_metrics_new(&metrics, &error));
    CHECK_OK(ron_config_from_env(&config, &error));
    for (at = 0; at < 2; at++) {
        CHECK_OK(ron_client_new_with_metrics(config, metrics, &clients[at], &error));
        CHECK_OK(ron_edge_head(clients[at], capability, "/ron/64k", NULL, &object, &error));
        CHECK_STATUS(RON_NOT_FOUND, ron_edge_head(clients[at], capability, "/no", NULL, &object, &error));
    }
    CHECK_OK(ron_client_metrics(clients[0], &same, &error));
    CHECK(total(metrics, "sdk_requests_total", "outcome", "ok") == 2);
    CHECK(total(same, "sdk_requests_total", "outcome", "NotFound") == 2);
    ron_metrics_release(same);
    same = ron_metrics_share(metrics);
    ron_metrics_release(metrics);
    CHECK(total(same, "sdk_requests_total", "code", "404") == 2);
    ron_metrics_release(same);
    for (at = 0; at < 2; at++) {
        ron_client_release(clients[at]);
    }
    ron_config_release(config);
    ron_capability_release(capability);
}

static void without_any(void) {
    ron_metrics_t *metrics = NULL;
    ron_samples_t *samples = NULL;
    ron_buffer_t *buffer = NULL;
    ron_client_t *client = NULL;

    CHECK_STATUS(RON_CONFIG, ron_metrics_new(NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_metrics(NULL, &metrics, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_new_with_metrics(NULL, NULL, &client, &error));
    CHECK_STATUS(RON_CONFIG, ron_metrics_text(NULL, &buffer, &error));
    CHECK_STATUS(RON_CONFIG, ron_metrics_snapshot(NULL, &samples, &error));
    CHECK(metrics == NULL && samples == NULL && buffer == NULL && client == NULL);
    CHECK(ron_metrics_share(NULL) == NULL);
    ron_metrics_release(NULL);
    ron_samples_release(NULL);
    CHECK(ron_samples_count(NULL) == 0 && ron_samples_at(NULL, 0) == NULL);
    CHECK(ron_sample_name(NULL) == NULL && ron_sample_value(NULL) == 0);
    CHECK(ron_sample_label_count(NULL) == 0 && ron_sample_label_name(NULL, 0) == NULL);
    CHECK(ron_sample_label(NULL, "endpoint") == NULL);
}

const struct test metrics[] = {
    {"of one client", of_one_client},
    {"shared", shared},
    {"without any", without_any},
    {NULL, NULL},
};
