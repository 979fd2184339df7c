// ron_sdk.hpp: libron_sdk for C++17 and newer, header only, on top of ron_sdk.h.
//
// Handles are moved and not copied; they release what they hold. An operation comes in three forms: client.storage_get(…)
// throws ron::Error; client.try_storage_get(…) throws nothing and returns a ron::Result; calls.storage_get(…), of a
// ron::Queue's calls, returns a ron::Pending at once, which is a std::future, or is awaited under C++20.
// Threads: as ron_sdk.h says of the types beneath. An object itself is moved or assigned by one thread at a time.
// Licensed under Apache-2.0 or MIT, at your option.
#ifndef RON_SDK_HPP
#define RON_SDK_HPP

#include "ron_sdk.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#if defined(__cpp_impl_coroutine) && __has_include(<coroutine>)
#include <coroutine>
#define RON_HAS_COROUTINES 1
#endif

namespace ron {

// What went wrong. Its text has no secrets; programs look at kind().
class Error : public std::exception {
public:
    // Takes a ron_error_t over.
    Error(ron_status_t status, ron_error_t *error) : kind_(status), error_(error, ron_error_release) {}

    ron_status_t kind() const noexcept { return kind_; }
    const char *kind_name() const noexcept { return ron_status_name(kind_); }
    ron_executed_t executed() const noexcept { return ron_error_executed(error_.get()); }
    std::uint32_t attempts() const noexcept { return ron_error_attempts(error_.get()); }
    // 0 where the gateway did not answer.
    std::uint16_t gateway_status() const noexcept { return ron_error_gateway_status(error_.get()); }
    std::optional<std::chrono::milliseconds> retry_after() const noexcept {
        std::uint64_t after = 0;
        if (!ron_error_retry_after_ms(error_.get(), &after)) {
            return std::nullopt;
        }
        return std::chrono::milliseconds(after);
    }
    const char *what() const noexcept override { return error_ ? ron_error_message(error_.get()) : kind_name(); }

private:
    ron_status_t kind_;
    // Shared: exceptions are copied.
    std::shared_ptr<ron_error_t> error_;
};

struct Nothing {};

// A value or an Error, for those who do not want exceptions.
template <class T> class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const noexcept { return state_.index() == 0; }
    ron_status_t status() const noexcept { return *this ? RON_OK : std::get_if<1>(&state_)->kind(); }
    // The value; throws the Error where there is none.
    T &value() & {
        check();
        return *std::get_if<0>(&state_);
    }
    T value() && {
        check();
        return std::move(*std::get_if<0>(&state_));
    }
    // Only where there is one.
    T &operator*() noexcept { return *std::get_if<0>(&state_); }
    T *operator->() noexcept { return std::get_if<0>(&state_); }
    const Error &error() const noexcept { return *std::get_if<1>(&state_); }

private:
    void check() const {
        if (!*this) {
            throw *std::get_if<1>(&state_);
        }
    }
    std::variant<T, Error> state_;
};

// Bytes of somebody else's: a text, a vector, an array, a span, a ron::Buffer.
class ByteView {
public:
    constexpr ByteView() noexcept = default;
    constexpr ByteView(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
    constexpr ByteView(std::string_view text) noexcept : data_(text.data()), size_(text.size()) {}
    constexpr ByteView(const char *text) noexcept : ByteView(std::string_view(text)) {}
    ByteView(const std::string &text) noexcept : data_(text.data()), size_(text.size()) {}
    template <class C, class E = std::remove_pointer_t<decltype(std::declval<const C &>().data())>,
              class = std::enable_if_t<sizeof(E) == 1 && std::is_trivially_copyable_v<std::remove_cv_t<E>>>>
    constexpr ByteView(const C &bytes) noexcept : data_(bytes.data()), size_(bytes.size()) {}

    constexpr const void *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }

private:
    const void *data_ = nullptr;
    std::size_t size_ = 0;
};

namespace detail {

template <auto Release> struct Releaser {
    template <class T> void operator()(T *handle) const noexcept { Release(handle); }
};
template <class T, auto Release> using Handle = std::unique_ptr<T, Releaser<Release>>;

// A text with a NUL at its end. One with a NUL within cannot be said to C: it becomes what no rule allows.
class Text {
public:
    explicit Text(std::string_view text)
        : text_(text.find('\0') == std::string_view::npos ? std::string(text) : std::string("\xff")) {}
    const char *get() const noexcept { return text_.c_str(); }

private:
    std::string text_;
};

// Makes a call of C, and a Result of its status and what it has put.
template <class T, class Call> Result<T> attempt(Call call) {
    ron_error_t *error = nullptr;
    T value{};
    const ron_status_t status = call(value, &error);
    if (status != RON_OK) {
        return Error(status, error);
    }
    return Result<T>(std::move(value));
}

template <class T, class Raw, class Call> Result<T> attempt_handle(Call call) {
    ron_error_t *error = nullptr;
    Raw *handle = nullptr;
    const ron_status_t status = call(&handle, &error);
    if (status != RON_OK) {
        return Error(status, error);
    }
    return T(handle);
}

} // namespace detail

// The BLAKE3 address of an object.
class Address {
public:
    Address() noexcept : raw_{} {}
    explicit Address(const ron_address_t &raw) noexcept : raw_(raw) {}

