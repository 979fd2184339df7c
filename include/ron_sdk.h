/*
 * ron_sdk.h: libron_sdk, the C interface of ron-app-sdk.
 *
 * Generated from ffi/ of ron-app-sdk; a test compares the two. Licensed under Apache-2.0 or MIT, at your option.
 *
 * Statuses. A function that can fail returns a ron_status_t, RON_OK or the kind of its error. Its last parameter, `error`,
 * may be NULL. Otherwise a failure puts a new ron_error_t there, which the caller releases, and a success puts NULL; what
 * was there before is overwritten without being looked at. No state is kept per thread. A function that fails has no
 * result: what it was to put has been set to NULL or 0, unless its description says otherwise.
 *
 * Ownership. What a function puts into an `out` or returns without const is the caller's, who releases it with the
 * _release function of its type, once. Releasing NULL is allowed and does nothing. What is returned with const belongs
 * to the handle that was asked, and is valid as long as that. Arguments are borrowed until the function returns, and are
 * copied where an asynchronous call needs them for longer, except bodies: see ron_call_options_t.body_release.
 *
 * Texts are UTF-8 with a NUL at their end. Bytes are a pointer and a length; (NULL, 0) is no bytes. A NULL where there may
 * be none, a text that is not UTF-8 and a length that cannot be are RON_CONFIG, before anything is done.
 *
 * Threads. Each type says whether threads may share it. A client, a capability or a queue may be released while other
 * threads are in calls with it: those hold it until they return. A call that begins after the handle was released has
 * undefined behaviour, as with free(): threads that need a client for longer have a handle of their own from
 * ron_client_share().
 *
 * Calls. Every operation has two forms. The blocking one makes the call on the calling thread, which itself waits for the
 * socket. The asynchronous one, with _start at its end, sends the request from the calling thread and returns; a
 * ron_queue_t has the completion. Both leave signals alone. No function may be called from a signal handler.
 *
 * Closing. After ron_client_close(), calls return RON_CLOSED; after ron_queue_close(), starts do.
 *
 * Forks. In a child of fork(), calls with the parent's clients, queues and providers return RON_FORK_DETECTED, and
 * whatever is called, nothing of the parent's is disturbed. The child may release its copies of handles, and make new
 * ones. Its copies of asynchronous calls have no completions.
 *
 * Panics and exceptions. No panic leaves the library: it would be RON_INTERNAL. Functions that the library is given must
 * not throw, nor leave with longjmp().
 *
 * Versions. Structs that begin with struct_size are set up with their initialiser macro, and may grow; all others keep
 * their size. Numbers are appended, never changed. ron_check_abi() says whether header and library fit.
 */

#ifndef RON_SDK_H
#define RON_SDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The defaults of ron_call_options_t. */
#define RON_CALL_OPTIONS_INIT {sizeof(ron_call_options_t), RON_TIMEOUT_DEFAULT, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/** An empty ron_report_t. */
#define RON_REPORT_INIT {sizeof(ron_report_t), 0, 0, 0, 0, 0}

/** An empty ron_client_stats_t. */
#define RON_CLIENT_STATS_INIT {sizeof(ron_client_stats_t), 0, 0, 0, 0, 0, 0, 0}

/** A ron_mail_t without topic, body and attributes. */
#define RON_MAIL_INIT {sizeof(ron_mail_t), NULL, NULL, 0, NULL, 0}

/** A ron_receive_t without a topic: one message, for 30 s, without waiting. */
#define RON_RECEIVE_INIT {sizeof(ron_receive_t), NULL, 30000, 0, 1, 0}

/**
 * The version of the interface that the header describes: its major number times 65,536, plus its minor number. The
 * major number is at the end of the shared library's soname.
 */
#define RON_ABI_VERSION 3

/**
 * The bytes of an address as a text, its NUL included: "b3:" and 64 hexadecimal digits.
 */
#define RON_ADDRESS_TEXT_SIZE 68

/**
 * As a limit: the client's `overall_timeout_ms`.
 */
#define RON_TIMEOUT_DEFAULT UINT64_MAX

/**
 * The bytes of a message's id as a text, its NUL included.
 */
#define RON_ID_SIZE 129

/**
 * Bytes that the SDK has received, where it has received them: nothing is copied. Released with
 * ron_buffer_release(). It does not change: threads may read it at once. It outlives its client.
 */
typedef struct ron_buffer_t ron_buffer_t;

/**
 * What a caller may do: a token, or a provider of tokens. Calls take it by reference; released with
 * ron_capability_release(). Threads may share it. A token can be used in a child of a fork, a provider cannot.
 */
typedef struct ron_capability_t ron_capability_t;

/**
 * A client of one gateway: it has the connections. Made with ron_client_new(), released with ron_client_release().
 * Threads may share it, and make calls of both forms at once; the two forms have connections of their own. After a fork,
 * the child's calls with it fail as RON_FORK_DETECTED; the child may release it, and makes a new one.
 */
typedef struct ron_client_t ron_client_t;

/**
 * The settings of a client, by name and text. Released with ron_config_release(). One thread at a time may use it;
 * clients copy what they need of it.
 */
typedef struct ron_config_t ron_config_t;

/**
 * Why a function failed. Made by functions that fail where they are given room for it, released with
 * ron_error_release(). It does not change: threads may read it at once. It is the caller's own also in a child of
 * a fork.
 */
typedef struct ron_error_t ron_error_t;

/**
 * The right to acknowledge, give back or keep one delivery of a message. It is found in a message, as long as its batch
 * is there, or made with ron_lease_share() or ron_lease_new() and then released with ron_lease_release(). It does not
 * change: threads may use it at once.
 */
typedef struct ron_lease_t ron_lease_t;

/**
 * A message that was received. It comes again unless its lease is acknowledged in time. It is its batch's, and valid
 * as long as that.
 */
typedef struct ron_message_t ron_message_t;

/**
 * Messages that were received together. Released with ron_messages_release(). They do not change: threads may read
 * them at once.
 */
typedef struct ron_messages_t ron_messages_t;

/**
 * The counters of one client, or of several: each client has its own unless it is made by
 * ron_client_new_with_metrics(). There are none for the whole process. Released with ron_metrics_release(); threads
 * may share it. It outlives its clients.
 */
typedef struct ron_metrics_t ron_metrics_t;

/**
 * Asynchronous calls that are on their way, and the completions of those that have ended: exactly one for each call that
 * was started, whether it succeeds, fails, is cancelled, or its client is closed or released. Made with ron_queue_new(),
 * released with ron_queue_release(). Make one per event loop. Threads may share it. Calls of several
 * clients may use one queue. After a fork, the child's uses of it fail as RON_FORK_DETECTED; it may release it.
 */
typedef struct ron_queue_t ron_queue_t;

/**
 * What is known of a client, check by check. Released with ron_readiness_release(). It does not change: threads may read
 * it at once.
 */
typedef struct ron_readiness_t ron_readiness_t;

/**
 * What came of an asynchronous call: a value, or an error. Released with ron_result_release(). One thread at a time may
 * use it. It outlives its queue and its client.
 */
typedef struct ron_result_t ron_result_t;

/**
 * One number, with its name and labels. It is its samples', and valid as long as those.
 */
typedef struct ron_sample_t ron_sample_t;

/**
 * All numbers of a ron_metrics_t at a moment. Released with ron_samples_release(). They do not change: threads may read
 * them at once.
 */
