/*
 * What the boundary adds to a blocking call: the same calls over the same echo, from C and from Rust within the library,
 * in turns. Run by scripts/crossing.sh.
 */
#define _GNU_SOURCE
#include "ron_sdk.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 101
#define CALLS 2000
/* The promise. */
#define MOST_NANOSECONDS 100.0
#define MOST_ALLOCATIONS 1.0

typedef struct ron_echo_t ron_echo_t;
ron_status_t ron_echo_config(ron_config_t *config, ron_error_t **error);
ron_echo_t *ron_echo_new(const char *capability, const void *body, size_t body_len);
uint64_t ron_echo_time(ron_echo_t *echo, bool gets, uint32_t calls);
void ron_echo_release(ron_echo_t *echo);

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

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int compare(const void *one, const void *two)
{
    double a = *(const double *)one, b = *(const double *)two;
    return (a > b) - (a < b);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void check(ron_status_t status, ron_error_t *error)
{
    if (status == RON_OK)
        return;
    fprintf(stderr, "%s\n", error ? ron_error_message(error) : "a call failed");
    exit(1);
}

struct calls {
    ron_client_t *client;
    ron_capability_t *capability;
    const void *body;
    size_t body_len;
    ron_address_t address;
};

static uint64_t in_c(const struct calls *calls, bool gets, uint32_t count)
{
    ron_error_t *error = NULL;
    uint64_t begin = now();
    for (uint32_t index = 0; index < count; index++) {
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

static int measure(const char *token, size_t body_len)
{
    ron_error_t *error = NULL;
    ron_config_t *config = NULL;
    struct calls calls = {0};
    unsigned char *body = calloc(1, body_len);
    ron_echo_t *echo = ron_echo_new(token, body, body_len);
    int failures = 0;

    if (!body || !echo) {
        fprintf(stderr, "no echo\n");
        exit(1);
    }
    calls.body = body;
    calls.body_len = body_len;
    check(ron_config_new(&config, &error), error);
    check(ron_echo_config(config, &error), error);
    check(ron_client_new(config, &calls.client, &error), error);
    check(ron_capability_from_text(token, &calls.capability, &error), error);
    check(ron_storage_put(calls.client, calls.capability, body, body_len, NULL, &calls.address, &error), error);
    for (int gets = 0; gets < 2; gets++) {
        double c[ROUNDS], added[ROUNDS];
        unsigned long before, per_c, per_rust;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t rust_first = round % 2 ? ron_echo_time(echo, gets, CALLS) : 0;
            uint64_t here = in_c(&calls, gets, CALLS);
            uint64_t rust = round % 2 ? rust_first : ron_echo_time(echo, gets, CALLS);
            c[round] = (double)here / CALLS;
            added[round] = ((double)here - (double)rust) / CALLS;
        }
        before = allocations;
        in_c(&calls, gets, CALLS);
        per_c = allocations - before;
        before = allocations;
        ron_echo_time(echo, gets, CALLS);
        per_rust = allocations - before;
        double more = (double)per_c / CALLS - (double)per_rust / CALLS, ns = median(added);
        printf("%s of %zu bytes from C: %.0f ns, %.0f of them beyond Rust; %.2f allocations more\n", gets ? "get" : "put",
               body_len, median(c), ns, more);
        failures += ns > MOST_NANOSECONDS || more > MOST_ALLOCATIONS + 0.01;
    }
    ron_client_release(calls.client);
    ron_capability_release(calls.capability);
    ron_config_release(config);
    ron_echo_release(echo);
    free(body);
    return failures;
}

int main(void)
{
    const char *token = getenv("RON_SDK_CAPABILITY");
    int failures;

    if (!token) {
        fprintf(stderr, "RON_SDK_CAPABILITY has no capability\n");
        return 1;
    }
    failures = measure(token, 64) + measure(token, 65536);
    if (failures)
        printf("%d of 4 are above %.0f ns or %.0f allocation\n", failures, MOST_NANOSECONDS, MOST_ALLOCATIONS);
    return failures > 0;
}
