/* Settings: by their names, and from a file. */
#include "harness.h"

#include <unistd.h>

/* For each setting: its name, a value that is not the default, one that it cannot have, and what is allowed. */
static const char *const all_settings[][4] = {
    {"transport", "tor", "tcp", "tls or tor"},
    {"gateway_addr", "https://gateway.example", "http://a", "https://host or https://host:port"},
    {"fallback_addrs", "https://b,https://c:1", "https://b,c", "at most 8 addresses"},
    {"overall_timeout_ms", "1000", "49", "50 to 3600000"},
    {"timeouts.connect_ms", "100", "9", "10 to 600000"},
    {"timeouts.read_ms", "200", "600001", "10 to 600000"},
    {"timeouts.write_ms", "300", "soon", "10 to 600000"},
    {"tls.ca", "/etc/ca.pem", "", "a path"},
    {"tls.pin", "sha256:abababababababababababababababababababababababababababababababab", "sha256:12",
     "sha256: and 64 hexadecimal digits"},
    {"tls.client_cert", "/etc/client.pem", "", "a path"},
    {"tls.client_key", "/etc/client.key", "", "a path"},
    {"proxy", "socks5h://proxy.example:1080", "proxy.example", "begins with http://, socks5:// or socks5h://"},
    {"tor.socks_addr", "127.0.0.1:9150", "192.0.2.1:9050", "an IP address and a port of this machine"},
    {"pool.max", "2", "17", "1 to 16"},
    {"backoff.base_ms", "20", "0", "1 to 600000"},
    {"backoff.factor", "1.5", "0.5", "1 to 10"},
    {"backoff.cap_ms", "700", "0", "1 to 600000"},
    {"backoff.max_attempts", "3", "6", "1 to 5"},
    {"idempotency.enabled", "false", "yes", "true or false"},
    {"cache.enabled", "true", "1", "true or false"},
    {"cache.max_entries", "7", "0", "1 to 1000000"},
    {"cache.max_bytes", "1024", "1023", "1024 to 68719476736"},
    {"cache.ttl_ms", "5000", "0", "1 to 3600000"},
    {"cache.verify_puts", "false", "no", "true or false"},
    {"tracing.enabled", "false", "no", "true or false"},
};

static int has_value(const ron_config_t *config, const char *key, const char *value) {
    ron_buffer_t *text = NULL;
    int is_same = 0;
    CHECK_OK(ron_config_get(config, key, &text, &error));
    is_same = ron_buffer_len(text) == strlen(value) && memcmp(ron_buffer_data(text), value, strlen(value)) == 0;
    ron_buffer_release(text);
    return is_same;
}

static void each_setting(void) {
    const size_t known = sizeof all_settings / sizeof *all_settings;
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_buffer_t *text = NULL;
    ron_error_t *refusal = NULL;
    size_t count = 0;

    for (; ron_config_key(count) != NULL; count++) {
        const char *const *setting = all_settings[count < known ? count : 0];
        const char *key = ron_config_key(count);
        CHECK(count < known && strcmp(setting[0], key) == 0);
        CHECK_OK(ron_config_new(&config, &error));
        CHECK(!has_value(config, key, setting[1]));
        CHECK_OK(ron_config_set(config, key, setting[1], &error));
        CHECK(has_value(config, key, setting[1]));
        CHECK(ron_config_set(config, key, setting[2], &refusal) == RON_CONFIG);
        CHECK(strstr(ron_error_message(refusal), key) != NULL);
        CHECK(strstr(ron_error_message(refusal), setting[3]) != NULL);
        CHECK(has_value(config, key, setting[1]));
        ron_error_release(refusal);
        refusal = NULL;
        ron_config_release(config);
    }
    CHECK(count == known);
    CHECK_OK(ron_config_new(&config, &error));
    CHECK_STATUS(RON_CONFIG, ron_config_set(config, "timeouts.connect", "500", &error));
    CHECK_STATUS(RON_CONFIG, ron_config_get(config, "timeouts.connect", &text, &error));
    CHECK(text == NULL);
    CHECK_OK(ron_config_set(config, "backoff.base_ms", "20000", &error));
    CHECK_STATUS(RON_CONFIG, ron_client_new(config, &client, &error));
    CHECK(client == NULL);
    ron_config_release(config);
    CHECK_OK(ron_client_new(NULL, &client, &error));
    ron_client_release(client);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void settings_of_a_file(void) {
    char path[] = "/tmp/ron-settings-XXXXXX";
    ron_config_t *config = NULL;
    ron_error_t *refusal = NULL;
    const int descriptor = mkstemp(path);

    CHECK(descriptor >= 0 && close(descriptor) == 0);
    write_file(path, "[pool]\nmax = 2\n[timeouts]\nread_ms = 250\n");
    CHECK_OK(ron_config_from_file(path, &config, &error));
    CHECK(has_value(config, "pool.max", "2") && has_value(config, "timeouts.read_ms", "250"));
    ron_config_release(config);
    CHECK(setenv("RON_SDK_POOL_MAX", "3", 1) == 0 && setenv("RON_SDK_CONFIG", path, 1) == 0);
    CHECK_OK(ron_config_from_file(path, &config, &error));
    CHECK(has_value(config, "pool.max", "3"));
    ron_config_release(config);
    CHECK_OK(ron_config_from_env(&config, &error));
    CHECK(has_value(config, "pool.max", "3") && has_value(config, "timeouts.read_ms", "250"));
    ron_config_release(config);
    CHECK(unsetenv("RON_SDK_POOL_MAX") == 0 && unsetenv("RON_SDK_CONFIG") == 0);
    write_file(path, "\n[pool]\nmin = 2\n");
    CHECK(ron_config_from_file(path, &config, &refusal) == RON_CONFIG && config == NULL);
    CHECK(strstr(ron_error_message(refusal), "line 3): no such setting; did you mean pool.max?") != NULL);
    ron_error_release(refusal);
    CHECK(unlink(path) == 0);
    CHECK_STATUS(RON_CONFIG, ron_config_from_file(path, &config, &error));
    CHECK_STATUS(RON_CONFIG, ron_config_from_file(NULL, &config, &error));
}

const struct test settings[] = {
    {"each_setting", each_setting},
    {"settings_of_a_file", settings_of_a_file},
    {NULL, NULL},
};