typedef struct ron_samples_t ron_samples_t;

/**
 * What came of a function: RON_OK, or the kind of its error. A later version of the library may have further
 * numbers; none is ever given another meaning.
 */
typedef uint32_t ron_status_t;

/**
 * The address of an object: the BLAKE3 hash of its bytes. A plain value, to be copied and compared with memcmp().
 */
typedef struct ron_address_t {
    /**
     * The hash.
     */
    uint8_t digest[32];
} ron_address_t;

/**
 * Hands out a capability that has not expired: puts a new handle into `out`, which the SDK then releases, and returns
 * RON_OK; or returns any other status, with which the calls that wait fail as RON_CAPABILITY_DENIED.
 * It runs on a thread that is made for it, one at a time; it may take its time, and use the SDK. It must not
 * throw, and must put a token, not another provider.
 */
typedef ron_status_t (*ron_capability_provider_t)(void *user_data,
                                                  struct ron_capability_t **out);

/**
 * Called once, from any thread, when something that was handed over is needed no more. It must not throw, and must
 * not wait for anything that the SDK does.
 */
typedef void (*ron_release_t)(void *data);

/**
 * Whether something took effect at the gateway: RON_EXECUTED_NO, _YES or _UNKNOWN.
 */
typedef uint32_t ron_executed_t;

/**
 * How a call went that succeeded. Begin with RON_REPORT_INIT.
 */
typedef struct ron_report_t {
    /**
     * sizeof(ron_report_t)
     */
    size_t struct_size;
    /**
     * How many attempts it took, from 1; 0 where the cache had the result.
     */
    uint32_t attempts;
    /**
     * Whether it changed something at the gateway.
     */
    ron_executed_t executed;
    /**
     * 1 where the gateway returned the recorded result of an earlier attempt, else 0.
     */
    uint32_t replayed;
    /**
     * Has no meaning yet.
     */
    uint32_t reserved;
    /**
     * From the call to its result, in nanoseconds.
     */
    uint64_t elapsed_ns;
} ron_report_t;

/**
 * What came of a call. A plain value of this size in every version of the interface; `result` has the rest.
 */
typedef struct ron_completion_t {
    /**
     * The call's number, as it was put when it was started.
     */
    uint64_t call;
    /**
     * What it was started with.
     */
    void *user_data;
    /**
     * RON_OK, or why it failed.
     */
    ron_status_t status;
    /**
     * Has no meaning yet.
     */
    uint32_t reserved;
    /**
     * The value or the error: never NULL, released with ron_result_release() by whoever has drained it.
     */
    struct ron_result_t *result;
} ron_completion_t;

/**
 * Called by ron_queue_dispatch(), in its thread, with a completion whose result is released afterwards. It may use
 * the queue, also to start calls or to release it. It must not throw.
 */
typedef void (*ron_callback_t)(const struct ron_completion_t *completion);

/**
 * How a call is made. Begin with RON_CALL_OPTIONS_INIT; NULL stands for that too.
 */
typedef struct ron_call_options_t {
    /**
     * sizeof(ron_call_options_t)
     */
    size_t struct_size;
    /**
     * The limit of the whole call, 1 ms to 1 h, or RON_TIMEOUT_DEFAULT. 0 is refused: no time that is left is no call.
     */
    uint64_t timeout_ms;
    /**
     * The key of a put, send or publish, 1 to 64 characters of A-Z a-z 0-9 . _ : ~ -; NULL for a fresh one. Use it for
     * one logical mutation only. Other operations take no key.
     */
    const char *idempotency_key;
    /**
     * Blocking calls only: where to put how the call went, if it succeeds; NULL for nowhere. Begin with
     * RON_REPORT_INIT.
     */
    struct ron_report_t *report;
    /**
     * Blocking calls only: asked every 100 ms and whenever a signal has interrupted the thread; where it returns true,
     * the call ends as RON_CANCELLED. NULL for never.
     */
    bool (*is_interrupted)(void);
    /**
     * Asynchronous calls only: what ron_queue_dispatch() calls with the completion; NULL for nothing.
     */
    ron_callback_t callback;
    /**
     * Asynchronous put and send only: where it is not NULL, the call takes the body over and gives it back by
     * calling this, once, from any thread, at the completion at the latest; also where the call could not be started.
     * Where it is NULL, the body is borrowed: it must stay as it is until the call's completion has been taken or the
     * queue released, and a call that could not be started does not touch it any more.
     */
    ron_release_t body_release;
    /**
     * What body_release is called with.
     */
    void *body_release_data;
    /**
     * The trace that the call is part of, as W3C Trace Context has it: "00-", 32, "-", 16, "-" and 2 lower-case hexadecimal
     * digits. The gateway learns it with each attempt, unless `tracing.enabled` is off. NULL for none.
     */
    const char *traceparent;
} ron_call_options_t;

/**
 * What a client has at the moment. Begin with RON_CLIENT_STATS_INIT. When no call is open and the gateway has
 * answered what was cancelled, all of it is 0 but the connections and what the cache has.
 */
typedef struct ron_client_stats_t {
    /**
     * sizeof(ron_client_stats_t)
     */
    size_t struct_size;
    /**
     * Calls that have not returned, those included that wait for a slot or for their next attempt.
     */
    uint64_t open_calls;
    /**
     * Connections to the gateway.
     */
    uint64_t connections;
    /**
     * Calls that wait for a slot on a connection.
     */
    uint64_t waiting_calls;
    /**
     * Requests whose answer has not ended, cancelled ones included.
     */
    uint64_t open_streams;
    /**
     * Sealed bytes that no socket has taken yet.
     */
    uint64_t unsent_bytes;
    /**
     * Objects in the cache.
     */
    uint64_t cached_objects;
    /**
     * Their bytes.
     */
    uint64_t cached_bytes;
} ron_client_stats_t;

/**
 * Bytes `first` to `last` of an object, both included, counted from 0.
 */
typedef struct ron_range_t {
    /**
     * The first byte.
     */
    uint64_t first;
    /**
     * The last byte.
     */
    uint64_t last;
} ron_range_t;

/**
 * What a gateway knows of an object without sending it. A plain value.
 */
typedef struct ron_object_t {
    /**
     * The address of its bytes.
     */
    struct ron_address_t address;
    /**
     * Its size in bytes.
     */
    uint64_t size;
} ron_object_t;

/**
 * What a publish expects a name to stand for before it: RON_EXPECTED_ANYTHING, _NOTHING or _ADDRESS.
 */
typedef uint32_t ron_expected_t;

/**
 * An attribute of a message: a name of 1 to 64 characters of a-z 0-9 . _ -, and a value of at most 1,024 bytes of UTF-8
 * without control characters. A plain value of this size in every version of the interface.
 */
typedef struct ron_attribute_t {
    /**
     * The name.
     */
    const char *name;
    /**
     * The value.
     */
    const char *value;
} ron_attribute_t;

/**
 * A message to be sent. Begin with RON_MAIL_INIT.
 */
typedef struct ron_mail_t {
    /**
     * sizeof(ron_mail_t)
     */
    size_t struct_size;
    /**
     * Where it goes: 1 to 123 characters of a-z 0-9 . _ / -.
     */
    const char *topic;
    /**
     * At most 1,015,808 bytes; NULL where there are none.
     */
    const void *body;
    /**
     * How many.
     */
    size_t body_len;
    /**
     * At most 16, with 4,096 bytes of names and values in all; NULL where there are none.
     */
    const struct ron_attribute_t *attributes;
    /**
     * How many.
     */
    size_t attributes_len;
} ron_mail_t;

