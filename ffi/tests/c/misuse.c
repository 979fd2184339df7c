/* What a caller can do wrong has a defined end. */
#include "harness.h"

/* Each argument that must be there, missing in turn. */
static void nothing_where_something_should_be(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability(), *other = NULL;
    ron_queue_t *queue = NULL;
    ron_address_t address = {{0}};
    ron_buffer_t *buffer = NULL;
    ron_object_t object;
    ron_messages_t *messages = NULL;
    ron_range_t range = {0, 1};
    ron_mail_t mail = RON_MAIL_INIT;
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_attribute_t attribute = {NULL, "x"};
    ron_client_stats_t stats = RON_CLIENT_STATS_INIT;
    ron_lease_t *lease = NULL;
    ron_config_t *config = NULL;
    size_t len = 0;
    char text[RON_ADDRESS_TEXT_SIZE];

    CHECK_OK(ron_queue_new(&queue, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_put(NULL, capability, "x", 1, NULL, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_put(client, NULL, "x", 1, NULL, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_put(client, capability, NULL, 1, NULL, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_put(client, capability, "x", 1, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_get(client, capability, NULL, NULL, &buffer, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_get(client, capability, &address, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_get_into(client, capability, &address, NULL, NULL, 1, &len, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_get_into(client, capability, &address, NULL, text, 1, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_get_range(client, capability, &address, NULL, NULL, &buffer, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_get_range(client, capability, &address, &range, NULL, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_head(client, capability, &address, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_edge_get(client, capability, NULL, NULL, NULL, &buffer, &error));
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, NULL, NULL, &object, &error));
    CHECK_STATUS(RON_CONFIG, ron_mailbox_send(client, capability, NULL, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_mailbox_send(client, capability, &mail, NULL, NULL, &error));
    mail.topic = "c/misuse";
    mail.body_len = 1;
    CHECK_STATUS(RON_CONFIG, ron_mailbox_send(client, capability, &mail, NULL, NULL, &error));
    mail.body_len = 0;
    mail.attributes_len = 1;
    CHECK_STATUS(RON_CONFIG, ron_mailbox_send(client, capability, &mail, NULL, NULL, &error));
    mail.attributes = &attribute;
    CHECK_STATUS(RON_CONFIG, ron_mailbox_send(client, capability, &mail, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_mailbox_receive(client, capability, NULL, NULL, &messages, &error));
    CHECK_STATUS(RON_CONFIG, ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    CHECK_STATUS(RON_CONFIG, ron_mailbox_ack(client, capability, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_mailbox_nack(client, capability, NULL, 0, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_mailbox_extend(client, capability, NULL, 1000, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_index_resolve(client, capability, NULL, NULL, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_index_publish(client, capability, "n", NULL, 0, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_edge_head_start(client, capability, "/a", NULL, NULL, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_edge_head_start(NULL, capability, "/a", NULL, queue, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_edge_head_start(client, NULL, "/a", NULL, queue, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_queue_new(NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_queue_wait(NULL, 0, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_queue_drain(queue, NULL, 1, &len, &error));
    CHECK_STATUS(RON_CONFIG, ron_queue_drain(NULL, NULL, 0, &len, &error));
    CHECK_OK(ron_queue_drain(queue, NULL, 0, &len, &error));
    CHECK_STATUS(RON_CONFIG, ron_queue_dispatch(NULL, 1, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_queue_close(NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_call_cancel(NULL, 1, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_new(NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_close(NULL, 0, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_connect(NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_connect_start(NULL, NULL, queue, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_connect_start(client, NULL, NULL, NULL, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_stats(NULL, &stats, &error));
    CHECK_STATUS(RON_CONFIG, ron_client_stats(client, NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_config_new(NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_config_set(NULL, "pool.max", "1", &error));
    CHECK_OK(ron_config_new(&config, &error));
    CHECK_STATUS(RON_CONFIG, ron_config_set(config, NULL, "1", &error));
    CHECK_STATUS(RON_CONFIG, ron_config_set(config, "pool.max", NULL, &error));
    CHECK_STATUS(RON_CONFIG, ron_capability_from_text(NULL, &other, &error));
    CHECK(other == NULL);
    CHECK_STATUS(RON_CONFIG, ron_capability_attenuate(NULL, "op=x", &other, &error));
    CHECK_STATUS(RON_CONFIG, ron_address_parse(NULL, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_address_of(NULL, 1, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_address_format(NULL, text, sizeof text, &error));
    CHECK_STATUS(RON_CONFIG, ron_address_format(&address, NULL, sizeof text, &error));
    CHECK_STATUS(RON_TOO_LARGE, ron_address_format(&address, text, sizeof text - 1, &error));
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_address_parse("sha256:00", &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_lease_new(NULL, "a", "b", &lease, &error));
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_lease_new("t", "", "b", &lease, &error));
    /* The error itself need not be wanted. */
    CHECK(ron_storage_put(NULL, NULL, NULL, 1, NULL, NULL, NULL) == RON_CONFIG);
    ron_config_release(config);
    ron_queue_release(queue);
    ron_capability_release(capability);
    ron_client_release(client);
}

static void nothing_is_released_and_read(void) {
    uint64_t after = 7;
    uint32_t deliveries = 7;
    ron_address_t address;

    ron_client_release(NULL);
    ron_capability_release(NULL);
    ron_queue_release(NULL);
    ron_buffer_release(NULL);
    ron_error_release(NULL);
    ron_messages_release(NULL);
    ron_lease_release(NULL);
    ron_config_release(NULL);
    ron_result_release(NULL);
    CHECK(ron_client_share(NULL) == NULL && ron_buffer_share(NULL) == NULL && ron_lease_share(NULL) == NULL);
    CHECK(ron_error_status(NULL) == RON_OK && ron_error_message(NULL) == NULL);
    CHECK(ron_error_executed(NULL) == RON_EXECUTED_NO && ron_error_attempts(NULL) == 0);
    CHECK(ron_error_gateway_status(NULL) == 0);
    CHECK(!ron_error_retry_after_ms(NULL, &after) && after == 7);
    CHECK(ron_buffer_data(NULL) == NULL && ron_buffer_len(NULL) == 0);
    CHECK(ron_messages_count(NULL) == 0 && ron_messages_at(NULL, 0) == NULL);
    CHECK(ron_message_lease(NULL) == NULL && ron_message_id(NULL) == NULL && ron_message_attempt(NULL) == 0);
    CHECK(ron_message_body(NULL) == NULL && ron_message_body_len(NULL) == 0 && ron_message_share_body(NULL) == NULL);
    CHECK(ron_message_sent_at_ms(NULL) == 0 && ron_message_attribute_count(NULL) == 0);
    CHECK(ron_message_attribute(NULL, "x") == NULL && ron_message_attribute_name(NULL, 0) == NULL);
    CHECK(ron_message_dead(NULL, &deliveries) == RON_DEAD_NOT && deliveries == 0);
    CHECK(ron_lease_topic(NULL) == NULL && ron_lease_id(NULL) == NULL && ron_lease_token(NULL) == NULL);
    CHECK(ron_result_error(NULL) == NULL && ron_result_take_error(NULL) == NULL);
    CHECK(ron_result_take_buffer(NULL) == NULL && ron_result_take_messages(NULL) == NULL);
    CHECK(!ron_result_address(NULL, &address) && !ron_result_address(NULL, NULL));
    CHECK(ron_queue_fd(NULL) == -1 && ron_queue_open_calls(NULL) == 0);
    CHECK(strcmp(ron_status_name(RON_NOT_FOUND), "NotFound") == 0 && strcmp(ron_status_name(99), "?") == 0);
    CHECK(strlen(ron_status_check(RON_NOT_FOUND)) > 0 && strlen(ron_status_check(RON_OK)) == 0);
    CHECK(ron_config_key((size_t)-1) == NULL && strlen(ron_version()) >= 5);
}

static void texts_and_lengths(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_object_t object;
    ron_address_t address;
    ron_buffer_t *buffer = NULL;
    ron_range_t backwards = {5, 4}, endless = {0, (uint64_t)-1}, wide = {0, 1015808};
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_mail_t mail = RON_MAIL_INIT;
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_messages_t *messages = NULL;

    CHECK_OK(ron_address_of("x", 1, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/\xff", NULL, &object, &error));
    CHECK_STATUS(RON_CONFIG, ron_index_resolve(client, capability, "\xc3", NULL, &address, &error));
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_index_resolve(client, capability, "", NULL, &address, &error));
    CHECK_STATUS(RON_CONFIG, ron_storage_put(client, capability, "x", (size_t)-1, NULL, &address, &error));
    CHECK_STATUS(RON_SCHEMA_VIOLATION,
                 ron_storage_get_range(client, capability, &address, &backwards, NULL, &buffer, NULL, &error));
    CHECK_STATUS(RON_SCHEMA_VIOLATION,
                 ron_storage_get_range(client, capability, &address, &endless, NULL, &buffer, NULL, &error));
    CHECK_STATUS(RON_TOO_LARGE,
                 ron_storage_get_range(client, capability, &address, &wide, NULL, &buffer, NULL, &error));
    mail.topic = "c/misuse";
    mail.attributes = (const ron_attribute_t *)&mail;
    mail.attributes_len = (size_t)-1 / 4;
    CHECK_STATUS(RON_CONFIG, ron_mailbox_send(client, capability, &mail, NULL, NULL, &error));
    receive.topic = "c/misuse";
    receive.max = 0;
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    receive.max = 1;
    receive.visibility_ms = 0;
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    receive.visibility_ms = 30000;
    receive.max = 65;
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    receive.max = (uint32_t)-1;
    CHECK_STATUS(RON_SCHEMA_VIOLATION, ron_mailbox_receive(client, capability, &receive, NULL, &messages, &error));
    options.timeout_ms = 0;
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/ron/64k", &options, &object, &error));
    options.timeout_ms = RON_TIMEOUT_DEFAULT - 1;
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/ron/64k", &options, &object, &error));
    ron_capability_release(capability);
    ron_client_release(client);
}

static void sizes_of_structs(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability();
    ron_object_t object;
    ron_call_options_t options = RON_CALL_OPTIONS_INIT;
    ron_report_t report = RON_REPORT_INIT;
    struct {
        ron_call_options_t options;
        uint64_t further;
    } newer = {RON_CALL_OPTIONS_INIT, 0};

    options.struct_size = 0;
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/ron/64k", &options, &object, &error));
    options.struct_size = (size_t)-1;
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/ron/64k", &options, &object, &error));
    options.struct_size = sizeof options;
    options.report = &report;
    report.struct_size = 1;
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/ron/64k", &options, &object, &error));
    /* A program that was compiled with a newer header, and asks for nothing new. */
    newer.options.struct_size = sizeof newer;
    CHECK_OK(ron_edge_head(client, capability, "/ron/64k", &newer.options, &object, &error));
    newer.further = 1;
    CHECK_STATUS(RON_CONFIG, ron_edge_head(client, capability, "/ron/64k", &newer.options, &object, &error));
    CHECK_STATUS(RON_CONFIG, ron_check_abi(RON_ABI_VERSION + 1, &error));
    CHECK_STATUS(RON_CONFIG, ron_check_abi(RON_ABI_VERSION + 0x10000, &error));
    CHECK(ron_abi_version() == RON_ABI_VERSION);
    ron_capability_release(capability);
    ron_client_release(client);
}

const struct test misuse[] = {
    {"nothing_where_something_should_be", nothing_where_something_should_be},
    {"nothing_is_released_and_read", nothing_is_released_and_read},
    {"texts_and_lengths", texts_and_lengths},
    {"sizes_of_structs", sizes_of_structs},
    {NULL, NULL},
};