    static Address of(ByteView bytes) {
        return detail::attempt<Address>([&](Address &out, ron_error_t **error) {
                   return ron_address_of(bytes.data(), bytes.size(), &out.raw_, error);
               })
            .value();
    }
    static Result<Address> try_parse(std::string_view text) {
        return detail::attempt<Address>([&](Address &out, ron_error_t **error) {
            return ron_address_parse(detail::Text(text).get(), &out.raw_, error);
        });
    }
    static Address parse(std::string_view text) { return try_parse(text).value(); }

    std::string str() const {
        std::array<char, RON_ADDRESS_TEXT_SIZE> text{};
        ron_address_format(&raw_, text.data(), text.size(), nullptr);
        return text.data();
    }
    const ron_address_t *get() const noexcept { return &raw_; }
    ron_address_t *get() noexcept { return &raw_; }
    friend bool operator==(const Address &one, const Address &two) noexcept {
        return std::memcmp(&one.raw_, &two.raw_, sizeof one.raw_) == 0;
    }
    friend bool operator!=(const Address &one, const Address &two) noexcept { return !(one == two); }

private:
    ron_address_t raw_;
};

// Bytes that were received, where they were received.
class Buffer {
public:
    Buffer() noexcept = default;
    explicit Buffer(ron_buffer_t *buffer) noexcept : handle_(buffer) {}

    const std::uint8_t *data() const noexcept {
        return static_cast<const std::uint8_t *>(ron_buffer_data(handle_.get()));
    }
    std::size_t size() const noexcept { return ron_buffer_len(handle_.get()); }
    bool empty() const noexcept { return size() == 0; }
    const std::uint8_t *begin() const noexcept { return data(); }
    const std::uint8_t *end() const noexcept { return data() + size(); }
    std::string_view view() const noexcept { return {reinterpret_cast<const char *>(data()), size()}; }
    Buffer share() const { return Buffer(ron_buffer_share(handle_.get())); }

private:
    detail::Handle<ron_buffer_t, ron_buffer_release> handle_;
};

using Object = ron_object_t;
using Range = ron_range_t;

// A part of an object, which cannot be verified.
struct Part {
    Buffer bytes;
    Range range{};
    std::uint64_t size = 0;
};

struct Receipt {
    std::string id;
    bool duplicate = false;
};

// The right to acknowledge one delivery of a message.
class Lease {
public:
    explicit Lease(ron_lease_t *lease) noexcept : handle_(lease) {}
    // As another process had it.
    Lease(std::string_view topic, std::string_view id, std::string_view token)
        : Lease(detail::attempt_handle<Lease, ron_lease_t>([&](ron_lease_t **out, ron_error_t **error) {
                    return ron_lease_new(detail::Text(topic).get(), detail::Text(id).get(), detail::Text(token).get(), out,
                                         error);
                }).value()) {}
    const ron_lease_t *get() const noexcept { return handle_.get(); }
    std::string_view topic() const noexcept { return ron_lease_topic(get()); }
    std::string_view id() const noexcept { return ron_lease_id(get()); }

private:
    detail::Handle<ron_lease_t, ron_lease_release> handle_;
};

// A message of a batch, valid as long as that.
class Message {
public:
    explicit Message(const ron_message_t *message) noexcept : raw_(message) {}
    std::string_view id() const noexcept { return ron_message_id(raw_); }
    std::uint32_t attempt() const noexcept { return ron_message_attempt(raw_); }
    std::string_view body() const noexcept {
        return {static_cast<const char *>(ron_message_body(raw_)), ron_message_body_len(raw_)};
    }
    Buffer share_body() const { return Buffer(ron_message_share_body(raw_)); }
    std::chrono::system_clock::time_point sent_at() const noexcept {
        return std::chrono::system_clock::time_point(std::chrono::milliseconds(ron_message_sent_at_ms(raw_)));
    }
    std::optional<std::string_view> attribute(std::string_view name) const {
        const char *value = ron_message_attribute(raw_, detail::Text(name).get());
        return value ? std::optional<std::string_view>(value) : std::nullopt;
    }
    // In the order of their names.
    std::vector<std::pair<std::string_view, std::string_view>> attributes() const {
        std::vector<std::pair<std::string_view, std::string_view>> all;
        for (std::size_t at = 0; at < ron_message_attribute_count(raw_); at++) {
            const char *name = ron_message_attribute_name(raw_, at);
            all.emplace_back(name, ron_message_attribute(raw_, name));
        }
        return all;
    }
    ron_dead_reason_t dead(std::uint32_t *deliveries = nullptr) const noexcept {
        return ron_message_dead(raw_, deliveries);
    }
    const ron_lease_t *lease() const noexcept { return ron_message_lease(raw_); }
    Lease share_lease() const { return Lease(ron_lease_share(lease())); }

private:
    const ron_message_t *raw_;
};

class Messages {
public:
    Messages() noexcept = default;
    explicit Messages(ron_messages_t *messages) noexcept : handle_(messages) {}
    std::size_t size() const noexcept { return ron_messages_count(handle_.get()); }
    bool empty() const noexcept { return size() == 0; }
    // Only with an index below size().
    Message operator[](std::size_t index) const noexcept { return Message(ron_messages_at(handle_.get(), index)); }

private:
    detail::Handle<ron_messages_t, ron_messages_release> handle_;
};