/**
 * What a gateway says of a message that it has taken. A plain value.
 */
typedef struct ron_receipt_t {
    /**
     * The message's id, with a NUL at its end.
     */
    char id[RON_ID_SIZE];
    /**
     * 1 where the message had been taken before under the same idempotency key, else 0.
     */
    uint8_t duplicate;
} ron_receipt_t;

/**
 * What to receive. Begin with RON_RECEIVE_INIT.
 */
typedef struct ron_receive_t {
    /**
     * sizeof(ron_receive_t)
     */
    size_t struct_size;
    /**
     * From where.
     */
    const char *topic;
    /**
     * For how long nobody else gets the messages, 250 ms to 12 h. RON_RECEIVE_INIT: 30 s.
     */
    uint64_t visibility_ms;
    /**
     * How long to wait for a first message where there is none, up to 20 s and to what the call's limit leaves.
     */
    uint64_t wait_ms;
    /**
     * At most so many messages, 1 to 64. RON_RECEIVE_INIT: 1.
     */
    uint32_t max;
    /**
     * Has no meaning yet; 0.
     */
    uint32_t reserved;
} ron_receive_t;

/**
 * Why a message is in a dead-letter topic: one of RON_DEAD_*. A later version may have further numbers.
 */
typedef uint32_t ron_dead_reason_t;

/**
 * What came of a check: one of RON_CHECK_*. A later version may have further numbers.
 */
typedef uint32_t ron_check_t;

/**
 * Which check: one of RON_CHECKED_*, in their order. Where one has failed, nothing is known of those behind it.
 */
typedef uint32_t ron_checked_t;

/**
 * Which part of which object ron_storage_get_range() has fetched. A plain value.
 */
typedef struct ron_part_t {
    /**
     * The requested range, clipped to the object's end.
     */
    struct ron_range_t range;
    /**
     * The whole object's size in bytes.
     */
    uint64_t size;
} ron_part_t;

/**
 * It certainly did not.
 */
#define RON_EXECUTED_NO 0

/**
 * It certainly did.
 */
#define RON_EXECUTED_YES 1

/**
 * Nobody can say.
 */
#define RON_EXECUTED_UNKNOWN 2

/**
 * Whatever it stands for.
 */
#define RON_EXPECTED_ANYTHING 0

/**
 * For nothing yet.
 */
#define RON_EXPECTED_NOTHING 1

/**
 * For the address that is given.
 */
#define RON_EXPECTED_ADDRESS 2

/**
 * It is in none.
 */
#define RON_DEAD_NOT 0

/**
 * It was delivered as often as a message may be, and never acknowledged.
 */
#define RON_DEAD_TOO_MANY_DELIVERIES 1

/**
 * For a reason that this library does not know.
 */
#define RON_DEAD_OTHERWISE 2

/**
 * It has not come to that yet.
 */
#define RON_CHECK_UNKNOWN 0

/**
 * All is well.
 */
#define RON_CHECK_OK 1

/**
 * It is not.
 */
#define RON_CHECK_FAILED 2

/**
 * There is nothing to be checked.
 */
#define RON_CHECK_NOT_APPLICABLE 3

/**
 * The settings, and the files that they name.
 */
#define RON_CHECKED_CONFIG 0

/**
 * Tor, where the transport is that.
 */
#define RON_CHECKED_TOR 1

/**
 * A connection to the gateway that has answered HELLO.
 */
#define RON_CHECKED_TRANSPORT 2

/**
 * It succeeded.
 */
#define RON_OK 0

/**
 * The call's time ran out.
 */
#define RON_DEADLINE_EXCEEDED 1

/**
 * The gateway could not be reached, or the connection was lost.
 */
#define RON_TRANSPORT 2

/**
 * TLS failed: certificate, name, version or ALPN.
 */
#define RON_TLS 3

/**
 * The Tor proxy could not be used.
 */
#define RON_TOR_UNAVAILABLE 4

/**
 * The peer broke the OAP/1 protocol.
 */
#define RON_OAP_VIOLATION 5

/**
 * The capability's time is over.
 */
#define RON_CAPABILITY_EXPIRED 6

/**
 * The capability is missing, malformed or does not allow the call.
 */
#define RON_CAPABILITY_DENIED 7

/**
 * A request or a reply is not what its schema says.
 */
#define RON_SCHEMA_VIOLATION 8

/**
 * No such object, path or name.
 */
#define RON_NOT_FOUND 9

/**
 * The call contradicts the state at the gateway.
 */
#define RON_CONFLICT 10

/**
 * Above a rate or a quota.
 */
#define RON_RATE_LIMITED 11

/**
 * A fault of the gateway.
 */
#define RON_SERVER 12

/**
 * A setting or an argument is at fault: a NULL where there may be none, a text that is not UTF-8, a length or a
 * struct_size that cannot be.
 */
#define RON_CONFIG 13

/**
 * The call was cancelled.
 */
#define RON_CANCELLED 14

/**
 * The bytes are not those of their address.
 */
#define RON_INTEGRITY_MISMATCH 15

/**
 * Longer than one envelope, or than the buffer that is to take it.
 */
#define RON_TOO_LARGE 16

/**
 * The range starts past the object's end.
 */
#define RON_RANGE_NOT_SATISFIABLE 17

/**
 * The lease is no longer the message's own.
 */
#define RON_STALE_LEASE 18

/**
 * Too many calls at once in this client or queue.
 */
#define RON_BUSY 19

/**
 * No byte moved for too long.
 */
#define RON_STALLED 20

/**
 * The client or the queue has been closed.
 */
#define RON_CLOSED 21

/**
 * The handle belongs to the parent of this forked process.
 */
#define RON_FORK_DETECTED 22

/**
 * A fault of the SDK.
 */
#define RON_INTERNAL 23

/**
 * A status that the protocol does not define.
 */
#define RON_UNKNOWN 24

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the interface that the library has.
 */
uint32_t ron_abi_version(void);

/**
 * The version of the library, such as "0.1.0". Never NULL; it is valid for ever.
 */
const char *ron_version(void);

/**
 * Whether a program that was compiled with a header of this version can use the library: RON_OK where the major numbers
 * are the same and the library's minor number is not below the header's, RON_CONFIG where not. Give it
 * RON_ABI_VERSION, once, before anything else.
 */
ron_status_t ron_check_abi(uint32_t header_version,
                           struct ron_error_t **error);

/**
 * Hashes bytes.
 */
ron_status_t ron_address_of(const void *data,
                            size_t len,
                            struct ron_address_t *out,
                            struct ron_error_t **error);

/**
 * Reads an address from its text, "b3:" and 64 hexadecimal digits in lower case.
 */
ron_status_t ron_address_parse(const char *address,
                               struct ron_address_t *out,
                               struct ron_error_t **error);

/**
 * Writes an address as a text with a NUL at its end into `out`, which has room for RON_ADDRESS_TEXT_SIZE bytes.
 */
ron_status_t ron_address_format(const struct ron_address_t *address,
                                char *out,
                                size_t out_size,
                                struct ron_error_t **error);

/**
 * The bytes, valid until the buffer is released. Not NULL, also where there are none; NULL for NULL.
 */
const void *ron_buffer_data(const struct ron_buffer_t *buffer);

/**
 * How many bytes there are; 0 for NULL.
 */
