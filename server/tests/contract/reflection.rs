//! Server reflection: tools learn the contract from the server.

use prost::Message;
use prost_types::{FileDescriptorProto, MethodDescriptorProto};
use tokio_stream::StreamExt;
use tonic_reflection::pb::v1::{
    ExtensionRequest, ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::Deployment;

crate::rows![
    reflection_lists_the_services,
    reflection_describes_the_contract,
    an_unknown_name_is_answered_and_the_next_question_too,
    every_full_name_is_found_in_its_file,
    an_answer_repeats_its_question,
    the_older_version_answers_the_same,
];

async fn reflection_lists_the_services(on: Deployment) {
    let asked = [MessageRequest::ListServices(String::new())];
    let [MessageResponse::ListServicesResponse(listed)] = &ask(on, asked).await[..] else {
        panic!("no list");
    };
    let names: Vec<&str> = listed.service.iter().map(|s| s.name.as_str()).collect();
    for name in ["cache.CacheService", "tinycache.v1.Cache", "grpc.health.v1.Health"] {
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
        // protoc-gen-go refuses a file that does not say where its code belongs.
        let options = file.options.as_ref().unwrap();
        assert!(options.go_package().contains('/'));
        assert!(!options.java_package().is_empty());
        assert!(options.java_multiple_files());
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

fn symbol(name: &str) -> MessageRequest {
    MessageRequest::FileContainingSymbol(name.to_owned())
}

/// The stream ended with NOT_FOUND at the first unknown name, and the next question was lost.
async fn an_unknown_name_is_answered_and_the_next_question_too(on: Deployment) {
    let extension =
        ExtensionRequest { containing_type: "cache.CacheKey".to_owned(), extension_number: 7 };
    let asked = [
        symbol("cache.Nobody"),
        // A value's full name is beside its enum.
        symbol("cache.CacheStatus.OK"),
        symbol("cache"),
        symbol(""),
        symbol(".cache.CacheKey"),
        MessageRequest::FileByFilename("nobody.proto".to_owned()),
        MessageRequest::FileContainingExtension(extension),
        MessageRequest::AllExtensionNumbersOfType("cache.Nobody".to_owned()),
        symbol("cache.CacheKey"),
    ];
    let mut answers = ask(on, asked).await;
    assert!(matches!(answers.pop(), Some(MessageResponse::FileDescriptorResponse(_))));
    for answer in answers {
        let MessageResponse::ErrorResponse(error) = answer else { panic!("found: {answer:?}") };
        assert_eq!(error.error_code, tonic::Code::NotFound as i32, "{error:?}");
    }
}

async fn every_full_name_is_found_in_its_file(on: Deployment) {
    for (file, names) in [
        (
            "cache.proto",
            &[
                "cache.CacheService.Get",
                "cache.CacheStats",
                "cache.CacheStats.hit_rate",
                "cache.CacheStatus",
                "cache.OK",
                "cache.CONDITIONAL_CACHE_STATUS_UNSPECIFIED",
            ][..],
        ),
        (
            "tinycache.proto",
            &["tinycache.v1.Cache.Read", "tinycache.v1.Condition.version", "tinycache.v1.Outcome"],
        ),
        (
            "grpc/health/v1/health.proto",
            &[
                "grpc.health.v1.Health.List",
                "grpc.health.v1.HealthCheckResponse.ServingStatus",
                "grpc.health.v1.HealthCheckResponse.SERVING",
            ],
        ),
    ] {
        for name in names {
            let [answer] = &ask(on, [symbol(name)]).await[..] else { panic!("one answer") };
            let MessageResponse::FileDescriptorResponse(found) = answer else {
                panic!("{name}: {answer:?}");
            };
            let found = FileDescriptorProto::decode(&found.file_descriptor_proto[0][..]).unwrap();
            assert_eq!(found.name(), file, "{name}");
        }
    }
    let no_extensions = MessageRequest::AllExtensionNumbersOfType("cache.CacheKey".to_owned());
    let [MessageResponse::AllExtensionNumbersResponse(numbers)] =
        &ask(on, [no_extensions]).await[..]
    else {
        panic!("no numbers");
    };
    assert_eq!(numbers.base_type_name, "cache.CacheKey");
    assert!(numbers.extension_number.is_empty());
}

async fn an_answer_repeats_its_question(on: Deployment) {
    let site = on.start();
    let mut reflection = ServerReflectionClient::new(site.channel().await);
    let asked = ServerReflectionRequest { host: "some host".to_owned(), message_request: None };
    let questions = tokio_stream::iter([asked.clone()]);
    let mut answers = reflection.server_reflection_info(questions).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert_eq!(answer.valid_host, "some host");
    assert_eq!(answer.original_request, Some(asked));
    let Some(MessageResponse::ErrorResponse(error)) = answer.message_response else {
        panic!("no question has an answer");
    };
    assert_eq!(error.error_code, tonic::Code::InvalidArgument as i32);
}

async fn the_older_version_answers_the_same(on: Deployment) {
    let site = on.start();
    let mut wire = site.wire().await;
    let asked = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut replies = Vec::new();
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let reply = wire.call(&path, &[], &asked.encode_to_vec()).await.unwrap();
        assert_eq!(reply.code(), tonic::Code::Ok);
        replies.push(reply.message.unwrap());
    }
    assert_eq!(replies[0], replies[1]);
    let unknown = "/grpc.reflection.v1alpha.ServerReflection/Nothing";
    let reply = wire.call(unknown, &[], &[]).await.unwrap();
    assert_eq!(reply.code(), tonic::Code::Unimplemented);
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