// One number that clients have counted, with its name and labels.
struct Sample {
    std::string name;
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

// The counters of one client, or of all that are made with it.
class Metrics {
public:
    Metrics()
        : Metrics(detail::attempt_handle<Metrics, ron_metrics_t>([](ron_metrics_t **out, ron_error_t **error) {
                      return ron_metrics_new(out, error);
                  }).value()) {}
    explicit Metrics(ron_metrics_t *metrics) noexcept : handle_(metrics) {}
    Metrics share() const { return Metrics(ron_metrics_share(get())); }
    const ron_metrics_t *get() const noexcept { return handle_.get(); }

    // As text for Prometheus, with content_type().
    std::string prometheus() const {
        const auto text = detail::attempt_handle<Buffer, ron_buffer_t>([&](ron_buffer_t **out, ron_error_t **error) {
                              return ron_metrics_text(get(), out, error);
                          }).value();
        return std::string(text.view());
    }
    static const char *content_type() noexcept { return ron_metrics_content_type(); }
    // As numbers.
    std::vector<Sample> snapshot() const {
        const auto samples =
            detail::attempt_handle<detail::Handle<ron_samples_t, ron_samples_release>, ron_samples_t>(
                [&](ron_samples_t **out, ron_error_t **error) { return ron_metrics_snapshot(get(), out, error); })
                .value();
        std::vector<Sample> all(ron_samples_count(samples.get()));
        for (std::size_t at = 0; at < all.size(); at++) {
            const ron_sample_t *sample = ron_samples_at(samples.get(), at);
            all[at].name = ron_sample_name(sample);
            all[at].value = ron_sample_value(sample);
            for (std::size_t label = 0; label < ron_sample_label_count(sample); label++) {
                const char *name = ron_sample_label_name(sample, label);
                all[at].labels.emplace_back(name, ron_sample_label(sample, name));
            }
        }
        return all;
    }

private:
    detail::Handle<ron_metrics_t, ron_metrics_release> handle_;
};

// Whether a client is ready, check by check.
class Readiness {
public:
    explicit Readiness(ron_readiness_t *readiness) noexcept : handle_(readiness) {}
    // Whether every check that applies is well.
    bool is_ready() const noexcept { return ron_readiness_is_ready(handle_.get()); }
    // RON_CHECKED_CONFIG, RON_CHECKED_TOR or RON_CHECKED_TRANSPORT.
    ron_check_t check(ron_checked_t check) const noexcept { return ron_readiness_check(handle_.get(), check, nullptr); }
    // RON_OK where it has not failed.
    ron_status_t status(ron_checked_t check) const noexcept {
        ron_status_t status = RON_OK;
        ron_readiness_check(handle_.get(), check, &status);
        return status;
    }
    // Why it has failed; empty where it has not.
    std::string_view reason(ron_checked_t check) const noexcept {
        const char *reason = ron_readiness_reason(handle_.get(), check);
        return reason ? reason : std::string_view();
    }

private:
    detail::Handle<ron_readiness_t, ron_readiness_release> handle_;
};

// A message to be sent. What it points to stays the caller's until the call has ended.
struct Mail {
    std::string topic;
    ByteView body;
    std::vector<std::pair<std::string, std::string>> attributes;
};

struct Receive {
    std::string topic;
    std::uint32_t max = 1;
    std::chrono::milliseconds visibility{30000};
    std::chrono::milliseconds wait{0};
};

// What a publish expects a name to stand for.
struct Expected {
    ron_expected_t kind = RON_EXPECTED_ANYTHING;
    Address address;