size_t ron_buffer_len(const struct ron_buffer_t *buffer);

/**
 * Another handle of the same bytes, to be released too; nothing is copied. NULL for NULL.
 */
struct ron_buffer_t *ron_buffer_share(const struct ron_buffer_t *buffer);

/**
 * Releases a buffer. NULL is allowed.
 */
void ron_buffer_release(struct ron_buffer_t *buffer);

/**
 * A capability from a token as base64url, with or without padding. RON_CONFIG where it is none.
 */
ron_status_t ron_capability_from_text(const char *token,
                                      struct ron_capability_t **out,
                                      struct ron_error_t **error);

/**
 * A capability from the bytes of a token, which are copied. RON_CONFIG where they are none.
 */
ron_status_t ron_capability_from_bytes(const void *token,
                                       size_t token_len,
                                       struct ron_capability_t **out,
                                       struct ron_error_t **error);

/**
 * The capability in the environment variable RON_SDK_CAPABILITY, as base64url.
 */
ron_status_t ron_capability_from_env(struct ron_capability_t **out,
                                     struct ron_error_t **error);

/**
 * A provider that reads the file at `path`, which holds a token as base64url, when the first call needs it, and again
 * when a gateway says that the token has expired. Whether the file can be read is seen by calls.
 */
ron_status_t ron_capability_from_file(const char *path,
                                      struct ron_capability_t **out,
                                      struct ron_error_t **error);

/**
 * A capability whose tokens come from `provider`, which is asked by the first call, and again when a gateway says that
 * the token has expired. `release`, which may be NULL, is called with `user_data` once, when nobody can ask any
 * more; also where this function fails.
 */
ron_status_t ron_capability_from_provider(ron_capability_provider_t provider,
                                          void *user_data,
                                          ron_release_t release,
                                          struct ron_capability_t **out,
                                          struct ron_error_t **error);

/**
 * The same capability, narrowed by a caveat such as "op=storage.get", without asking anybody. RON_CONFIG for a
 * provider, and where the caveat is empty or the token would grow above 64 caveats or 8 KiB.
 */
ron_status_t ron_capability_attenuate(const struct ron_capability_t *capability,
                                      const char *caveat,
                                      struct ron_capability_t **out,
                                      struct ron_error_t **error);

/**
 * The bytes of the token, to hand it on. They are a secret: keep them out of logs. RON_CONFIG for a provider.
 */
ron_status_t ron_capability_expose(const struct ron_capability_t *capability,
                                   struct ron_buffer_t **out,
                                   struct ron_error_t **error);

/**
 * Releases a capability. NULL is allowed. Calls that are made with it go on, also those of other threads.
 */
void ron_capability_release(struct ron_capability_t *capability);

/**
 * A client with these settings, which stay the caller's; NULL for the defaults. Nothing is read or connected before
 * the first call. RON_CONFIG where a setting is out of its range.
 */
ron_status_t ron_client_new(const struct ron_config_t *config,
                            struct ron_client_t **out,
                            struct ron_error_t **error);

/**
 * ron_client_new() with counters of the caller's, which stay the caller's; clients that share them are counted together.
 */
ron_status_t ron_client_new_with_metrics(const struct ron_config_t *config,
                                         const struct ron_metrics_t *metrics,
                                         struct ron_client_t **out,
                                         struct ron_error_t **error);

/**
 * Opens a connection to the gateway and waits for its answer to HELLO; where one is open already, it does no I/O. Calls
 * connect by themselves: this is for a program that wants to know early whether the gateway is there, whatever its
 * capabilities allow. It is tried again as a read is, within the options' limit; of the options, `timeout_ms`, `report` and
 * `is_interrupted` count. RON_TRANSPORT, RON_TLS, RON_OAP_VIOLATION where something else answers, RON_DEADLINE_EXCEEDED.
 */
ron_status_t ron_client_connect(const struct ron_client_t *client,
                                const struct ron_call_options_t *options,
                                struct ron_error_t **error);

/**
 * ron_client_connect() as an asynchronous call, for the connections of such calls; the rest is as with
 * ron_storage_put_start(). Its completion has no value.
 */
ron_status_t ron_client_connect_start(const struct ron_client_t *client,
                                      const struct ron_call_options_t *options,
                                      const struct ron_queue_t *queue,
                                      void *user_data,
                                      uint64_t *call,
                                      struct ron_error_t **error);

/**
 * Closes a client: it takes no more calls (RON_CLOSED), waits for up to `limit_ms` for those that are open, in both
 * forms and in all threads, and ends those that are open then as RON_CLOSED. Puts into `cut_off`, which may be NULL, how
 * many that were. The handle stays valid, and is still to be released. A client need not be closed.
 */
ron_status_t ron_client_close(const struct ron_client_t *client,
                              uint64_t limit_ms,
                              size_t *cut_off,
                              struct ron_error_t **error);

/**
 * What a client has at the moment, both forms together.
 */
ron_status_t ron_client_stats(const struct ron_client_t *client,
                              struct ron_client_stats_t *out,
                              struct ron_error_t **error);

/**
 * Another handle of the same client, to be released too: for a thread that is to have its own. NULL for NULL.
 */
struct ron_client_t *ron_client_share(const struct ron_client_t *client);

/**
 * Releases a client, without waiting. NULL is allowed. Calls that other threads have begun by then, and asynchronous ones
 * that are open, go on to their end as if nothing had happened; the connections end with the last of them.
 * To end them, close the client first. Like any handle, it must not be used by a call that begins afterwards.
 */
void ron_client_release(struct ron_client_t *client);

/**
 * The default settings.
 */
ron_status_t ron_config_new(struct ron_config_t **out,
                            struct ron_error_t **error);

/**
 * The default settings with what the environment sets: RON_SDK_GATEWAY_ADDR, RON_SDK_TLS_CA,
 * RON_SDK_OVERALL_TIMEOUT_MS and so on, one variable for each setting, and RON_SDK_CONFIG for a file that counts where no
 * variable does. RON_CONFIG names the variable, or the place in the file, where one is not what it should be.
 */
ron_status_t ron_config_from_env(struct ron_config_t **out,
                                 struct ron_error_t **error);

/**
 * What the environment sets, before what a file in TOML sets, before the defaults. RON_CONFIG with the file and the line
 * where something is wrong with it, and where it cannot be read.
 */
ron_status_t ron_config_from_file(const char *path,
                                  struct ron_config_t **out,
                                  struct ron_error_t **error);

/**
 * Sets one setting by its name from a text: ron_config_set(config, "timeouts.connect_ms", "500", &error).
 * "transport" comes first, since its own defaults of "overall_timeout_ms" and "timeouts.connect_ms" replace those of the
 * transport before. RON_CONFIG where there is no such setting, and where it cannot have such a value: then it keeps the one that it has.
 */
ron_status_t ron_config_set(struct ron_config_t *config,
                            const char *key,
                            const char *value,
                            struct ron_error_t **error);

/**
 * The text that sets what a setting is: of no bytes where it is not set. RON_CONFIG where there is no such setting.
 */
ron_status_t ron_config_get(const struct ron_config_t *config,
                            const char *key,
                            struct ron_buffer_t **out,
                            struct ron_error_t **error);

/**
 * The name of the setting with this index, counted from 0; NULL past the last one. Valid for ever.
 */
const char *ron_config_key(size_t index);

/**
 * Releases settings. NULL is allowed. Clients that were made with them stay as they are.
 */
