/* A table of tests and what they check with. A check that fails ends the process: what follows it would mislead. */
#ifndef HARNESS_H
#define HARNESS_H

#include <ron_sdk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
};

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* That a call ended so, and that its error says the same. Releases the error. */
#define CHECK_STATUS(expected, call)                                                      \
    do {                                                                                  \
        ron_error_t *error = NULL;                                                        \
        ron_status_t is_ = (call);                                                        \
        check_status(__FILE__, __LINE__, #call, (expected), is_, error);                  \
        ron_error_release(error);                                                         \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(RON_OK, call)

void check_status(const char *file, int line, const char *call, ron_status_t expected, ron_status_t is,
                  const ron_error_t *error);

/* The client and the capability that the gateway of this run is for. */
ron_client_t *test_client(void);
ron_client_t *test_client_with(const char *key, const char *value);
ron_capability_t *test_capability(void);

/* Waits for one completion, which must be that of this call. */
ron_completion_t test_completion(const ron_queue_t *queue, uint64_t call);

extern const struct test operations[], asynchronous[], misuse[], settings[], threads[], forks[], metrics[], errors[];

#endif