    static Expected anything() { return {}; }
    static Expected nothing() { return {RON_EXPECTED_NOTHING, {}}; }
    static Expected exactly(const Address &address) { return {RON_EXPECTED_ADDRESS, address}; }
};

// How a call is made: no timeout is the client's own, no key a fresh one. `report` is of blocking calls only.
struct Options {
    std::optional<std::chrono::milliseconds> timeout;
    std::optional<std::string> idempotency_key;
    ron_report_t *report = nullptr;
    // The trace that the call is part of, as W3C Trace Context has it.
    std::optional<std::string> traceparent = std::nullopt;
};

class Config {
public:
    Config() : Config(make(ron_config_new)) {}
    static Config from_env() { return make(ron_config_from_env); }
    // The environment goes before the file.
    static Config from_file(std::string_view path) {
        const detail::Text text(path);
        return make([&](ron_config_t **out, ron_error_t **error) { return ron_config_from_file(text.get(), out, error); });
    }
    // The text that sets what a setting is, empty where it is not set.
    std::string get(std::string_view key) const {
        ron_error_t *error = nullptr;
        ron_buffer_t *value = nullptr;
        const auto status = ron_config_get(handle_.get(), detail::Text(key).get(), &value, &error);
        if (status != RON_OK) {
            throw Error(status, error);
        }
        const detail::Handle<ron_buffer_t, ron_buffer_release> held(value);
        return {static_cast<const char *>(ron_buffer_data(value)), ron_buffer_len(value)};
    }
    Config &set(std::string_view key, std::string_view value) {
        ron_error_t *error = nullptr;
        const auto status = ron_config_set(handle_.get(), detail::Text(key).get(), detail::Text(value).get(), &error);
        if (status != RON_OK) {
            throw Error(status, error);
        }
        return *this;
    }
    const ron_config_t *get() const noexcept { return handle_.get(); }

private:
    explicit Config(ron_config_t *config) noexcept : handle_(config) {}
    template <class Make> static Config make(Make make) {
        ron_error_t *error = nullptr;
        ron_config_t *config = nullptr;
        const auto status = make(&config, &error);
        if (status != RON_OK) {
            throw Error(status, error);
        }
        return Config(config);
    }
    detail::Handle<ron_config_t, ron_config_release> handle_;
};

class Capability {
public:
    explicit Capability(ron_capability_t *capability) noexcept : handle_(capability) {}
    static Capability from_env() {
        return detail::attempt_handle<Capability, ron_capability_t>(ron_capability_from_env).value();
    }
    static Capability from_text(std::string_view token) {
        return detail::attempt_handle<Capability, ron_capability_t>([&](ron_capability_t **out, ron_error_t **error) {
                   return ron_capability_from_text(detail::Text(token).get(), out, error);
               })
            .value();
    }
    static Capability from_bytes(ByteView token) {
        return detail::attempt_handle<Capability, ron_capability_t>([&](ron_capability_t **out, ron_error_t **error) {
                   return ron_capability_from_bytes(token.data(), token.size(), out, error);
               })
            .value();
    }
    static Capability from_file(std::string_view path) {
        return detail::attempt_handle<Capability, ron_capability_t>([&](ron_capability_t **out, ron_error_t **error) {
                   return ron_capability_from_file(detail::Text(path).get(), out, error);
               })
            .value();
    }
    Capability attenuate(std::string_view caveat) const {
        return detail::attempt_handle<Capability, ron_capability_t>([&](ron_capability_t **out, ron_error_t **error) {
                   return ron_capability_attenuate(get(), detail::Text(caveat).get(), out, error);
               })
            .value();
    }
    const ron_capability_t *get() const noexcept { return handle_.get(); }

private:
    detail::Handle<ron_capability_t, ron_capability_release> handle_;
};

namespace detail {

// Options as C has them, for as long as a call of C lasts.
class RawOptions {
public:
    explicit RawOptions(const Options &options, ron_callback_t callback = nullptr) : raw_ RON_CALL_OPTIONS_INIT {
        if (options.timeout) {
            // Less than nothing is refused like nothing.
            raw_.timeout_ms = options.timeout->count() > 0 ? static_cast<std::uint64_t>(options.timeout->count()) : 0;
        }
        if (options.idempotency_key) {
            key_.emplace(*options.idempotency_key);
            raw_.idempotency_key = key_->get();
        }
        if (options.traceparent) {
            traceparent_.emplace(*options.traceparent);
            raw_.traceparent = traceparent_->get();
        }
        raw_.report = callback ? nullptr : options.report;
        raw_.callback = callback;
    }
    RawOptions(const RawOptions &) = delete;
    const ron_call_options_t *get() const noexcept { return &raw_; }

private:
    std::optional<Text> key_, traceparent_;
    ron_call_options_t raw_;
};

class RawMail {
public:
    explicit RawMail(const Mail &mail) : topic_(mail.topic), raw_ RON_MAIL_INIT {
        texts_.reserve(2 * mail.attributes.size());
        for (const auto &[name, value] : mail.attributes) {
            texts_.emplace_back(name);
            texts_.emplace_back(value);
        }
        for (std::size_t at = 0; at < texts_.size(); at += 2) {
            attributes_.push_back({texts_[at].get(), texts_[at + 1].get()});
        }
        raw_.topic = topic_.get();
        raw_.body = mail.body.data();
        raw_.body_len = mail.body.size();
        raw_.attributes = attributes_.data();
        raw_.attributes_len = attributes_.size();
    }
    RawMail(const RawMail &) = delete;
    const ron_mail_t *get() const noexcept { return &raw_; }

private:
    Text topic_;
    std::vector<Text> texts_;
    std::vector<ron_attribute_t> attributes_;
    ron_mail_t raw_;
};

class RawReceive {
public:
    explicit RawReceive(const Receive &receive) : topic_(receive.topic), raw_ RON_RECEIVE_INIT {
        raw_.topic = topic_.get();
        raw_.max = receive.max;
        raw_.visibility_ms = static_cast<std::uint64_t>(receive.visibility.count());
        raw_.wait_ms = static_cast<std::uint64_t>(receive.wait.count());
    }
    RawReceive(const RawReceive &) = delete;
    const ron_receive_t *get() const noexcept { return &raw_; }

private:
    Text topic_;
    ron_receive_t raw_;
};

inline Receipt receipt(const ron_receipt_t &raw) {
    return {raw.id, raw.duplicate != 0};
}

} // namespace detail

// A client of one gateway. Copies are not made: share() makes another one of the same connections.
class Client {
public:
    explicit Client(const Config &config)
        : Client(detail::attempt_handle<Client, ron_client_t>([&](ron_client_t **out, ron_error_t **error) {
                     return ron_client_new(config.get(), out, error);
                 }).value()) {}
    // Counts into `metrics`, perhaps together with others.
    Client(const Config &config, const Metrics &metrics)
        : Client(detail::attempt_handle<Client, ron_client_t>([&](ron_client_t **out, ron_error_t **error) {
                     return ron_client_new_with_metrics(config.get(), metrics.get(), out, error);
                 }).value()) {}
    explicit Client(ron_client_t *client) noexcept : handle_(client) {}
    static Client from_env() { return Client(Config::from_env()); }
    Client share() const { return Client(ron_client_share(get())); }
    const ron_client_t *get() const noexcept { return handle_.get(); }

