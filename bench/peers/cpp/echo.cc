// gRPC C++ with its callback API, without a store: a Get is answered with the value that its key
// stands for, a Set with OK. Keys that begin with `l` have values of 1 KiB, all others of 64 B.
#include <grpcpp/grpcpp.h>

#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include "cache.grpc.pb.h"

namespace {

class Echo final : public cache::CacheService::CallbackService {
    using Context = grpc::CallbackServerContext;

    grpc::ServerUnaryReactor* Get(Context* context, const cache::CacheKey* request,
                                  cache::CacheValue* reply) override {
        reply->set_found(true);
        reply->set_value(value(request->key()));
        return finish(context);
    }

    grpc::ServerUnaryReactor* MultiGet(Context* context, const cache::MultiCacheKeyRequest* request,
                                       cache::MultiCacheValueResponse* reply) override {
        for (const auto& key : request->keys()) {
            auto* item = reply->add_items();
            item->set_key(key);
            item->set_found(true);
            item->set_value(value(key));
        }
        return finish(context);
    }

    grpc::ServerUnaryReactor* Set(Context* context, const cache::CacheItem*,
                                  cache::CacheResponse* reply) override {
        reply->set_status(cache::OK);
        return finish(context);
    }

    static grpc::ServerUnaryReactor* finish(Context* context) {
        auto* reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }

    const std::string& value(const std::string& key) const {
        return !key.empty() && key.front() == 'l' ? large_ : small_;
    }

    const std::string small_ = std::string(64, 'v');
    const std::string large_ = std::string(1024, 'v');
};

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
        std::cout << "gRPC C++ " << grpc::Version() << std::endl;
        return 0;
    }
    if (argc != 3 || std::strcmp(argv[1], "--port") != 0) {
        std::cerr << "usage: --port PORT, or --version" << std::endl;
        return 2;
    }
    Echo echo;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(std::string("127.0.0.1:") + argv[2],
                             grpc::InsecureServerCredentials());
    builder.RegisterService(&echo);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) {
        return 1;
    }
    server->Wait();
    return 0;
}
