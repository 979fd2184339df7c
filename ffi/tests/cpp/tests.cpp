// The C++ face against the gateway: each operation, throwing, as a Result, as a future and awaited.
#include <ron_sdk.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <type_traits>

#define CHECK(...)                                                                        \
    do {                                                                                  \
        if (!(__VA_ARGS__)) {                                                             \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #__VA_ARGS__); \
            std::exit(1);                                                                 \
        }                                                                                 \
    } while (0)

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<ron::Client> && std::is_nothrow_move_constructible_v<ron::Client>);
static_assert(!std::is_copy_constructible_v<ron::Buffer> && std::is_nothrow_move_constructible_v<ron::Buffer>);
static_assert(!std::is_copy_constructible_v<ron::Capability> && !std::is_copy_constructible_v<ron::Queue>);
static_assert(std::is_nothrow_move_constructible_v<ron::Queue> && std::is_nothrow_move_assignable_v<ron::Queue>);

// The kind of what is thrown.
template <class Work> static ron_status_t thrown(Work work) {
    try {
        work();
    } catch (const ron::Error &error) {
        CHECK(std::string_view(error.what()).find(error.kind_name()) == 0 || error.attempts() == 0);
        return error.kind();
    }
    return RON_OK;
}

static void blocking(const ron::Client &client, const ron::Capability &capability) {
    ron_report_t report = RON_REPORT_INIT;
    ron::Options options;
    options.timeout = 5s;
    options.report = &report;
    client.connect(options);
    CHECK(report.attempts == 1 && report.executed == RON_EXECUTED_NO);
    const auto address = client.storage_put(capability, "hello from C++", options);
    CHECK(report.attempts == 1 && report.executed == RON_EXECUTED_YES);
    CHECK(address == ron::Address::of(std::string("hello from C++")));
    CHECK(ron::Address::parse(address.str()) == address && address != ron::Address());
    const auto buffer = client.storage_get(capability, address);
    CHECK(buffer.view() == "hello from C++" && !buffer.empty() && *buffer.begin() == 'h');
    CHECK(buffer.share().data() == buffer.data());
    const std::vector<std::uint8_t> bytes(buffer.begin(), buffer.end());
    CHECK(client.storage_put(capability, bytes) == address && ron::Address::of(buffer) == address);
    const auto part = client.storage_get_range(capability, address, ron::Range{6, 99});
    CHECK(part.bytes.view() == "from C++" && part.range.last == 13 && part.size == 14);
    CHECK(client.storage_head(capability, address).size == 14);
    CHECK(client.edge_get(capability, "/ron/64k").size() == 65536);
    CHECK(client.edge_get(capability, "/ron/64k", ron::Range{0, 9}).size() == 10);
    CHECK(client.edge_head(capability, "/ron/64k").size == 65536);

    ron::Mail mail;
    mail.topic = "cpp/blocking";
    mail.body = "a message";
    mail.attributes = {{"kind", "greeting"}};
    ron::Receive receive;
    receive.topic = mail.topic;
    receive.max = 8;
    const auto receipt = client.mailbox_send(capability, mail);
    auto messages = client.mailbox_receive(capability, receive);
    CHECK(messages.size() == 1 && messages[0].id() == receipt.id && !receipt.duplicate);
    CHECK(messages[0].body() == "a message" && messages[0].attribute("kind") == "greeting");
    CHECK(messages[0].attributes().size() == 1 && messages[0].attributes()[0].first == "kind");
    CHECK(!messages[0].attribute("none") && messages[0].attempt() == 1 && messages[0].dead() == RON_DEAD_NOT);
    const auto lease = messages[0].share_lease();
    messages = ron::Messages();
    CHECK(lease.topic() == "cpp/blocking" && lease.id() == receipt.id);
    client.mailbox_extend(capability, lease.get(), 1min);
    client.mailbox_nack(capability, lease.get(), 0ms);
    const auto narrow = capability.attenuate("topic=cpp/blocking");
    const auto again = client.mailbox_recv(narrow);
    CHECK(again.size() == 1 && again[0].attempt() == 2);
    client.mailbox_ack(capability, again[0].lease());
    CHECK(thrown([&] { client.mailbox_ack(capability, lease.get()); }) == RON_STALE_LEASE);

    client.index_publish(capability, "cpp.blocking", address, ron::Expected::nothing());
    CHECK(client.index_resolve(capability, "cpp.blocking") == address);
    client.index_publish(capability, "cpp.blocking", address, ron::Expected::exactly(address));
    CHECK(thrown([&] {
              client.index_publish(capability, "cpp.blocking", address, ron::Expected::nothing());
          }) == RON_CONFLICT);
}