    // What its calls are counted by.
    Metrics metrics() const {
        return detail::attempt_handle<Metrics, ron_metrics_t>([&](ron_metrics_t **out, ron_error_t **error) {
                   return ron_client_metrics(get(), out, error);
               })
            .value();
    }

    // What the client knows of itself, without I/O.
    Readiness ready() const {
        return detail::attempt_handle<Readiness, ron_readiness_t>([&](ron_readiness_t **out, ron_error_t **error) {
                   return ron_client_ready(get(), out, error);
               })
            .value();
    }
    // What it finds out: it connects, or lets a connection that is open show that it is alive.
    Readiness probe(std::optional<std::chrono::milliseconds> limit = {}) const {
        Options options;
        options.timeout = limit;
        return handle<Readiness, ron_readiness_t>(options, [&](auto out, auto raw, auto error) {
                   return ron_client_probe(get(), raw, out, error);
               })
            .value();
    }

    // How many calls were cut off.
    std::size_t close(std::chrono::milliseconds limit) {
        return detail::attempt<std::size_t>([&](std::size_t &out, ron_error_t **error) {
                   return ron_client_close(get(), static_cast<std::uint64_t>(limit.count()), &out, error);
               })
            .value();
    }

    // Opens a connection where none is open, and waits for the gateway's HELLO. No call needs it.
    Result<Nothing> try_connect(const Options &options = {}) const {
        return call<Nothing>(options, [&](Nothing &, auto raw, auto error) {
            return ron_client_connect(get(), raw, error);
        });
    }
    Result<Address> try_storage_put(const Capability &capability, ByteView body, const Options &options = {}) const {
        return call<Address>(options, [&](Address &out, auto raw, auto error) {
            return ron_storage_put(get(), capability.get(), body.data(), body.size(), raw, out.get(), error);
        });
    }
    Result<Buffer> try_storage_get(const Capability &capability, const Address &address,
                                   const Options &options = {}) const {
        return handle<Buffer, ron_buffer_t>(options, [&](auto out, auto raw, auto error) {
            return ron_storage_get(get(), capability.get(), address.get(), raw, out, error);
        });
    }
    Result<Part> try_storage_get_range(const Capability &capability, const Address &address, Range range,
                                       const Options &options = {}) const {
        return call<Part>(options, [&](Part &out, auto raw, auto error) {
            ron_buffer_t *buffer = nullptr;
            ron_part_t part{};
            const auto status =
                ron_storage_get_range(get(), capability.get(), address.get(), &range, raw, &buffer, &part, error);
            out = Part{Buffer(buffer), part.range, part.size};
            return status;
        });
    }
    Result<Object> try_storage_head(const Capability &capability, const Address &address,
                                    const Options &options = {}) const {
        return call<Object>(options, [&](Object &out, auto raw, auto error) {
            return ron_storage_head(get(), capability.get(), address.get(), raw, &out, error);
        });
    }
    Result<Buffer> try_edge_get(const Capability &capability, std::string_view path,
                                std::optional<Range> range = {}, const Options &options = {}) const {
        return handle<Buffer, ron_buffer_t>(options, [&](auto out, auto raw, auto error) {
            return ron_edge_get(get(), capability.get(), detail::Text(path).get(), range ? &*range : nullptr, raw, out,
                                error);
        });
    }
    Result<Object> try_edge_head(const Capability &capability, std::string_view path,
                                 const Options &options = {}) const {
        return call<Object>(options, [&](Object &out, auto raw, auto error) {
            return ron_edge_head(get(), capability.get(), detail::Text(path).get(), raw, &out, error);
        });
    }
    Result<Receipt> try_mailbox_send(const Capability &capability, const Mail &mail,
                                     const Options &options = {}) const {
        return call<Receipt>(options, [&](Receipt &out, auto raw, auto error) {
            ron_receipt_t receipt{};
            const auto status =
                ron_mailbox_send(get(), capability.get(), detail::RawMail(mail).get(), raw, &receipt, error);
            out = detail::receipt(receipt);
            return status;
        });
    }
    Result<Messages> try_mailbox_receive(const Capability &capability, const Receive &receive,
                                         const Options &options = {}) const {
        return handle<Messages, ron_messages_t>(options, [&](auto out, auto raw, auto error) {
            return ron_mailbox_receive(get(), capability.get(), detail::RawReceive(receive).get(), raw, out, error);
        });
    }
    Result<Messages> try_mailbox_recv(const Capability &capability, const Options &options = {}) const {
        return handle<Messages, ron_messages_t>(options, [&](auto out, auto raw, auto error) {
            return ron_mailbox_recv(get(), capability.get(), raw, out, error);
        });
    }
    Result<Nothing> try_mailbox_ack(const Capability &capability, const ron_lease_t *lease,
                                    const Options &options = {}) const {
        return call<Nothing>(options, [&](Nothing &, auto raw, auto error) {
            return ron_mailbox_ack(get(), capability.get(), lease, raw, error);
        });
    }
    Result<Nothing> try_mailbox_nack(const Capability &capability, const ron_lease_t *lease,
                                     std::chrono::milliseconds delay, const Options &options = {}) const {
        return call<Nothing>(options, [&](Nothing &, auto raw, auto error) {
            return ron_mailbox_nack(get(), capability.get(), lease, static_cast<std::uint64_t>(delay.count()), raw,
                                    error);
        });
    }
    Result<Nothing> try_mailbox_extend(const Capability &capability, const ron_lease_t *lease,
                                       std::chrono::milliseconds visibility, const Options &options = {}) const {
        return call<Nothing>(options, [&](Nothing &, auto raw, auto error) {
            return ron_mailbox_extend(get(), capability.get(), lease, static_cast<std::uint64_t>(visibility.count()),
                                      raw, error);
        });
    }
    Result<Address> try_index_resolve(const Capability &capability, std::string_view name,
                                      const Options &options = {}) const {
        return call<Address>(options, [&](Address &out, auto raw, auto error) {
            return ron_index_resolve(get(), capability.get(), detail::Text(name).get(), raw, out.get(), error);
        });
    }
    Result<Nothing> try_index_publish(const Capability &capability, std::string_view name, const Address &address,
                                      const Expected &expected = {}, const Options &options = {}) const {
        return call<Nothing>(options, [&](Nothing &, auto raw, auto error) {
            return ron_index_publish(get(), capability.get(), detail::Text(name).get(), address.get(), expected.kind,
                                     expected.address.get(), raw, error);
        });
    }

