// An agent on gRPC C++ with messages as bytes, by the generic stub and its callbacks.

#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

namespace {

std::mutex writing;

std::string hex(const std::string& bytes) {
    static const char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text.empty() ? "-" : text;
}

std::string joined(const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return "";
    std::string bytes;
    for (const auto& slice : slices) {
        bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return bytes;
}

std::string contents(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    grpc::ByteBuffer reply;
};

void begin(grpc::GenericStub& stub, const std::shared_ptr<Call>& call, const std::string& id, const std::string& path) {
    stub.UnaryCall(&call->context, path, grpc::StubOptions(), &call->request, &call->reply,
                   [call, id](const grpc::Status& status) {
                       const std::string reply = status.ok() ? hex(joined(call->reply)) : "-";
                       std::lock_guard<std::mutex> lock(writing);
                       std::cout << id << ' ' << status.error_code() << ' ' << reply << ' ' << status.error_message()
                                 << std::endl;
                   });
}

}  // namespace

int main(int argc, char** argv) {
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
    if (argc > 2) {
        grpc::SslCredentialsOptions options;
        options.pem_root_certs = contents(argv[2]);
        credentials = grpc::SslCredentials(options);
    }
    grpc::GenericStub stub(grpc::CreateChannel(argv[1], credentials));
    std::map<std::string, std::shared_ptr<Call>> calls;
    std::cout << "ready " << grpc::Version() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb, id, path, file;
        long timeout_ms = 0;
        words >> verb >> id >> path >> timeout_ms >> file;
        if (verb == "cancel") {
            calls.at(id)->context.TryCancel();
            continue;
        }
        auto call = calls[id] = std::make_shared<Call>();
        grpc::Slice slice(contents(file));
        call->request = grpc::ByteBuffer(&slice, 1);
        call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
        begin(stub, call, id, path);
    }
    std::_Exit(0);
}