static void without_exceptions(const ron::Client &client, const ron::Capability &capability) {
    auto missing = client.try_storage_get(capability, ron::Address::of("never stored by C++"));
    CHECK(!missing && missing.status() == RON_NOT_FOUND && missing.error().gateway_status() == 404);
    CHECK(missing.error().executed() == RON_EXECUTED_NO && !missing.error().retry_after());
    CHECK(thrown([&] { missing.value(); }) == RON_NOT_FOUND);
    auto found = client.try_edge_head(capability, "/ron/64k");
    CHECK(found && found->size == 65536 && (*found).size == 65536 && found.status() == RON_OK);
    // What C cannot be told is refused, and not cut short.
    const std::string_view with_nul("/ron/64k\0x", 10);
    CHECK(client.try_edge_head(capability, with_nul).status() == RON_CONFIG);
    ron::Options less_than_nothing;
    less_than_nothing.timeout = -1ms;
    CHECK(client.try_edge_head(capability, "/ron/64k", less_than_nothing).status() == RON_CONFIG);
    CHECK(thrown([] { ron::Config().set("no.setting", "1"); }) == RON_CONFIG);
    ron::Config config;
    config.set("pool.max", "2");
    CHECK(config.get("pool.max") == "2" && config.get("tls.pin").empty());
    CHECK(thrown([&] { config.get("no.setting"); }) == RON_CONFIG);
    CHECK(thrown([] { ron::Config::from_file("/no/such/file.toml"); }) == RON_CONFIG);
    CHECK(!ron::Address::try_parse("b3:00"));
}

static void futures(const ron::Client &client, const ron::Capability &capability) {
    ron::Queue queue;
    std::atomic<bool> is_done{false};
    std::thread loop([&] {
        while (!is_done) {
            queue.wait(10ms);
            queue.dispatch();
        }
    });
    queue.connect(client).future().get();
    const auto address = queue.storage_put(client, capability, "a future").future().get();
    CHECK(queue.storage_get(client, capability, address).future().get().view() == "a future");
    CHECK(queue.storage_get_range(client, capability, address, ron::Range{0, 0}).future().get().bytes.view() == "a");
    CHECK(queue.storage_head(client, capability, address).future().get().size == 8);
    CHECK(queue.edge_get(client, capability, "/ron/64k").future().get().size() == 65536);
    CHECK(queue.edge_head(client, capability, "/ron/64k").future().get().size == 65536);
    ron::Mail mail;
    mail.topic = "cpp/futures";
    ron::Receive receive;
    receive.topic = mail.topic;
    CHECK(!queue.mailbox_send(client, capability, mail).future().get().id.empty());
    auto messages = queue.mailbox_receive(client, capability, receive).future().get();
    CHECK(messages.size() == 1 && messages[0].body().empty());
    queue.mailbox_extend(client, capability, messages[0].lease(), 1s).future().get();
    queue.mailbox_nack(client, capability, messages[0].lease(), 0ms).future().get();
    const auto narrow = capability.attenuate("topic=cpp/futures");
    messages = queue.mailbox_recv(client, narrow).future().get();
    queue.mailbox_ack(client, capability, messages[0].lease()).future().get();
    queue.index_publish(client, capability, "cpp.futures", address).future().get();
    CHECK(queue.index_resolve(client, capability, "cpp.futures").future().get() == address);
    auto missing = queue.edge_head(client, capability, "/none").future();
    CHECK(thrown([&] { missing.get(); }) == RON_NOT_FOUND);
    auto ended = queue.storage_head(client, capability, address).result().get();
    CHECK(ended.result && ended.result->size == 8 && ended.report.attempts == 1);
    ended = queue.storage_head(client, capability, ron::Address()).result().get();
    CHECK(ended.result.status() == RON_NOT_FOUND);
    receive.wait = 20s;
    auto waiting = queue.mailbox_receive(client, capability, receive);
    auto cancelled = waiting.future();
    CHECK(queue.cancel(waiting.call()));
    CHECK(thrown([&] { cancelled.get(); }) == RON_CANCELLED);
    is_done = true;
    loop.join();
    // A queue that goes away leaves nobody waiting.
    auto other = std::make_unique<ron::Queue>();
    auto last = other->mailbox_receive(client, capability, receive).future();
    other.reset();
    CHECK(thrown([&] { last.get(); }) == RON_CANCELLED);
    ron::Queue closed;
    closed.close();
    CHECK(thrown([&] { static_cast<void>(closed.edge_head(client, capability, "/ron/64k")); }) == RON_CLOSED);
}