    // The same, throwing ron::Error.
    void connect(const Options &options = {}) const { try_connect(options).value(); }
    template <class... A> Address storage_put(A &&...a) const { return try_storage_put(std::forward<A>(a)...).value(); }
    template <class... A> Buffer storage_get(A &&...a) const { return try_storage_get(std::forward<A>(a)...).value(); }
    template <class... A> Part storage_get_range(A &&...a) const {
        return try_storage_get_range(std::forward<A>(a)...).value();
    }
    template <class... A> Object storage_head(A &&...a) const {
        return try_storage_head(std::forward<A>(a)...).value();
    }
    template <class... A> Buffer edge_get(A &&...a) const { return try_edge_get(std::forward<A>(a)...).value(); }
    template <class... A> Object edge_head(A &&...a) const { return try_edge_head(std::forward<A>(a)...).value(); }
    template <class... A> Receipt mailbox_send(A &&...a) const {
        return try_mailbox_send(std::forward<A>(a)...).value();
    }
    template <class... A> Messages mailbox_receive(A &&...a) const {
        return try_mailbox_receive(std::forward<A>(a)...).value();
    }
    template <class... A> Messages mailbox_recv(A &&...a) const {
        return try_mailbox_recv(std::forward<A>(a)...).value();
    }
    template <class... A> void mailbox_ack(A &&...a) const { try_mailbox_ack(std::forward<A>(a)...).value(); }
    template <class... A> void mailbox_nack(A &&...a) const { try_mailbox_nack(std::forward<A>(a)...).value(); }
    template <class... A> void mailbox_extend(A &&...a) const { try_mailbox_extend(std::forward<A>(a)...).value(); }
    template <class... A> Address index_resolve(A &&...a) const {
        return try_index_resolve(std::forward<A>(a)...).value();
    }
    template <class... A> void index_publish(A &&...a) const { try_index_publish(std::forward<A>(a)...).value(); }

private:
    template <class T, class Call> static Result<T> call(const Options &options, Call call) {
        const detail::RawOptions raw(options);
        ron_error_t *error = nullptr;
        T value{};
        const ron_status_t status = call(value, raw.get(), &error);
        if (status != RON_OK) {
            return Error(status, error);
        }
        return Result<T>(std::move(value));
    }
    template <class T, class Raw, class Call> static Result<T> handle(const Options &options, Call call) {
        const detail::RawOptions raw(options);
        return detail::attempt_handle<T, Raw>(
            [&](Raw **out, ron_error_t **error) { return call(out, raw.get(), error); });
    }
    detail::Handle<ron_client_t, ron_client_release> handle_;
};

namespace detail {

// What a completion has, as C++ has it.
template <class T> T take(ron_result_t *result);
template <> inline Address take<Address>(ron_result_t *result) {
    Address address;
    ron_result_address(result, address.get());
    return address;
}
template <> inline Buffer take<Buffer>(ron_result_t *result) {
    return Buffer(ron_result_take_buffer(result));
}
template <> inline Part take<Part>(ron_result_t *result) {
    ron_part_t part{};
    ron_result_part(result, &part);
    return Part{Buffer(ron_result_take_buffer(result)), part.range, part.size};
}
template <> inline Object take<Object>(ron_result_t *result) {
    Object object{};
    ron_result_object(result, &object);
    return object;
}
template <> inline Receipt take<Receipt>(ron_result_t *result) {
    ron_receipt_t raw{};
    ron_result_receipt(result, &raw);
    return receipt(raw);
}
template <> inline Messages take<Messages>(ron_result_t *result) {
    return Messages(ron_result_take_messages(result));
}
template <> inline Nothing take<Nothing>(ron_result_t *) {
    return {};
}

} // namespace detail

// How an asynchronous call ended, and where it succeeded, how it went.
template <class T> struct Ended {
    Result<T> result;
    ron_report_t report;
};

namespace detail {

// An asynchronous call, until both its completion and whoever waits for it are done with it.
template <class T> struct Shared {
    std::mutex mutex;
    // Until somebody has it.
    std::optional<Ended<T>> ended;
    // Takes it, once somebody waits.
    std::function<void(Ended<T>)> waiting;

    void complete(Ended<T> result) {
        std::function<void(Ended<T>)> taker;
        {
            const std::lock_guard<std::mutex> lock(mutex);
            if (!waiting) {
                ended.emplace(std::move(result));
                return;
            }
            taker.swap(waiting);
        }
        taker(std::move(result));
    }

    void wait(std::function<void(Ended<T>)> taker) {
        std::optional<Ended<T>> result;
        {
            const std::lock_guard<std::mutex> lock(mutex);
            if (!ended) {
                waiting = std::move(taker);
                return;
            }
            result.swap(ended);
        }
        taker(std::move(*result));
    }
};

} // namespace detail

// An asynchronous call that is on its way: either future() or result() or, under C++20, co_await, once. Somebody has to
// dispatch the queue's completions meanwhile.
template <class T> class [[nodiscard]] Pending {
public:
    Pending(std::shared_ptr<detail::Shared<T>> shared, std::uint64_t call) : shared_(std::move(shared)), call_(call) {}

    // The call's number, for Queue::cancel().
    std::uint64_t call() const noexcept { return call_; }

    // Its get() throws ron::Error.
    std::future<T> future() {
        auto promise = std::make_shared<std::promise<T>>();
        shared_->wait([promise](Ended<T> ended) {
            if (ended.result) {
                promise->set_value(std::move(*ended.result));
            } else {
                promise->set_exception(std::make_exception_ptr(ended.result.error()));
            }
        });
        return promise->get_future();
    }

    // The same without exceptions, and with the report.
    std::future<Ended<T>> result() {
        auto promise = std::make_shared<std::promise<Ended<T>>>();
        shared_->wait([promise](Ended<T> ended) { promise->set_value(std::move(ended)); });
        return promise->get_future();
    }

#ifdef RON_HAS_COROUTINES
    // Goes on in the thread that dispatches the completion.
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) {
        const std::lock_guard<std::mutex> lock(shared_->mutex);
        if (shared_->ended) {
            return false;
        }
        shared_->waiting = [shared = shared_.get(), waiting](Ended<T> ended) {
            shared->ended.emplace(std::move(ended));
            waiting.resume();
        };
        return true;
    }
    T await_resume() { return std::move(shared_->ended->result).value(); }
#endif

private:
    std::shared_ptr<detail::Shared<T>> shared_;
    std::uint64_t call_;
};

