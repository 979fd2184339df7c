// Puts a text and gets it back, sends a message and receives it, gives the text a name and looks it up; then many gets at
// once. The gateway and the capability come from the environment.
#include <ron_sdk.hpp>

#include <iostream>

static void run() {
    const auto client = ron::Client::from_env();
    const auto capability = ron::Capability::from_env();

    const auto address = client.storage_put(capability, "hello from C++");
    std::cout << address.str() << " holds \"" << client.storage_get(capability, address).view() << "\"\n";

    ron::Mail mail;
    mail.topic = "quickstart/cpp";
    mail.body = "a message";
    client.mailbox_send(capability, mail);
    ron::Receive receive;
    receive.topic = mail.topic;
    const auto messages = client.mailbox_receive(capability, receive);
    for (std::size_t at = 0; at < messages.size(); at++) {
        std::cout << "received \"" << messages[at].body() << "\"\n";
        client.mailbox_ack(capability, messages[at].lease());
    }

    client.index_publish(capability, "quickstart.cpp", address);
    std::cout << "quickstart.cpp is " << client.index_resolve(capability, "quickstart.cpp").str() << '\n';

    // Without exceptions.
    if (auto missing = client.try_edge_get(capability, "/none"); !missing) {
        std::cout << "/none: " << missing.error().kind_name() << '\n';
    }

    // Many at once: this thread is the event loop.
    ron::Queue queue;
    std::vector<std::future<ron::Buffer>> gets;
    for (int at = 0; at < 32; at++) {
        gets.push_back(queue.storage_get(client, capability, address).future());
    }
    for (std::size_t ended = 0; ended < gets.size();) {
        queue.wait(std::chrono::seconds(10));
        ended += queue.dispatch();
    }
    std::size_t bytes = 0;
    for (auto &get : gets) {
        bytes += get.get().size();
    }
    std::cout << gets.size() << " gets, " << bytes << " bytes\n";
}

int main() {
    try {
        run();
    } catch (const ron::Error &error) {
        std::cerr << "quickstart: " << error.what() << '\n';
        return 1;
    }
}
