// The agents of the C interface, through its C++ face: `agent blocking` and `agent async`.
#include <ron_sdk.hpp>

#include <charconv>
#include <iostream>
#include <map>
#include <thread>

namespace {

using Milliseconds = std::chrono::milliseconds;

// The request was none.
struct Misunderstood {
    std::string why;
};

// A line: a verb, and fields in their order.
struct Line {
    std::string verb;
    std::vector<std::pair<std::string, std::string>> fields;

    explicit Line(std::string text) : verb(std::move(text)) {}

    Line with(std::string name, std::string value) && {
        fields.emplace_back(std::move(name), std::move(value));
        return std::move(*this);
    }
    Line with(std::string name, std::uint64_t number) && {
        return std::move(*this).with(std::move(name), std::to_string(number));
    }
    const std::string *get(std::string_view name) const {
        for (const auto &[known, value] : fields) {
            if (known == name) {
                return &value;
            }
        }
        return nullptr;
    }
    const std::string &required(std::string_view name) const {
        if (const auto *value = get(name)) {
            return *value;
        }
        throw Misunderstood{verb + " without " + std::string(name)};
    }
    std::optional<std::uint64_t> number(std::string_view name) const {
        const auto *text = get(name);
        if (text == nullptr) {
            return std::nullopt;
        }
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
        if (error != std::errc() || end != text->data() + text->size()) {
            throw Misunderstood{std::string(name) + " is no number: " + *text};
        }
        return number;
    }
    Milliseconds millis(std::string_view name, Milliseconds otherwise = Milliseconds(0)) const {
        const auto found = number(name);
        return found ? Milliseconds(*found) : otherwise;
    }
};

const char digits[] = "0123456789abcdef";

unsigned digit(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f') {
        return static_cast<unsigned>(lower - 'a') + 10;
    }
    throw Misunderstood{"no hexadecimal digit"};
}

Line parse(const std::string &text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == '\t') {
            parts.emplace_back();
        } else if (c != '\r') {
            parts.back().push_back(c);
        }
    }
    Line line(parts[0]);
    for (std::size_t at = 1; at < parts.size(); at++) {
        const auto equals = parts[at].find('=');
        if (equals == std::string::npos) {
            throw Misunderstood{"no field: " + parts[at]};
        }
        std::string value;
        for (std::size_t from = equals + 1; from < parts[at].size(); from++) {
            if (parts[at][from] == '%' && from + 2 < parts[at].size()) {
                value.push_back(static_cast<char>(digit(parts[at][from + 1]) * 16 + digit(parts[at][from + 2])));
                from += 2;
            } else {
                value.push_back(parts[at][from]);
            }
        }
        line.fields.emplace_back(parts[at].substr(0, equals), value);
    }
    return line;
}

void say(const Line &line) {
    std::cout << line.verb;
    for (const auto &[name, value] : line.fields) {
        std::cout << '\t' << name << '=';
        for (const char c : value) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte <= 0x20 || byte >= 0x7f || c == '%') {
                std::cout << '%' << digits[byte >> 4] << digits[byte & 15];
            } else {
                std::cout << c;
            }
        }
    }
    std::cout << std::endl;
}

std::string pattern(std::size_t len) {
    std::string body(len, '\0');
    for (std::size_t at = 0; at < len; at++) {
        body[at] = static_cast<char>(at % 251);
    }
    return body;
}

std::string body(const std::string &text) {
    if (text.rfind("text:", 0) == 0) {
        return text.substr(5);
    }
    if (text.rfind("pattern:", 0) == 0) {
        return pattern(std::stoul(text.substr(8)));
    }
    if (text.rfind("hex:", 0) != 0 || text.size() % 2 != 0) {
        throw Misunderstood{"no body: " + text};
    }
    std::string bytes;
    for (std::size_t at = 4; at < text.size(); at += 2) {
        bytes.push_back(static_cast<char>(digit(text[at]) * 16 + digit(text[at + 1])));
    }
    return bytes;
}

std::string body_text(std::string_view body) {
    if (body.size() > 256 && body == pattern(body.size())) {
        return "pattern:" + std::to_string(body.size());
    }
    std::string text = "hex:";
    for (const char c : body) {
        text.push_back(digits[static_cast<unsigned char>(c) >> 4]);
        text.push_back(digits[static_cast<unsigned char>(c) & 15]);
    }
    return text;
}

std::string executed(ron_executed_t executed) {
    return executed == RON_EXECUTED_NO ? "no" : executed == RON_EXECUTED_YES ? "yes" : "unknown";
}