void ron_config_release(struct ron_config_t *config);

/**
 * Fetches the object at a path into a buffer that the caller releases: whole where `range` is NULL, else as much of the
 * range as the object has. A path is UTF-8, begins with "/" and has at most 1,024 bytes. RON_NOT_FOUND,
 * RON_RANGE_NOT_SATISFIABLE, RON_TOO_LARGE above 1,015,808 bytes, and whatever can befall any call.
 */
ron_status_t ron_edge_get(const struct ron_client_t *client,
                          const struct ron_capability_t *capability,
                          const char *path,
                          const struct ron_range_t *range,
                          const struct ron_call_options_t *options,
                          struct ron_buffer_t **out,
                          struct ron_error_t **error);

/**
 * Fetches the object at a path as ron_edge_get() does, and copies it into the caller's `buffer` as
 * ron_storage_get_into() does.
 */
ron_status_t ron_edge_get_into(const struct ron_client_t *client,
                               const struct ron_capability_t *capability,
                               const char *path,
                               const struct ron_range_t *range,
                               const struct ron_call_options_t *options,
                               void *buffer,
                               size_t capacity,
                               size_t *len,
                               struct ron_error_t **error);

/**
 * ron_edge_get() as an asynchronous call; the rest is as with ron_storage_put_start(). The path is copied. Its completion
 * has a buffer.
 */
ron_status_t ron_edge_get_start(const struct ron_client_t *client,
                                const struct ron_capability_t *capability,
                                const char *path,
                                const struct ron_range_t *range,
                                const struct ron_call_options_t *options,
                                const struct ron_queue_t *queue,
                                void *user_data,
                                uint64_t *call,
                                struct ron_error_t **error);

/**
 * Asks for the size and address of the object at a path. RON_NOT_FOUND, and whatever can befall any call.
 */
ron_status_t ron_edge_head(const struct ron_client_t *client,
                           const struct ron_capability_t *capability,
                           const char *path,
                           const struct ron_call_options_t *options,
                           struct ron_object_t *out,
                           struct ron_error_t **error);

/**
 * ron_edge_head() as an asynchronous call; the rest is as with ron_storage_put_start(). The path is copied. Its
 * completion has an object.
 */
ron_status_t ron_edge_head_start(const struct ron_client_t *client,
                                 const struct ron_capability_t *capability,
                                 const char *path,
                                 const struct ron_call_options_t *options,
                                 const struct ron_queue_t *queue,
                                 void *user_data,
                                 uint64_t *call,
                                 struct ron_error_t **error);

/**
 * The error's kind, which is what the function returned; RON_OK for NULL.
 */
ron_status_t ron_error_status(const struct ron_error_t *error);

/**
 * Whether the call took effect all the same.
 */
ron_executed_t ron_error_executed(const struct ron_error_t *error);

/**
 * How many attempts were made; 0 where the call failed before any I/O.
 */
uint32_t ron_error_attempts(const struct ron_error_t *error);

/**
 * The status code of the gateway's answer, 100 to 999; 0 where it did not answer.
 */
uint16_t ron_error_gateway_status(const struct ron_error_t *error);

/**
 * Puts the milliseconds after which the gateway suggests to try again, and returns true; returns false where it
 * suggests nothing. `out` may be NULL.
 */
bool ron_error_retry_after_ms(const struct ron_error_t *error,
                              uint64_t *out);

/**
 * A sentence for people: the kind, what was wrong with which field, and what to check. It has no secrets in it, and
 * is not for programs to read. Valid until the error is released; NULL for NULL.
 */
const char *ron_error_message(const struct ron_error_t *error);

/**
 * Releases an error. NULL is allowed.
 */
void ron_error_release(struct ron_error_t *error);

/**
 * The address that a name stands for. A name has 1 to 253 characters of a-z 0-9 . _ -, without a dot at its beginning or
 * end. RON_NOT_FOUND where it stands for nothing, and whatever can befall any call.
 */
ron_status_t ron_index_resolve(const struct ron_client_t *client,
                               const struct ron_capability_t *capability,
                               const char *name,
                               const struct ron_call_options_t *options,
                               struct ron_address_t *out,
                               struct ron_error_t **error);

/**
 * ron_index_resolve() as an asynchronous call; the rest is as with ron_storage_put_start(). The name is copied. Its
 * completion has an address.
 */
ron_status_t ron_index_resolve_start(const struct ron_client_t *client,
                                     const struct ron_capability_t *capability,
                                     const char *name,
                                     const struct ron_call_options_t *options,
                                     const struct ron_queue_t *queue,
                                     void *user_data,
                                     uint64_t *call,
                                     struct ron_error_t **error);

/**
 * Lets a name stand for an address: in any case with RON_EXPECTED_ANYTHING; with the others only where it stands for
 * that so far. `expected_address` may be NULL unless it is expected. RON_CONFLICT where the name stands for something
 * else, or another publish was made under the idempotency key; and whatever can befall any call.
 */
ron_status_t ron_index_publish(const struct ron_client_t *client,
                               const struct ron_capability_t *capability,
                               const char *name,
                               const struct ron_address_t *address,
                               ron_expected_t expected,
                               const struct ron_address_t *expected_address,
                               const struct ron_call_options_t *options,
                               struct ron_error_t **error);

/**
 * ron_index_publish() as an asynchronous call; the rest is as with ron_storage_put_start(). The name is copied. Its
 * completion has no value.
 */
ron_status_t ron_index_publish_start(const struct ron_client_t *client,
                                     const struct ron_capability_t *capability,
                                     const char *name,
                                     const struct ron_address_t *address,
                                     ron_expected_t expected,
                                     const struct ron_address_t *expected_address,
                                     const struct ron_call_options_t *options,
                                     const struct ron_queue_t *queue,
                                     void *user_data,
                                     uint64_t *call,
                                     struct ron_error_t **error);

/**
 * The lease with this token, of the message with this id in this topic, as another process had them.
 */
ron_status_t ron_lease_new(const char *topic,
                           const char *id,
                           const char *token,
                           struct ron_lease_t **out,
                           struct ron_error_t **error);

/**
 * A lease of the caller's own that is the same. NULL for NULL.
 */
struct ron_lease_t *ron_lease_share(const struct ron_lease_t *lease);

/**
 * The topic of the message, valid as long as the lease; NULL for NULL.
 */
const char *ron_lease_topic(const struct ron_lease_t *lease);

/**
 * The id of the message, valid as long as the lease; NULL for NULL.
 */
const char *ron_lease_id(const struct ron_lease_t *lease);

/**
 * The token, valid as long as the lease; NULL for NULL. It is a secret: keep it out of logs.
 */
const char *ron_lease_token(const struct ron_lease_t *lease);

/**
 * Releases a lease of the caller's own. NULL is allowed.
 */
void ron_lease_release(struct ron_lease_t *lease);

/**
 * Sends a message. It is delivered at least once. Under a key that was used before nothing is sent: the first message's
 * receipt comes again, marked as a duplicate. Puts the receipt into `out`, which may be NULL. The body is borrowed
 * until this returns. RON_TOO_LARGE for a body above 1,015,808 bytes, RON_SCHEMA_VIOLATION for a topic or an attribute that
 * breaks its rule, RON_CONFLICT where another message was sent under the key, and whatever can befall any call.
 */
