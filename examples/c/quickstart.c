/* Goes once through all four planes: puts a file and gets it back, reads an edge object, sends a message and receives it,
   gives the file a name and looks it up. The gateway and the capability come from the environment. */
#include <ron_sdk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program where a call fails. */
static void check(ron_status_t status, ron_error_t *error) {
    if (status != RON_OK) {
        fprintf(stderr, "quickstart: %s\n", ron_error_message(error));
        ron_error_release(error);
        exit(1);
    }
}

static void row(const char *operation, size_t bytes, const ron_report_t *report) {
    printf("%-18s %9lu bytes %3u attempts %10.3f ms\n", operation, (unsigned long)bytes, report->attempts,
           (double)report->elapsed_ns / 1e6);
}

static char *read_file(const char *path, size_t *len) {
    const size_t most = 1015808;
    char *bytes = malloc(most + 1);
    FILE *file = fopen(path, "rb");
    if (bytes == NULL || file == NULL) {
        perror(path);
        exit(1);
    }
    *len = fread(bytes, 1, most + 1, file);
    fclose(file);
    return bytes;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "README.md";
    ron_error_t *error = NULL;
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_capability_t *capability = NULL;
    ron_report_t report = RON_REPORT_INIT;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_address_t address, resolved;
    ron_buffer_t *buffer = NULL;
    ron_mail_t mail = RON_MAIL_INIT;
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_messages_t *messages = NULL;
    char text[RON_ADDRESS_TEXT_SIZE];
    size_t len = 0;
    char *file = read_file(path, &len);

    check(ron_check_abi(RON_ABI_VERSION, &error), error);
    check(ron_config_from_env(&config, &error), error);
    check(ron_client_new(config, &client, &error), error);
    check(ron_capability_from_env(&capability, &error), error);
    options.timeout_ms = 5000;
    options.report = &report;

    check(ron_storage_put(client, capability, file, len, &options, &address, &error), error);
    check(ron_address_format(&address, text, sizeof text, &error), error);
    printf("%s is %s\n\n", path, text);
    row("storage_put", len, &report);
    check(ron_storage_get(client, capability, &address, &options, &buffer, &error), error);
    if (ron_buffer_len(buffer) != len || memcmp(ron_buffer_data(buffer), file, len) != 0) {
        fprintf(stderr, "quickstart: the bytes that came back are not the file's\n");
        return 1;
    }
    row("storage_get", ron_buffer_len(buffer), &report);
    ron_buffer_release(buffer);

    check(ron_edge_get(client, capability, "/ron/64k", NULL, &options, &buffer, &error), error);
    row("edge_get", ron_buffer_len(buffer), &report);
    ron_buffer_release(buffer);

    mail.topic = receive.topic = "quickstart/c";
    mail.body = text;
    mail.body_len = strlen(text);
    receive.wait_ms = 1000;
    check(ron_mailbox_send(client, capability, &mail, &options, NULL, &error), error);
    row("mailbox_send", mail.body_len, &report);
    check(ron_mailbox_receive(client, capability, &receive, &options, &messages, &error), error);
    if (ron_messages_count(messages) == 0) {
        fprintf(stderr, "quickstart: the message did not arrive\n");
        return 1;
    }
    row("mailbox_receive", ron_message_body_len(ron_messages_at(messages, 0)), &report);
    check(ron_mailbox_ack(client, capability, ron_message_lease(ron_messages_at(messages, 0)), &options, &error), error);
    row("mailbox_ack", 0, &report);
    ron_messages_release(messages);

    check(ron_index_publish(client, capability, "quickstart.c", &address, RON_EXPECTED_ANYTHING, NULL, &options, &error),
          error);
    row("index_publish", 0, &report);
    check(ron_index_resolve(client, capability, "quickstart.c", &options, &resolved, &error), error);
    row("index_resolve", 0, &report);

    ron_capability_release(capability);
    ron_client_release(client);
    ron_config_release(config);
    free(file);
    return memcmp(&address, &resolved, sizeof address) != 0;
}