Line error_line(const ron::Error &error) {
    auto line = Line("error")
                    .with("kind", std::string(error.kind_name()))
                    .with("number", error.kind())
                    .with("executed", executed(error.executed()))
                    .with("attempts", error.attempts())
                    .with("message", std::string(error.what()));
    if (error.gateway_status() != 0) {
        line.fields.emplace_back("status", std::to_string(error.gateway_status()));
    }
    if (const auto after = error.retry_after()) {
        line.fields.emplace_back("retry_after_ms", std::to_string(after->count()));
    }
    return line;
}

Line with(Line line, const ron::Address &address) {
    return std::move(line).with("address", address.str());
}
Line with(Line line, const ron::Buffer &buffer) {
    return std::move(line).with("body", body_text(buffer.view()));
}
Line with(Line line, const ron::Part &part) {
    return with(std::move(line), part.bytes)
        .with("first", part.range.first)
        .with("last", part.range.last)
        .with("size", part.size);
}
Line with(Line line, const ron::Object &object) {
    return with(std::move(line), ron::Address(object.address)).with("size", object.size);
}
Line with(Line line, const ron::Receipt &receipt) {
    return std::move(line).with("id", receipt.id).with("duplicate", std::string(receipt.duplicate ? "true" : "false"));
}
Line with(Line line, const ron::Nothing &) {
    return line;
}
Line with(Line line, const ron::Messages &messages) {
    line = std::move(line).with("count", messages.size());
    for (std::size_t at = 0; at < messages.size(); at++) {
        const auto message = messages[at];
        const auto prefix = std::to_string(at) + ".";
        std::uint32_t deliveries = 0;
        line = std::move(line)
                   .with(prefix + "topic", std::string(ron_lease_topic(message.lease())))
                   .with(prefix + "id", std::string(message.id()))
                   .with(prefix + "token", std::string(ron_lease_token(message.lease())))
                   .with(prefix + "attempt", message.attempt())
                   .with(prefix + "body", body_text(message.body()));
        for (const auto &[name, value] : message.attributes()) {
            line = std::move(line).with(prefix + "attribute." + std::string(name), std::string(value));
        }
        if (const auto reason = message.dead(&deliveries); reason != RON_DEAD_NOT) {
            line = std::move(line)
                       .with(prefix + "dead.reason",
                             std::string(reason == RON_DEAD_TOO_MANY_DELIVERIES ? "too_many_deliveries" : "unknown"))
                       .with(prefix + "dead.deliveries", deliveries);
        }
    }
    return line;
}

// What calls are made with: the blocking form, or the asynchronous one.
class Agent {
public:
    explicit Agent(bool is_blocking) {
        if (!is_blocking) {
            queue_.emplace();
        }
    }

    Line answer(const Line &request) {
        if (request.verb == "client") {
            ron::Config config;
            for (const auto &[name, value] : request.fields) {
                if (name.rfind("config.", 0) == 0) {
                    config.set(name.substr(7), value);
                }
            }
            client_.emplace(config);
            capability_.reset();
            if (const auto *token = request.get("capability"); token != nullptr && !token->empty()) {
                capability_.emplace(ron::Capability::from_text(*token));
            }
            return Line("ok");
        }
        if (!client_) {
            throw Misunderstood{"no client"};
        }
        if (request.verb == "close") {
            return Line("ok").with("left", client_->close(Milliseconds(1000)));
        }
        if (request.verb == "metrics") {
            return Line("ok").with("text", client_->metrics().prometheus());
        }
        return call(request);
    }

private:
    // Makes a call in the agent's form: `blocking` by the client, `start` through the queue.
    template <class Blocking, class Start> Line make(const Line &request, Blocking blocking, Start start) {
        ron_report_t report = RON_REPORT_INIT;
        ron::Options options;
        if (request.get("timeout_ms") != nullptr) {
            options.timeout = request.millis("timeout_ms");
        }
        if (const auto *key = request.get("idempotency_key")) {
            options.idempotency_key = *key;
        }
        if (!queue_) {
            options.report = &report;
            auto result = blocking(options);
            return result ? with(ok(report), *result) : error_line(result.error());
        }
        auto pending = start(options);
        const auto cancel_after = request.number("cancel_after_ms");
        auto result = pending.result();
        const auto until = std::chrono::steady_clock::now() + Milliseconds(cancel_after.value_or(0));
        bool is_cancelled = !cancel_after;
        while (result.wait_for(Milliseconds(0)) != std::future_status::ready) {
            const auto left = std::chrono::duration_cast<Milliseconds>(until - std::chrono::steady_clock::now());
            if (!is_cancelled && left.count() <= 0) {
                queue_->cancel(pending.call());
                is_cancelled = true;
            }
            queue_->wait(is_cancelled ? Milliseconds(-1) : left);
            queue_->dispatch();
        }
        auto ended = result.get();
        return ended.result ? with(ok(ended.report), *ended.result) : error_line(ended.result.error());
    }