ron_status_t ron_mailbox_send(const struct ron_client_t *client,
                              const struct ron_capability_t *capability,
                              const struct ron_mail_t *mail,
                              const struct ron_call_options_t *options,
                              struct ron_receipt_t *out,
                              struct ron_error_t **error);

/**
 * ron_mailbox_send() as an asynchronous call; the rest is as with ron_storage_put_start(). All of the mail but its body
 * is copied; see ron_call_options_t.body_release for whose the body is. Its completion has a receipt.
 */
ron_status_t ron_mailbox_send_start(const struct ron_client_t *client,
                                    const struct ron_capability_t *capability,
                                    const struct ron_mail_t *mail,
                                    const struct ron_call_options_t *options,
                                    const struct ron_queue_t *queue,
                                    void *user_data,
                                    uint64_t *call,
                                    struct ron_error_t **error);

/**
 * Receives messages that nobody else has, the oldest first, as many as there are and fit one answer; none where there is
 * none in time. Puts them into `out`, also where there are none; the caller releases them. Each comes again
 * after its visibility unless it is acknowledged. RON_SCHEMA_VIOLATION where a field is out of its range, and
 * whatever can befall any call.
 */
ron_status_t ron_mailbox_receive(const struct ron_client_t *client,
                                 const struct ron_capability_t *capability,
                                 const struct ron_receive_t *receive,
                                 const struct ron_call_options_t *options,
                                 struct ron_messages_t **out,
                                 struct ron_error_t **error);

/**
 * ron_mailbox_receive() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has
 * messages.
 */
ron_status_t ron_mailbox_receive_start(const struct ron_client_t *client,
                                       const struct ron_capability_t *capability,
                                       const struct ron_receive_t *receive,
                                       const struct ron_call_options_t *options,
                                       const struct ron_queue_t *queue,
                                       void *user_data,
                                       uint64_t *call,
                                       struct ron_error_t **error);

/**
 * Receives up to 16 messages from the one topic that the capability is for (its caveat "topic="), for 30 s, and waits for
 * a first one for as long as the call's limit allows, at most 20 s. RON_CONFIG where the capability is not for a
 * single topic, and whatever can befall any call.
 */
ron_status_t ron_mailbox_recv(const struct ron_client_t *client,
                              const struct ron_capability_t *capability,
                              const struct ron_call_options_t *options,
                              struct ron_messages_t **out,
                              struct ron_error_t **error);

/**
 * ron_mailbox_recv() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has messages.
 */
ron_status_t ron_mailbox_recv_start(const struct ron_client_t *client,
                                    const struct ron_capability_t *capability,
                                    const struct ron_call_options_t *options,
                                    const struct ron_queue_t *queue,
                                    void *user_data,
                                    uint64_t *call,
                                    struct ron_error_t **error);

/**
 * Ends a message: it is not delivered again. RON_STALE_LEASE where it was delivered again, given back or given up since,
 * and whatever can befall any call.
 */
ron_status_t ron_mailbox_ack(const struct ron_client_t *client,
                             const struct ron_capability_t *capability,
                             const struct ron_lease_t *lease,
                             const struct ron_call_options_t *options,
                             struct ron_error_t **error);

/**
 * ron_mailbox_ack() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has no value.
 */
ron_status_t ron_mailbox_ack_start(const struct ron_client_t *client,
                                   const struct ron_capability_t *capability,
                                   const struct ron_lease_t *lease,
                                   const struct ron_call_options_t *options,
                                   const struct ron_queue_t *queue,
                                   void *user_data,
                                   uint64_t *call,
                                   struct ron_error_t **error);

/**
 * Gives a message back, to be delivered again after `delay_ms`, 0 to 12 h. RON_STALE_LEASE where it was delivered again or
 * given up since, RON_SCHEMA_VIOLATION for a longer delay, and whatever can befall any call.
 */
ron_status_t ron_mailbox_nack(const struct ron_client_t *client,
                              const struct ron_capability_t *capability,
                              const struct ron_lease_t *lease,
                              uint64_t delay_ms,
                              const struct ron_call_options_t *options,
                              struct ron_error_t **error);

/**
 * ron_mailbox_nack() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has no value.
 */
ron_status_t ron_mailbox_nack_start(const struct ron_client_t *client,
                                    const struct ron_capability_t *capability,
                                    const struct ron_lease_t *lease,
                                    uint64_t delay_ms,
                                    const struct ron_call_options_t *options,
                                    const struct ron_queue_t *queue,
                                    void *user_data,
                                    uint64_t *call,
                                    struct ron_error_t **error);

/**
 * Keeps a message for `visibility_ms` from now, 250 ms to 12 h, under the same lease. RON_STALE_LEASE where it was
 * delivered again, given back or given up since, RON_SCHEMA_VIOLATION for another visibility, and whatever can befall
 * any call.
 */
ron_status_t ron_mailbox_extend(const struct ron_client_t *client,
                                const struct ron_capability_t *capability,
                                const struct ron_lease_t *lease,
                                uint64_t visibility_ms,
                                const struct ron_call_options_t *options,
                                struct ron_error_t **error);

/**
 * ron_mailbox_extend() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has no value.
 */
ron_status_t ron_mailbox_extend_start(const struct ron_client_t *client,
                                      const struct ron_capability_t *capability,
                                      const struct ron_lease_t *lease,
                                      uint64_t visibility_ms,
                                      const struct ron_call_options_t *options,
                                      const struct ron_queue_t *queue,
                                      void *user_data,
                                      uint64_t *call,
                                      struct ron_error_t **error);

/**
 * How many messages there are; 0 for NULL.
 */
size_t ron_messages_count(const struct ron_messages_t *messages);

/**
 * The message with this index, counted from 0, the oldest first; NULL past the last one.
 */
const struct ron_message_t *ron_messages_at(const struct ron_messages_t *messages,
                                            size_t index);

/**
 * Releases messages. NULL is allowed. It neither acknowledges them nor gives them back.
 */
void ron_messages_release(struct ron_messages_t *messages);

/**
 * The message's lease, which is its own: ron_lease_share() makes one that outlives it. NULL for NULL.
 */
const struct ron_lease_t *ron_message_lease(const struct ron_message_t *message);

/**
 * The message's id; NULL for NULL.
 */
const char *ron_message_id(const struct ron_message_t *message);

/**
 * Which delivery this is, from 1; 0 for NULL.
 */
uint32_t ron_message_attempt(const struct ron_message_t *message);

/**
 * The body where it was received, hashed and compared; NULL for NULL.
 */
const void *ron_message_body(const struct ron_message_t *message);

/**
 * How many bytes the body has; 0 for NULL.
 */
size_t ron_message_body_len(const struct ron_message_t *message);

/**
 * The body as a buffer that outlives the message, to be released by the caller. Nothing is copied. NULL for NULL.
 */
struct ron_buffer_t *ron_message_share_body(const struct ron_message_t *message);

/**
 * When the gateway took the message, by its clock, in milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
 */
uint64_t ron_message_sent_at_ms(const struct ron_message_t *message);

/**
 * How many attributes the message has; 0 for NULL.
 */
size_t ron_message_attribute_count(const struct ron_message_t *message);

/**
 * The name of the attribute with this index, in the order of their names; NULL past the last one.
 */
const char *ron_message_attribute_name(const struct ron_message_t *message,
                                       size_t index);

/**
 * The value of the attribute with this name; NULL where there is none.
 */
const char *ron_message_attribute(const struct ron_message_t *message,
                                  const char *name);