#ifdef RON_HAS_COROUTINES
struct Task {
    struct promise_type {
        Task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

static Task put_and_get(const ron::Queue &queue, const ron::Client &client, const ron::Capability &capability,
                        bool &is_done) {
    const auto address = co_await queue.storage_put(client, capability, "awaited");
    const auto buffer = co_await queue.storage_get(client, capability, address);
    CHECK(buffer.view() == "awaited");
    ron_status_t kind = RON_OK;
    try {
        co_await queue.edge_head(client, capability, "/none");
    } catch (const ron::Error &error) {
        kind = error.kind();
    }
    CHECK(kind == RON_NOT_FOUND);
    is_done = true;
}

static void awaited(const ron::Client &client, const ron::Capability &capability) {
    const ron::Queue queue;
    bool is_done = false;
    put_and_get(queue, client, capability, is_done);
    while (!is_done) {
        CHECK(queue.wait(20s));
        queue.dispatch();
    }
}
#endif

// What a client counts, and two that are counted together.
static void counted(const ron::Capability &capability) {
    const ron::Metrics metrics;
    const ron::Client one(ron::Config::from_env(), metrics), other(ron::Config::from_env(), metrics);
    one.edge_head(capability, "/ron/64k");
    other.edge_head(capability, "/ron/64k");
    double heads = 0;
    for (const ron::Sample &sample : one.metrics().snapshot()) {
        if (sample.name == "sdk_requests_total") {
            CHECK(sample.labels.at(0) == std::make_pair(std::string("endpoint"), std::string("edge.head")));
            heads += sample.value;
        }
    }
    CHECK(heads == 2);
    const std::string text = metrics.share().prometheus();
    CHECK(text.find("sdk_requests_total{endpoint=\"edge.head\",outcome=\"ok\",code=\"200\"} 2\n") != std::string::npos);
    CHECK(std::string_view(ron::Metrics::content_type()).find("openmetrics") != std::string_view::npos);
}

int main() {
    const auto client = ron::Client::from_env();
    const auto capability = ron::Capability::from_env();
    blocking(client, capability);
    without_exceptions(client, capability);
    futures(client, capability);
#ifdef RON_HAS_COROUTINES
    awaited(client, capability);
#endif
    counted(capability);
    CHECK(client.probe().is_ready() && client.ready().check(RON_CHECKED_TRANSPORT) == RON_CHECK_OK);
    CHECK(client.ready().status(RON_CHECKED_TOR) == RON_OK && client.ready().reason(RON_CHECKED_TOR).empty());
    ron::Options traced;
    traced.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    client.edge_head(capability, "/ron/64k", traced);
    traced.traceparent = "no trace";
    CHECK(client.try_edge_head(capability, "/ron/64k", traced).status() == RON_CONFIG);
    auto other = client.share();
    CHECK(other.close(1s) == 0);
    CHECK(client.try_edge_head(capability, "/ron/64k").status() == RON_CLOSED);
    CHECK(client.try_connect().status() == RON_CLOSED);
    std::printf("C++ %ld: passed\n", __cplusplus);
}