// A queue of completions: one per event loop. Bodies are borrowed until their call has ended or the queue is gone. A queue
// that is destroyed cancels its open calls, and hands their completions out in that thread.
class Queue {
public:
    Queue() : handle_(detail::attempt_handle<Handle, ron_queue_t>(ron_queue_new).value()) {}
    Queue(Queue &&) noexcept = default;
    Queue &operator=(Queue &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Queue() {
        std::size_t count = 0;
        if (ron_queue_close(get(), nullptr) != RON_OK) {
            return;
        }
        while (ron_queue_dispatch(get(), 64, &count, nullptr) == RON_OK && count > 0) {
        }
    }
    const ron_queue_t *get() const noexcept { return handle_.get(); }

    // Readable while there are completions.
    int fd() const noexcept { return ron_queue_fd(get()); }
    // Whether there are completions; negative waits for ever.
    bool wait(std::chrono::milliseconds limit) const {
        return detail::attempt<bool>([&](bool &ready, ron_error_t **error) {
                   return ron_queue_wait(get(), limit.count(), &ready, error);
               })
            .value();
    }
    // Hands completions to those who wait for them. How many.
    std::size_t dispatch(std::size_t most = 64) const {
        return detail::attempt<std::size_t>([&](std::size_t &count, ron_error_t **error) {
                   return ron_queue_dispatch(get(), most, &count, error);
               })
            .value();
    }
    bool cancel(std::uint64_t call) const {
        return detail::attempt<bool>([&](bool &was_open, ron_error_t **error) {
                   return ron_call_cancel(get(), call, &was_open, error);
               })
            .value();
    }
    void close() const {
        ron_error_t *error = nullptr;
        const auto status = ron_queue_close(get(), &error);
        if (status != RON_OK) {
            throw Error(status, error);
        }
    }

    // Each throws ron::Error where the call cannot be started.
    Pending<Nothing> connect(const Client &client, const Options &options = {}) const {
        return start<Nothing>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_client_connect_start(client.get(), raw, get(), data, call, error);
        });
    }
    Pending<Address> storage_put(const Client &client, const Capability &capability, ByteView body,
                                 const Options &options = {}) const {
        return start<Address>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_storage_put_start(client.get(), capability.get(), body.data(), body.size(), raw, get(), data,
                                         call, error);
        });
    }
    Pending<Buffer> storage_get(const Client &client, const Capability &capability, const Address &address,
                                const Options &options = {}) const {
        return start<Buffer>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_storage_get_start(client.get(), capability.get(), address.get(), raw, get(), data, call, error);
        });
    }
    Pending<Part> storage_get_range(const Client &client, const Capability &capability, const Address &address,
                                    Range range, const Options &options = {}) const {
        return start<Part>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_storage_get_range_start(client.get(), capability.get(), address.get(), &range, raw, get(), data,
                                               call, error);
        });
    }
    Pending<Object> storage_head(const Client &client, const Capability &capability, const Address &address,
                                 const Options &options = {}) const {
        return start<Object>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_storage_head_start(client.get(), capability.get(), address.get(), raw, get(), data, call, error);
        });
    }
    Pending<Buffer> edge_get(const Client &client, const Capability &capability, std::string_view path,
                             std::optional<Range> range = {}, const Options &options = {}) const {
        return start<Buffer>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_edge_get_start(client.get(), capability.get(), detail::Text(path).get(),
                                      range ? &*range : nullptr, raw, get(), data, call, error);
        });
    }
    Pending<Object> edge_head(const Client &client, const Capability &capability, std::string_view path,
                              const Options &options = {}) const {
        return start<Object>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_edge_head_start(client.get(), capability.get(), detail::Text(path).get(), raw, get(), data, call,
                                       error);
        });
    }
    Pending<Receipt> mailbox_send(const Client &client, const Capability &capability, const Mail &mail,
                                  const Options &options = {}) const {
        return start<Receipt>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_mailbox_send_start(client.get(), capability.get(), detail::RawMail(mail).get(), raw, get(), data,
                                          call, error);
        });
    }
    Pending<Messages> mailbox_receive(const Client &client, const Capability &capability, const Receive &receive,
                                      const Options &options = {}) const {
        return start<Messages>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_mailbox_receive_start(client.get(), capability.get(), detail::RawReceive(receive).get(), raw,
                                             get(), data, call, error);
        });
    }
    Pending<Messages> mailbox_recv(const Client &client, const Capability &capability,
                                   const Options &options = {}) const {
        return start<Messages>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_mailbox_recv_start(client.get(), capability.get(), raw, get(), data, call, error);
        });
    }
    Pending<Nothing> mailbox_ack(const Client &client, const Capability &capability, const ron_lease_t *lease,
                                 const Options &options = {}) const {
        return start<Nothing>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_mailbox_ack_start(client.get(), capability.get(), lease, raw, get(), data, call, error);
        });
    }
    Pending<Nothing> mailbox_nack(const Client &client, const Capability &capability, const ron_lease_t *lease,
                                  std::chrono::milliseconds delay, const Options &options = {}) const {
        return start<Nothing>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_mailbox_nack_start(client.get(), capability.get(), lease,
                                          static_cast<std::uint64_t>(delay.count()), raw, get(), data, call, error);
        });
    }
    Pending<Nothing> mailbox_extend(const Client &client, const Capability &capability, const ron_lease_t *lease,
                                    std::chrono::milliseconds visibility, const Options &options = {}) const {
        return start<Nothing>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_mailbox_extend_start(client.get(), capability.get(), lease,
                                            static_cast<std::uint64_t>(visibility.count()), raw, get(), data, call,
                                            error);
        });
    }
    Pending<Address> index_resolve(const Client &client, const Capability &capability, std::string_view name,
                                   const Options &options = {}) const {
        return start<Address>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_index_resolve_start(client.get(), capability.get(), detail::Text(name).get(), raw, get(), data,
                                           call, error);
        });
    }
    Pending<Nothing> index_publish(const Client &client, const Capability &capability, std::string_view name,
                                   const Address &address, const Expected &expected = {},
                                   const Options &options = {}) const {
        return start<Nothing>(options, [&](auto raw, auto data, auto call, auto error) {
            return ron_index_publish_start(client.get(), capability.get(), detail::Text(name).get(), address.get(),
                                           expected.kind, expected.address.get(), raw, get(), data, call, error);
        });
    }