/**
 * Why the message is in a dead-letter topic, RON_DEAD_NOT where it is in none. Puts into `deliveries`, which may be NULL,
 * how often it was delivered in its own topic.
 */
ron_dead_reason_t ron_message_dead(const struct ron_message_t *message,
                                   uint32_t *deliveries);

/**
 * Counters that are all 0, for ron_client_new_with_metrics().
 */
ron_status_t ron_metrics_new(struct ron_metrics_t **out,
                             struct ron_error_t **error);

/**
 * The counters of a client, to be released too.
 */
ron_status_t ron_client_metrics(const struct ron_client_t *client,
                                struct ron_metrics_t **out,
                                struct ron_error_t **error);

/**
 * What was counted until now as text for Prometheus, in the OpenMetrics format, not ended by a NUL; the caller releases
 * the buffer. docs/OBSERVABILITY.md has all metrics. For HTTP, its content type is ron_metrics_content_type().
 */
ron_status_t ron_metrics_text(const struct ron_metrics_t *metrics,
                              struct ron_buffer_t **out,
                              struct ron_error_t **error);

/**
 * The content type of what ron_metrics_text() brings. Never NULL; it is valid for ever.
 */
const char *ron_metrics_content_type(void);

/**
 * What was counted until now as numbers; the caller releases them.
 */
ron_status_t ron_metrics_snapshot(const struct ron_metrics_t *metrics,
                                  struct ron_samples_t **out,
                                  struct ron_error_t **error);

/**
 * Another handle of the same counters, to be released too. NULL for NULL.
 */
struct ron_metrics_t *ron_metrics_share(const struct ron_metrics_t *metrics);

/**
 * Releases counters. NULL is allowed. Clients go on counting.
 */
void ron_metrics_release(struct ron_metrics_t *metrics);

/**
 * How many numbers there are; 0 for NULL.
 */
size_t ron_samples_count(const struct ron_samples_t *samples);

/**
 * The number with this index, counted from 0, in the order of the text; NULL past the last one.
 */
const struct ron_sample_t *ron_samples_at(const struct ron_samples_t *samples,
                                          size_t index);

/**
 * Releases numbers. NULL is allowed.
 */
void ron_samples_release(struct ron_samples_t *samples);

/**
 * The number's name, such as "sdk_requests_total"; NULL for NULL.
 */
const char *ron_sample_name(const struct ron_sample_t *sample);

/**
 * The number; 0 for NULL. Counts are exact up to 2^53, durations are in seconds.
 */
double ron_sample_value(const struct ron_sample_t *sample);

/**
 * How many labels the number has; 0 for NULL.
 */
size_t ron_sample_label_count(const struct ron_sample_t *sample);

/**
 * The name of the label with this index; NULL past the last one.
 */
const char *ron_sample_label_name(const struct ron_sample_t *sample,
                                  size_t index);

/**
 * The value of the label with this name; NULL where there is none.
 */
const char *ron_sample_label(const struct ron_sample_t *sample,
                             const char *name);

/**
 * A queue without calls. RON_INTERNAL where the system has no descriptor left.
 */
ron_status_t ron_queue_new(struct ron_queue_t **out,
                           struct ron_error_t **error);

/**
 * A descriptor that is readable as long as there are completions: for poll(), epoll and the like, with level
 * triggers or with edges if the queue is drained until it is empty. It is the queue's: it must be neither read, written nor
 * closed. -1 for NULL and on systems without such descriptors.
 */
int ron_queue_fd(const struct ron_queue_t *queue);

/**
 * Waits until there are completions, for `timeout_ms` at most; for ever where it is negative. Puts into `ready`, which
 * may be NULL, whether there are some: not, where the time is over or the queue has been closed.
 */
ron_status_t ron_queue_wait(const struct ron_queue_t *queue,
                            int64_t timeout_ms,
                            bool *ready,
                            struct ron_error_t **error);

/**
 * Takes completions, at most `most`, in the order in which the calls have ended, without waiting. Puts them into the
 * array `out`, and into `count` how many they are. The caller releases the result of each.
 */
ron_status_t ron_queue_drain(const struct ron_queue_t *queue,
                             struct ron_completion_t *out,
                             size_t most,
                             size_t *count,
                             struct ron_error_t **error);

/**
 * Takes completions like ron_queue_drain(), calls the callback of each, and releases its result. That of a call without
 * a callback is released unseen. Puts into `count`, which may be NULL, how many completions they were.
 */
ron_status_t ron_queue_dispatch(const struct ron_queue_t *queue,
                                size_t most,
                                size_t *count,
                                struct ron_error_t **error);

/**
 * Cancels a call by its number, at the gateway too. It has its completion all the same: RON_CANCELLED, or what it ended
 * with before. Puts into `was_open`, which may be NULL, whether it was still open. A number that is no open call's does
 * nothing: numbers are never used again.
 */
ron_status_t ron_call_cancel(const struct ron_queue_t *queue,
                             uint64_t call,
                             bool *was_open,
                             struct ron_error_t **error);

/**
 * Calls that have not ended; 0 for NULL and in a child of a fork.
 */
size_t ron_queue_open_calls(const struct ron_queue_t *queue);

/**
 * Closes a queue: it takes no more calls (RON_CLOSED), cancels those that are open, and waits until none of them is at
 * work, so that what they have borrowed is not touched any more. Their completions can be drained. Threads in
 * ron_queue_wait() return.
 */
ron_status_t ron_queue_close(const struct ron_queue_t *queue,
                             struct ron_error_t **error);

/**
 * Closes a queue as ron_queue_close() does, and releases it with the completions that nobody has drained, whose
 * callbacks are not called. NULL is allowed. Its descriptor is closed: take it out of the event loop first.
 */
void ron_queue_release(struct ron_queue_t *queue);

/**
 * What the client knows of itself, without I/O and without waiting; the caller releases it. Of its two forms, the one that
 * knows more counts.
 */
ron_status_t ron_client_ready(const struct ron_client_t *client,
                              struct ron_readiness_t **out,
                              struct ron_error_t **error);

/**
 * Finds out whether the client is ready: opens a connection of its blocking calls, or lets one that is open show that it is
 * alive. It needs no capability, and calls go on meanwhile. It is tried again as a read is, within the options' limit;
 * of the options, `timeout_ms` and `is_interrupted` count. What goes wrong is in what it puts into `out`, which the caller
 * releases; RON_CONFIG for a limit out of its range.
 */
ron_status_t ron_client_probe(const struct ron_client_t *client,
                              const struct ron_call_options_t *options,
                              struct ron_readiness_t **out,
                              struct ron_error_t **error);

/**
 * Whether every check that applies is well; false for NULL.
 */
bool ron_readiness_is_ready(const struct ron_readiness_t *readiness);

/**
 * What came of a check, RON_CHECK_UNKNOWN for NULL and for one that is none. Where it has failed, puts its status into
 * `status`, which may be NULL.
 */
ron_check_t ron_readiness_check(const struct ron_readiness_t *readiness,
                                ron_checked_t check,
                                ron_status_t *status);

/**
 * Why a check has failed, for a person; NULL where it has not.
 */
const char *ron_readiness_reason(const struct ron_readiness_t *readiness,
                                 ron_checked_t check);

/**
 * The name of a check, such as "transport"; NULL for one that is none. Valid for ever.
 */
const char *ron_check_name(ron_checked_t check);

/**
 * Releases it. NULL is allowed.
 */
