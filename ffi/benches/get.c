/*
 * What a blocking get of 64 KiB costs over a warm connection: from C, from Rust within the same library, and with libcurl's
 * easy handle on a reused connection to the gateway's HTTP face. One call of each in turn, so that whatever else the machine
 * does meets all of them. Run by `scripts/crossing.sh get`.
 */
#include "internals.h"

#include <curl/curl.h>
#include <string.h>

#define ROUNDS 5000
#define WARM_UP 200
#define BODY_LEN 65536
/* The promises: at most so much of Rust's time, and at least so much of C's. */
#define MOST_OF_RUST 1.05
#define LEAST_OF_CURL 2.0

struct received {
    unsigned char *bytes;
    size_t len;
};

static size_t receive(char *bytes, size_t size, size_t count, void *into)
{
    struct received *received = into;
    if (received->len + size * count > BODY_LEN)
        return 0;
    memcpy(received->bytes + received->len, bytes, size * count);
    received->len += size * count;
    return size * count;
}

static CURL *curl_get(const ron_address_t *address, struct received *received, struct curl_slist **headers)
{
    const char *gateway = getenv("RON_SDK_GATEWAY_ADDR"), *authority = getenv("RON_SDK_TLS_CA");
    char url[512], text[RON_ADDRESS_TEXT_SIZE], authorization[16384];
    CURL *curl = curl_easy_init();

    require(curl && gateway && authority, "libcurl, RON_SDK_GATEWAY_ADDR or RON_SDK_TLS_CA is missing");
    require(ron_address_format(address, text, sizeof text, NULL) == RON_OK, "no address");
    snprintf(url, sizeof url, "%s/o/%s", gateway, text);
    snprintf(authorization, sizeof authorization, "Authorization: Ron %s", capability_text());
    *headers = curl_slist_append(NULL, authorization);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, authority);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, received);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    /* As large as a body: libcurl's own 16 KiB would cost it more calls. */
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)BODY_LEN);
    return curl;
}

static double curl_once(CURL *curl, struct received *received)
{
    uint64_t begin = now();
    received->len = 0;
    require(curl_easy_perform(curl) == CURLE_OK && received->len == BODY_LEN, "libcurl's get failed");
    return (double)(now() - begin) / 1000;
}

static double c_once(const ron_client_t *client, const ron_capability_t *capability, const ron_address_t *address)
{
    ron_error_t *error = NULL;
    ron_buffer_t *buffer = NULL;
    uint64_t begin = now();
    check(ron_storage_get(client, capability, address, NULL, &buffer, &error), error);
    ron_buffer_release(buffer);
    return (double)(now() - begin) / 1000;
}

static double rust_once(const ron_rust_t *rust)
{
    uint64_t time;
    require(ron_rust_time(rust, true, true, 1, &time), "a call from Rust failed");
    return (double)time / 1000;
}

int main(void)
{
    static double c[ROUNDS], rust[ROUNDS], http[ROUNDS];
    static unsigned char body[BODY_LEN], copy[BODY_LEN];
    struct received received = {copy, 0};
    struct curl_slist *headers = NULL;
    ron_error_t *error = NULL;
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_capability_t *capability = NULL;
    ron_address_t address;

    for (size_t index = 0; index < sizeof body; index++)
        body[index] = (unsigned char)(index * 131 >> 3);
    check(ron_config_from_env(&config, &error), error);
    check(ron_client_new(config, &client, &error), error);
    check(ron_capability_from_text(capability_text(), &capability, &error), error);
    check(ron_storage_put(client, capability, body, sizeof body, NULL, &address, &error), error);
    ron_rust_t *in_rust = ron_rust_new(config, capability_text(), body, sizeof body);
    require(in_rust != NULL, "no calls from Rust");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *curl = curl_get(&address, &received, &headers);

    for (int round = -WARM_UP; round < ROUNDS; round++) {
        double times[3] = {0};
        /* Who comes first changes, since one leaves the caches as the next finds them. */
        for (int turn = 0; turn < 3; turn++) {
            int who = (round + WARM_UP + turn) % 3;
            times[who] = who == 0   ? c_once(client, capability, &address)
                         : who == 1 ? rust_once(in_rust)
                                    : curl_once(curl, &received);
        }
        if (round >= 0) {
            c[round] = times[0];
            rust[round] = times[1];
            http[round] = times[2];
        }
    }
    require(memcmp(body, copy, sizeof body) == 0, "libcurl fetched something else");

    double in_c = median(c, ROUNDS), with_rust = median(rust, ROUNDS), with_curl = median(http, ROUNDS);
    printf("get of %d bytes, p50 of %d: C %.1f us, Rust %.1f us, libcurl %s %.1f us\n", BODY_LEN, ROUNDS, in_c, with_rust,
           curl_version_info(CURLVERSION_NOW)->version, with_curl);
    printf("C is %.3f of Rust (at most %.2f), libcurl %.2f of C (at least %.1f)\n", in_c / with_rust, MOST_OF_RUST,
           with_curl / in_c, LEAST_OF_CURL);

    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    curl_global_cleanup();
    ron_rust_release(in_rust);
    ron_client_release(client);
    ron_capability_release(capability);
    ron_config_release(config);
    return in_c > MOST_OF_RUST * with_rust || with_curl < LEAST_OF_CURL * in_c;
}
