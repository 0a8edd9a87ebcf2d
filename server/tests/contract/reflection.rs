//! Server reflection, version 1: tools learn the contract from the server.

use prost::Message;
use prost_types::{FileDescriptorProto, MethodDescriptorProto};
use tokio_stream::StreamExt;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::Deployment;

crate::rows![reflection_lists_the_services, reflection_describes_the_contract,];

async fn reflection_lists_the_services(on: Deployment) {
    let asked = [MessageRequest::ListServices(String::new())];
    let [MessageResponse::ListServicesResponse(listed)] = &ask(on, asked).await[..] else {
        panic!("no list");
    };
    let names: Vec<&str> = listed.service.iter().map(|s| s.name.as_str()).collect();
    for name in ["cache.CacheService", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

async fn reflection_describes_the_contract(on: Deployment) {
    let asked = [
        MessageRequest::FileContainingSymbol("cache.CacheService".to_owned()),
        MessageRequest::FileContainingSymbol("cache.CacheStats".to_owned()),
        MessageRequest::FileByFilename("cache.proto".to_owned()),
    ];
    for answer in ask(on, asked).await {
        let MessageResponse::FileDescriptorResponse(file) = answer else {
            panic!("no file: {answer:?}");
        };
        let file = FileDescriptorProto::decode(&file.file_descriptor_proto[0][..]).unwrap();
        assert_eq!(file.name(), "cache.proto");
        assert_eq!(file.package(), "cache");
        let methods = file.service[0].method.iter();
        let methods: Vec<&str> = methods.map(MethodDescriptorProto::name).collect();
        assert_eq!(
            methods,
            [
                "Get",
                "MultiGet",
                "Set",
                "SetIfAbsent",
                "CompareAndSet",
                "MultiSet",
                "Delete",
                "MultiDelete",
                "Stats",
            ]
        );
    }
}

/// Asks on one stream, and returns an answer for each question.
async fn ask<const N: usize>(on: Deployment, asked: [MessageRequest; N]) -> Vec<MessageResponse> {
    let site = on.start();
    let mut reflection = ServerReflectionClient::new(site.channel().await);
    let requests = asked.map(|question| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    });
    let answers =
        reflection.server_reflection_info(tokio_stream::iter(requests)).await.unwrap().into_inner();
    let answers: Vec<_> =
        answers.map(|answer| answer.unwrap().message_response.unwrap()).collect().await;
    assert_eq!(answers.len(), N);
    answers
}