void ron_readiness_release(struct ron_readiness_t *readiness);

/**
 * The error, which stays the result's own and is valid as long as that; NULL where there is none, and for NULL.
 */
const struct ron_error_t *ron_result_error(const struct ron_result_t *result);

/**
 * Takes the error, which is then the caller's; NULL where there is none, where it was taken before, and for NULL.
 */
struct ron_error_t *ron_result_take_error(struct ron_result_t *result);

/**
 * Fills `out` with how the call went, and returns true; returns false where it has failed. `out` begins with
 * RON_REPORT_INIT.
 */
bool ron_result_report(const struct ron_result_t *result,
                       struct ron_report_t *out);

/**
 * Puts the address that a storage_put or index_resolve has, and returns true; returns false where there is none.
 */
bool ron_result_address(const struct ron_result_t *result,
                        struct ron_address_t *out);

/**
 * Puts what a storage_head or edge_head has, and returns true; returns false where there is none.
 */
bool ron_result_object(const struct ron_result_t *result,
                       struct ron_object_t *out);

/**
 * Puts which part a storage_get_range has, and returns true; returns false where there is none. Its bytes are taken
 * with ron_result_take_buffer(), before or after.
 */
bool ron_result_part(const struct ron_result_t *result,
                     struct ron_part_t *out);

/**
 * Puts the receipt that a mailbox_send has, and returns true; returns false where there is none.
 */
bool ron_result_receipt(const struct ron_result_t *result,
                        struct ron_receipt_t *out);

/**
 * The bytes that a storage_get, storage_get_range or edge_get has, as a buffer that the caller releases; NULL
 * where there are none, and for NULL. Nothing is copied.
 */
struct ron_buffer_t *ron_result_take_buffer(struct ron_result_t *result);

/**
 * Takes the messages that a mailbox_receive or mailbox_recv has, which the caller then releases; NULL where there are
 * none of such a call, where they were taken before, and for NULL.
 */
struct ron_messages_t *ron_result_take_messages(struct ron_result_t *result);

/**
 * Releases a result with what has not been taken of it. NULL is allowed.
 */
void ron_result_release(struct ron_result_t *result);

/**
 * The name of a status: "Ok", "NotFound", …; "?" for a number that this library does not know. Never NULL; it is
 * valid for ever.
 */
const char *ron_status_name(ron_status_t status);

/**
 * What a person should check first: a phrase, empty for RON_OK. Never NULL; it is valid for ever.
 */
const char *ron_status_check(ron_status_t status);

/**
 * Stores up to 1,015,808 bytes, and puts their address into `out`; it has been compared with the hash of the bytes unless
 * the setting `cache.verify_puts` is off. The body is borrowed until this returns.
 * RON_TOO_LARGE, RON_INTEGRITY_MISMATCH, and whatever can befall any call.
 */
ron_status_t ron_storage_put(const struct ron_client_t *client,
                             const struct ron_capability_t *capability,
                             const void *body,
                             size_t body_len,
                             const struct ron_call_options_t *options,
                             struct ron_address_t *out,
                             struct ron_error_t **error);

/**
 * ron_storage_put() as an asynchronous call. Its completion comes through `queue` with `user_data`, and its number is put
 * into `call`, which may be NULL, before this returns: a thread that drains the queue meanwhile may see the completion
 * first. Where it does not return RON_OK, no call was started and there is no completion. See
 * ron_call_options_t.body_release for whose the body is.
 */
ron_status_t ron_storage_put_start(const struct ron_client_t *client,
                                   const struct ron_capability_t *capability,
                                   const void *body,
                                   size_t body_len,
                                   const struct ron_call_options_t *options,
                                   const struct ron_queue_t *queue,
                                   void *user_data,
                                   uint64_t *call,
                                   struct ron_error_t **error);

/**
 * Fetches an object into a buffer that the caller releases. Its bytes have been hashed and compared with the address.
 * RON_NOT_FOUND, RON_TOO_LARGE for an object above 1,015,808 bytes (fetch ranges of it instead),
 * RON_INTEGRITY_MISMATCH, and whatever can befall any call.
 */
ron_status_t ron_storage_get(const struct ron_client_t *client,
                             const struct ron_capability_t *capability,
                             const struct ron_address_t *address,
                             const struct ron_call_options_t *options,
                             struct ron_buffer_t **out,
                             struct ron_error_t **error);

/**
 * Fetches an object as ron_storage_get() does, and copies it into the caller's `buffer` of `capacity` bytes. Puts its
 * length into `len`. RON_TOO_LARGE where the buffer is too small: `len` is then the room that is needed, and
 * nothing was copied.
 */
ron_status_t ron_storage_get_into(const struct ron_client_t *client,
                                  const struct ron_capability_t *capability,
                                  const struct ron_address_t *address,
                                  const struct ron_call_options_t *options,
                                  void *buffer,
                                  size_t capacity,
                                  size_t *len,
                                  struct ron_error_t **error);

/**
 * ron_storage_get() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has a buffer.
 */
ron_status_t ron_storage_get_start(const struct ron_client_t *client,
                                   const struct ron_capability_t *capability,
                                   const struct ron_address_t *address,
                                   const struct ron_call_options_t *options,
                                   const struct ron_queue_t *queue,
                                   void *user_data,
                                   uint64_t *call,
                                   struct ron_error_t **error);

/**
 * Fetches a part of an object into a buffer that the caller releases. It cannot be verified: an address vouches for a
 * whole object only. Puts which part it is into `part`, which may be NULL: the range is clipped to the object's
 * end. RON_NOT_FOUND, RON_RANGE_NOT_SATISFIABLE, RON_TOO_LARGE for a range above 1,015,808 bytes,
 * RON_SCHEMA_VIOLATION where the range ends before it begins, and whatever can befall any call.
 */
ron_status_t ron_storage_get_range(const struct ron_client_t *client,
                                   const struct ron_capability_t *capability,
                                   const struct ron_address_t *address,
                                   const struct ron_range_t *range,
                                   const struct ron_call_options_t *options,
                                   struct ron_buffer_t **out,
                                   struct ron_part_t *part,
                                   struct ron_error_t **error);

/**
 * ron_storage_get_range() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has a
 * buffer and a part.
 */
ron_status_t ron_storage_get_range_start(const struct ron_client_t *client,
                                         const struct ron_capability_t *capability,
                                         const struct ron_address_t *address,
                                         const struct ron_range_t *range,
                                         const struct ron_call_options_t *options,
                                         const struct ron_queue_t *queue,
                                         void *user_data,
                                         uint64_t *call,
                                         struct ron_error_t **error);

/**
 * Asks for an object's size. RON_NOT_FOUND, and whatever can befall any call.
 */
ron_status_t ron_storage_head(const struct ron_client_t *client,
                              const struct ron_capability_t *capability,
                              const struct ron_address_t *address,
                              const struct ron_call_options_t *options,
                              struct ron_object_t *out,
                              struct ron_error_t **error);

/**
 * ron_storage_head() as an asynchronous call; the rest is as with ron_storage_put_start(). Its completion has an object.
 */
ron_status_t ron_storage_head_start(const struct ron_client_t *client,
                                    const struct ron_capability_t *capability,
                                    const struct ron_address_t *address,
                                    const struct ron_call_options_t *options,
                                    const struct ron_queue_t *queue,
                                    void *user_data,
                                    uint64_t *call,
                                    struct ron_error_t **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RON_SDK_H */