private:
    using Handle = detail::Handle<ron_queue_t, ron_queue_release>;

    template <class T> using Owner = std::shared_ptr<detail::Shared<T>>;

    template <class T> static void completed(const ron_completion_t *completion) noexcept {
        const std::unique_ptr<Owner<T>> owner(static_cast<Owner<T> *>(completion->user_data));
        ron_report_t report = RON_REPORT_INIT;
        ron_result_report(completion->result, &report);
        if (completion->status == RON_OK) {
            (*owner)->complete({detail::take<T>(completion->result), report});
        } else {
            (*owner)->complete({Error(completion->status, ron_result_take_error(completion->result)), report});
        }
    }

    template <class T, class Call> Pending<T> start(const Options &options, Call call) const {
        const detail::RawOptions raw(options, completed<T>);
        auto shared = std::make_shared<detail::Shared<T>>();
        auto owner = std::make_unique<Owner<T>>(shared);
        std::uint64_t number = 0;
        ron_error_t *error = nullptr;
        const ron_status_t status = call(raw.get(), owner.get(), &number, &error);
        if (status != RON_OK) {
            throw Error(status, error);
        }
        // Its completion's now.
        static_cast<void>(owner.release());
        return Pending<T>(std::move(shared), number);
    }

    Handle handle_;
};

} // namespace ron

#endif
