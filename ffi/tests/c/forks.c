/* The child of a fork: its parent's handles say so, and it makes new ones. */
#include "harness.h"

#include <sys/wait.h>
#include <unistd.h>

static ron_status_t provide(void *user_data, ron_capability_t **out) {
    (void)user_data;
    return ron_capability_from_env(out, NULL);
}

static void in_child(ron_client_t *client, ron_capability_t *capability, ron_capability_t *provided,
                     ron_queue_t *queue) {
    ron_client_t *own = test_client();
    ron_queue_t *own_queue = NULL;
    ron_client_stats_t stats = RON_CLIENT_STATS_INIT;
    ron_completion_t done;
    ron_object_t object;
    uint64_t call = 0;
    size_t count;

    CHECK_STATUS(RON_FORK_DETECTED, ron_edge_head(client, capability, "/ron/64k", NULL, &object, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_client_close(client, 1000, NULL, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_client_connect(client, NULL, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_client_stats(client, &stats, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_edge_head_start(own, capability, "/ron/64k", NULL, queue, NULL, NULL, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_queue_wait(queue, 1000, NULL, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_queue_drain(queue, &done, 1, &count, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_queue_dispatch(queue, 1, &count, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_call_cancel(queue, 1, NULL, &error));
    CHECK_STATUS(RON_FORK_DETECTED, ron_queue_close(queue, &error));
    CHECK(ron_queue_open_calls(queue) == 0);
    CHECK_STATUS(RON_FORK_DETECTED, ron_edge_head(own, provided, "/ron/64k", NULL, &object, &error));
    /* New ones work, in both forms, with the parent's token. */
    CHECK_OK(ron_edge_head(own, capability, "/ron/64k", NULL, &object, &error));
    CHECK_OK(ron_queue_new(&own_queue, &error));
    CHECK_OK(ron_edge_head_start(own, capability, "/ron/64k", NULL, own_queue, NULL, &call, &error));
    done = test_completion(own_queue, call);
    CHECK(done.status == RON_OK);
    /* The parent's client is started with in the child's queue: its completion says so. */
    CHECK_OK(ron_edge_head_start(client, capability, "/ron/64k", NULL, own_queue, NULL, &call, &error));
    ron_result_release(done.result);
    done = test_completion(own_queue, call);
    CHECK(done.status == RON_FORK_DETECTED);
    ron_result_release(done.result);
    ron_queue_release(own_queue);
    ron_client_release(own);
    /* And the parent's are released without disturbing it. */
    ron_queue_release(queue);
    ron_client_release(client);
    ron_capability_release(provided);
    ron_capability_release(capability);
}

static void parent_and_child(void) {
    ron_client_t *client = test_client();
    ron_capability_t *capability = test_capability(), *provided = NULL;
    ron_queue_t *queue = NULL;
    ron_receive_t receive = RON_RECEIVE_INIT;
    ron_object_t object;
    ron_completion_t done;
    uint64_t call = 0;
    pid_t child;
    int status = 0;

    CHECK_OK(ron_queue_new(&queue, &error));
    CHECK_OK(ron_capability_from_provider(provide, NULL, NULL, &provided, &error));
    CHECK_OK(ron_edge_head(client, provided, "/ron/64k", NULL, &object, &error));
    /* A call is open while the process is forked. */
    receive.topic = "c/forks";
    receive.wait_ms = 1500;
    CHECK_OK(ron_mailbox_receive_start(client, capability, &receive, NULL, queue, NULL, &call, &error));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(20);
        in_child(client, capability, provided, queue);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    done = test_completion(queue, call);
    CHECK(done.status == RON_OK);
    ron_result_release(done.result);
    CHECK_OK(ron_edge_head(client, provided, "/ron/64k", NULL, &object, &error));
    ron_queue_release(queue);
    ron_capability_release(provided);
    ron_capability_release(capability);
    ron_client_release(client);
}

const struct test forks[] = {
    {"parent_and_child", parent_and_child},
    {NULL, NULL},
};
