/*
 * What the boundary adds to a blocking call: the same calls over the same echo, from C and from Rust within the library,
 * in turns. And that no byte of a body is copied on its way to TLS. Run by scripts/crossing.sh.
 */
#define _GNU_SOURCE
#include "internals.h"

#include <dlfcn.h>
#include <string.h>

#define ROUNDS 101
#define CALLS 2000
/* The promise. */
#define MOST_NANOSECONDS 100.0
#define MOST_ALLOCATIONS 1.0

static unsigned long allocations;

/* Every allocation of the process, those of the library included. */
void *malloc(size_t size)
{
    static void *(*next)(size_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "malloc");
    allocations++;
    return next(size);
}

struct calls {
    ron_client_t *client;
    ron_capability_t *capability;
    const void *body;
    size_t body_len;
    ron_address_t address;
    ron_rust_t *rust;
};

static uint64_t in_c(const struct calls *calls, bool gets)
{
    ron_error_t *error = NULL;
    uint64_t begin = now();
    for (uint32_t index = 0; index < CALLS; index++) {
        ron_report_t report = RON_REPORT_INIT;
        ron_call_options_t options = RON_CALL_OPTIONS_INIT;
        options.report = &report;
        if (gets) {
            ron_buffer_t *buffer = NULL;
            check(ron_storage_get(calls->client, calls->capability, &calls->address, &options, &buffer, &error), error);
            ron_buffer_release(buffer);
        } else {
            ron_address_t address;
            check(ron_storage_put(calls->client, calls->capability, calls->body, calls->body_len, &options, &address, &error),
                  error);
        }
    }
    return now() - begin;
}

static uint64_t in_rust(const struct calls *calls, bool gets)
{
    uint64_t time;
    require(ron_rust_time(calls->rust, gets, true, CALLS, &time), "a call from Rust failed");
    return time;
}

/* What both forms of a put seal is the caller's own memory. */
static void nothing_is_copied(const struct calls *calls)
{
    ron_error_t *error = NULL;
    ron_queue_t *queue = NULL;
    ron_completion_t done;
    ron_address_t address;
    uint64_t call;
    size_t count = 0;

    ron_watch_sealing();
    check(ron_storage_put(calls->client, calls->capability, calls->body, calls->body_len, NULL, &address, &error), error);
    require(ron_sealed_in_place(calls->body, calls->body_len), "a blocking put has copied its body");

    check(ron_queue_new(&queue, &error), error);
    ron_watch_sealing();
    check(ron_storage_put_start(calls->client, calls->capability, calls->body, calls->body_len, NULL, queue, NULL, &call,
                                &error),
          error);
    while (count == 0) {
        check(ron_queue_wait(queue, -1, NULL, &error), error);
        check(ron_queue_drain(queue, &done, 1, &count, &error), error);
    }
    check(done.status, NULL);
    require(ron_sealed_in_place(calls->body, calls->body_len), "an asynchronous put has copied its body");
    ron_result_release(done.result);
    ron_queue_release(queue);
    printf("put of %zu bytes from C, blocking and asynchronous: sealed where the caller has them\n", calls->body_len);
}

static int measure(const char *token, size_t body_len)
{
    ron_error_t *error = NULL;
    ron_config_t *config = NULL;
    struct calls calls = {0};
    unsigned char *body = calloc(1, body_len);
    int failures = 0;

    require(body != NULL, "no memory");
    calls.body = body;
    calls.body_len = body_len;
    check(ron_config_new(&config, &error), error);
    check(ron_echo_config(config, &error), error);
    check(ron_client_new(config, &calls.client, &error), error);
    check(ron_capability_from_text(token, &calls.capability, &error), error);
    check(ron_storage_put(calls.client, calls.capability, body, body_len, NULL, &calls.address, &error), error);
    calls.rust = ron_rust_new(config, token, body, body_len);
    require(calls.rust != NULL, "no calls from Rust");
    nothing_is_copied(&calls);
    for (int gets = 0; gets < 2; gets++) {
        double c[ROUNDS], added[ROUNDS];
        unsigned long before, per_c, per_rust;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t rust_first = round % 2 ? in_rust(&calls, gets) : 0;
            uint64_t here = in_c(&calls, gets);
            uint64_t rust = round % 2 ? rust_first : in_rust(&calls, gets);
            c[round] = (double)here / CALLS;
            added[round] = ((double)here - (double)rust) / CALLS;
        }
        before = allocations;
        in_c(&calls, gets);
        per_c = allocations - before;
        before = allocations;
        in_rust(&calls, gets);
        per_rust = allocations - before;
        double more = (double)per_c / CALLS - (double)per_rust / CALLS, ns = median(added, ROUNDS);
        printf("%s of %zu bytes from C: %.0f ns, %.0f of them beyond Rust; %.2f allocations more\n", gets ? "get" : "put",
               body_len, median(c, ROUNDS), ns, more);
        failures += ns > MOST_NANOSECONDS || more > MOST_ALLOCATIONS + 0.01;
    }
    ron_rust_release(calls.rust);
    ron_client_release(calls.client);
    ron_capability_release(calls.capability);
    ron_config_release(config);
    free(body);
    return failures;
}

int main(void)
{
    const char *token = capability_text();
    int failures = measure(token, 64) + measure(token, 65536);

    if (failures)
        printf("%d of 4 are above %.0f ns or %.0f allocation\n", failures, MOST_NANOSECONDS, MOST_ALLOCATIONS);
    return failures > 0;
}