    static Line ok(const ron_report_t &report) {
        return Line("ok")
            .with("attempts", report.attempts)
            .with("replayed", std::string(report.replayed != 0 ? "true" : "false"))
            .with("executed", executed(report.executed));
    }

    Line call(const Line &request);

    std::optional<ron::Client> client_;
    std::optional<ron::Capability> capability_;
    std::optional<ron::Queue> queue_;
};

// An operation, whose arguments are the same in both forms.
#define CALL(name, ...)                                                                                        \
    make(                                                                                                      \
        request, [&](const auto &options) { return client_->try_##name(capability, ##__VA_ARGS__, options); }, \
        [&](const auto &options) { return queue_->name(*client_, capability, ##__VA_ARGS__, options); })

Line Agent::call(const Line &request) {
    std::optional<ron::Capability> own;
    if (const auto *token = request.get("capability")) {
        own.emplace(ron::Capability::from_text(*token));
    }
    if (!own && !capability_) {
        throw Misunderstood{"no capability"};
    }
    const auto &capability = own ? *own : *capability_;
    const auto address = [&] { return ron::Address::parse(request.required("address")); };
    const auto range = [&]() -> std::optional<ron::Range> {
        const auto first = request.number("first"), last = request.number("last");
        return first && last ? std::optional<ron::Range>(ron::Range{*first, *last}) : std::nullopt;
    };
    const auto lease = [&] {
        return ron::Lease(request.required("topic"), request.required("id"), request.required("token"));
    };
    const auto &verb = request.verb;
    if (verb == "storage_put") {
        const auto bytes = body(request.required("body"));
        return CALL(storage_put, bytes);
    }
    if (verb == "storage_get") {
        return CALL(storage_get, address());
    }
    if (verb == "storage_get_range") {
        const auto part = range();
        if (!part) {
            throw Misunderstood{"no range"};
        }
        return CALL(storage_get_range, address(), *part);
    }
    if (verb == "storage_head") {
        return CALL(storage_head, address());
    }
    if (verb == "edge_get") {
        return CALL(edge_get, request.required("path"), range());
    }
    if (verb == "edge_head") {
        return CALL(edge_head, request.required("path"));
    }
    if (verb == "mailbox_send") {
        const auto bytes = body(request.required("body"));
        ron::Mail mail;
        mail.topic = request.required("topic");
        mail.body = bytes;
        for (const auto &[name, value] : request.fields) {
            if (name.rfind("attribute.", 0) == 0) {
                mail.attributes.emplace_back(name.substr(10), value);
            }
        }
        return CALL(mailbox_send, mail);
    }
    if (verb == "mailbox_receive") {
        ron::Receive receive;
        receive.topic = request.required("topic");
        receive.max = static_cast<std::uint32_t>(request.number("max").value_or(receive.max));
        receive.visibility = request.millis("visibility_ms", receive.visibility);
        receive.wait = request.millis("wait_ms");
        return CALL(mailbox_receive, receive);
    }
    if (verb == "mailbox_recv") {
        return CALL(mailbox_recv);
    }
    if (verb == "mailbox_ack") {
        const auto held = lease();
        return CALL(mailbox_ack, held.get());
    }
    if (verb == "mailbox_nack") {
        const auto held = lease();
        return CALL(mailbox_nack, held.get(), request.millis("delay_ms"));
    }
    if (verb == "mailbox_extend") {
        const auto held = lease();
        return CALL(mailbox_extend, held.get(), request.millis("visibility_ms"));
    }
    if (verb == "index_resolve") {
        return CALL(index_resolve, request.required("name"));
    }
    if (verb == "index_publish") {
        auto expected = ron::Expected::anything();
        if (const auto *text = request.get("expected")) {
            expected = *text == "absent" ? ron::Expected::nothing()
                                         : ron::Expected::exactly(ron::Address::parse(*text));
        }
        return CALL(index_publish, request.required("name"), address(), expected);
    }
    throw Misunderstood{"no such call: " + verb};
}

} // namespace

int main(int argc, char **argv) {
    const bool is_blocking = argc < 2 || std::string_view(argv[1]) == "blocking";
    Agent agent(is_blocking);
    say(Line("ready")
            .with("language", std::string(is_blocking ? "cpp-blocking" : "cpp-async"))
            .with("can", std::string(is_blocking ? "" : "cancel")));
    for (std::string text; std::getline(std::cin, text);) {
        try {
            say(agent.answer(parse(text)));
        } catch (const ron::Error &error) {
            say(error_line(error));
        } catch (const Misunderstood &misunderstood) {
            say(Line("misunderstood").with("why", misunderstood.why));
        }
    }
}
