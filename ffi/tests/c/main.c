/* Runs a suite: the program's argument names it. A second argument names one of its tests. */
#include "harness.h"

void check_status(const char *file, int line, const char *call, ron_status_t expected, ron_status_t is,
                  const ron_error_t *error) {
    const char *message = ron_error_message(error);
    if (is != expected || ron_error_status(error) != is || (is == RON_OK) != (error == NULL)) {
        fprintf(stderr, "%s:%d: %s: %s instead of %s: %s\n", file, line, call, ron_status_name(is),
                ron_status_name(expected), message ? message : "no error");
        exit(1);
    }
    if (error != NULL) {
        /* The text names the kind, so that a log line is enough. */
        const char *name = ron_status_name(is);
        if (strlen(message) == 0 ||
            (ron_error_attempts(error) > 0 && strncmp(message, name, strlen(name)) != 0)) {
            fprintf(stderr, "%s:%d: %s: \"%s\" does not begin with %s\n", file, line, call, message, name);
            exit(1);
        }
    }
}

ron_client_t *test_client_with(const char *key, const char *value) {
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    CHECK_OK(ron_config_from_env(&config, &error));
    if (key != NULL) {
        CHECK_OK(ron_config_set(config, key, value, &error));
    }
    CHECK_OK(ron_client_new(config, &client, &error));
    ron_config_release(config);
    return client;
}

ron_client_t *test_client(void) {
    return test_client_with(NULL, NULL);
}

ron_capability_t *test_capability(void) {
    ron_capability_t *capability = NULL;
    CHECK_OK(ron_capability_from_env(&capability, &error));
    return capability;
}

ron_completion_t test_completion(const ron_queue_t *queue, uint64_t call) {
    ron_completion_t completion;
    bool ready = false;
    size_t count = 0;
    CHECK_OK(ron_queue_wait(queue, 20000, &ready, &error));
    CHECK(ready);
    CHECK_OK(ron_queue_drain(queue, &completion, 1, &count, &error));
    CHECK(count == 1);
    CHECK(completion.call == call);
    CHECK(completion.result != NULL);
    CHECK(completion.status == ron_error_status(ron_result_error(completion.result)));
    return completion;
}

static const struct {
    const char *name;
    const struct test *tests;
} suites[] = {
    {"operations", operations}, {"asynchronous", asynchronous}, {"misuse", misuse},   {"settings", settings},
    {"threads", threads},       {"forks", forks},               {"metrics", metrics}, {"errors", errors},
};

int main(int argc, char **argv) {
    size_t suite, ran = 0;
    CHECK_OK(ron_check_abi(RON_ABI_VERSION, &error));
    for (suite = 0; suite < sizeof suites / sizeof *suites; suite++) {
        const struct test *test = suites[suite].tests;
        if (argc > 1 && strcmp(argv[1], suites[suite].name) != 0) {
            continue;
        }
        if (argc == 1 && test == errors) {
            continue; /* each needs a gateway of its own */
        }
        for (; test->name != NULL; test++) {
            if (argc > 2 && strcmp(argv[2], test->name) != 0) {
                continue;
            }
            test->run();
            ran++;
        }
    }
    CHECK(ran > 0);
    printf("%lu tests in C passed\n", (unsigned long)ran);
    return 0;
}
