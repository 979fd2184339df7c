/* 100 puts at once from one thread, with the queue in an epoll loop. */
#include <ron_sdk.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { CALLS = 100, BATCH = 16 };

static void check(ron_status_t status, ron_error_t *error) {
    if (status != RON_OK) {
        fprintf(stderr, "epoll: %s\n", ron_error_message(error));
        exit(1);
    }
}

int main(void) {
    static char bodies[CALLS][32];
    ron_error_t *error = NULL;
    ron_config_t *config = NULL;
    ron_client_t *client = NULL;
    ron_capability_t *capability = NULL;
    ron_queue_t *queue = NULL;
    struct epoll_event event = {0};
    int loop = epoll_create1(EPOLL_CLOEXEC), at, ended = 0, failed = 0;

    check(ron_config_from_env(&config, &error), error);
    check(ron_client_new(config, &client, &error), error);
    check(ron_capability_from_env(&capability, &error), error);
    check(ron_queue_new(&queue, &error), error);
    event.events = EPOLLIN;
    event.data.ptr = queue;
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, ron_queue_fd(queue), &event) != 0) {
        perror("epoll");
        return 1;
    }
    /* The bodies are borrowed: each stays as it is until its completion. */
    for (at = 0; at < CALLS; at++) {
        int len = snprintf(bodies[at], sizeof bodies[at], "body %d", at);
        check(ron_storage_put_start(client, capability, bodies[at], (size_t)len, NULL, queue, bodies[at], NULL, &error),
              error);
    }
    while (ended < CALLS) {
        ron_completion_t done[BATCH];
        size_t count = 0, index;
        if (epoll_wait(loop, &event, 1, -1) < 1) {
            continue; /* a signal */
        }
        check(ron_queue_drain(queue, done, BATCH, &count, &error), error);
        for (index = 0; index < count; index++) {
            if (done[index].status != RON_OK) {
                fprintf(stderr, "%s: %s\n", (const char *)done[index].user_data,
                        ron_error_message(ron_result_error(done[index].result)));
                failed++;
            }
            ron_result_release(done[index].result);
        }
        ended += (int)count;
    }
    printf("%d puts ended, %d of them failed\n", ended, failed);
    epoll_ctl(loop, EPOLL_CTL_DEL, ron_queue_fd(queue), NULL);
    ron_queue_release(queue);
    ron_capability_release(capability);
    ron_client_release(client);
    ron_config_release(config);
    return failed != 0;
}
