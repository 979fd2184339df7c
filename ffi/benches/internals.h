/* What a library that was built with the feature `internals` has besides, and what the benches share. */
#ifndef INTERNALS_H
#define INTERNALS_H

#include "ron_sdk.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The same calls of the Rust interface, made within the library. */
typedef struct ron_rust_t ron_rust_t;

ron_status_t ron_echo_config(ron_config_t *config, ron_error_t **error);
ron_rust_t *ron_rust_new(const ron_config_t *config, const char *capability, const void *body, size_t body_len);
bool ron_rust_time(const ron_rust_t *calls, bool gets, bool together, size_t count, uint64_t *times);
void ron_rust_release(ron_rust_t *calls);
void ron_watch_sealing(void);
bool ron_sealed_in_place(const void *body, size_t body_len);

static inline uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline void check(ron_status_t status, ron_error_t *error)
{
    if (status == RON_OK)
        return;
    fprintf(stderr, "%s\n", error ? ron_error_message(error) : "a call failed");
    exit(1);
}

/* For what is not a call of the SDK. */
static inline void require(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static inline int ascending(const void *one, const void *two)
{
    double a = *(const double *)one, b = *(const double *)two;
    return (a > b) - (a < b);
}

static inline double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

static inline const char *capability_text(void)
{
    const char *text = getenv("RON_SDK_CAPABILITY");
    require(text != NULL, "RON_SDK_CAPABILITY has no capability");
    return text;
}

#endif
