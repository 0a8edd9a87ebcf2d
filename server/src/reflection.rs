//! Server reflection, `grpc.reflection.v1.ServerReflection`, and its older name `v1alpha`.
//!
//! Answers every question from an index that is built once. An unknown name is an
//! `error_response` on a stream that stays open, as the protocol has it: tonic-reflection ends
//! the stream there, and the caller's next question is lost.

mod index;

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use http::{Request, Uri};
use tonic::{Code, Response, Status, Streaming};
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
    server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
    server_reflection_server::{ServerReflection, ServerReflectionServer},
};

use crate::health;

use self::index::Index;

/// Bytes of a question. The longest name in use has about a hundred.
pub(crate) const MAX_QUESTION_BYTES: usize = 64 << 10;

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// Reflection over the descriptors of this server's services. A clone shares the index.
#[derive(Clone, Debug)]
pub(crate) struct Reflection(Arc<Index>);

impl Reflection {
    /// Reflection over every service of the gRPC port, itself among them.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Index::of(&[
            tiny_cache_proto::FILE_DESCRIPTOR_SET,
            health::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ])))
    }

    /// Reflection as a service, whose methods are those of version 1.
    pub(crate) fn service(self) -> ServerReflectionServer<Self> {
        ServerReflectionServer::new(self).max_decoding_message_size(MAX_QUESTION_BYTES)
    }
}

/// Turns a request of version `v1alpha` into one of `v1`: the messages of both are the same
/// on the wire, and the names of the methods differ in the version alone.
pub(crate) fn as_v1<B>(mut request: Request<B>) -> Request<B> {
    if request.uri().path() == V1ALPHA {
        *request.uri_mut() = Uri::from_static(V1);
    }
    request
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream =
        Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    async fn server_reflection_info(
        &self,
        request: tonic::Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let index = self.0.clone();
        let answers = request.into_inner().map(move |question| match question {
            Ok(question) => Ok(answer(&index, question)),
            Err(problem) => Err(blamed(problem)),
        });
        Ok(Response::new(answers.boxed()))
    }
}

/// tonic calls a question that it cannot decode INTERNAL, but the caller has sent it.
fn blamed(problem: Status) -> Status {
    match problem.code() {
        Code::Internal => Status::invalid_argument(problem.message()),
        _ => problem,
    }
}

fn answer(index: &Index, question: ServerReflectionRequest) -> ServerReflectionResponse {
    let found = match &question.message_request {
        Some(MessageRequest::FileByFilename(name)) => index.file(name).map(files),
        Some(MessageRequest::FileContainingSymbol(name)) => index.symbol(name).map(files),
        Some(MessageRequest::FileContainingExtension(extension)) => {
            index.extension(&extension.containing_type, extension.extension_number).map(files)
        }
        Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
            index.extension_numbers(name).map(|numbers| {
                MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers,
                })
            })
        }
        Some(MessageRequest::ListServices(_)) => Ok(services(index)),
        None => Ok(refusal(Code::InvalidArgument, "the request asks no question".to_owned())),
    };
    let response = found.unwrap_or_else(|unknown| refusal(Code::NotFound, unknown.to_string()));
    ServerReflectionResponse {
        valid_host: question.host.clone(),
        original_request: Some(question),
        message_response: Some(response),
    }
}

fn files(file_descriptor_proto: Vec<Vec<u8>>) -> MessageResponse {
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto })
}

fn services(index: &Index) -> MessageResponse {
    let service = index.services().map(|name| ServiceResponse { name: name.to_owned() }).collect();
    MessageResponse::ListServicesResponse(ListServiceResponse { service })
}

fn refusal(code: Code, error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: code as i32, error_message })
}
