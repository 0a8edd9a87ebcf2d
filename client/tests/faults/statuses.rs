//! Statuses in every shape that they come in: in one block or behind headers, with texts that
//! cannot be read, without a text, twice, or not at all.

use tiny_cache_client::ErrorKind;
use tonic::Code;

use crate::{
    failing,
    server::{Answer, FaultServer, REQUEST_ID, Raw},
    succeeding,
};

/// A status in one block, and the same behind headers.
fn both_forms(status: &[(&'static str, &'static str)]) -> [Raw; 2] {
    let mut one_block = Raw { trailers: None, ..Raw::message([]) };
    one_block.headers.extend(status);
    [one_block, Raw { trailers: Some(status.to_vec()), ..Raw::message([]) }]
}

/// What a call comes to that is always answered so: kind, tries and text, the same in both
/// forms.
async fn outcome(status: &[(&'static str, &'static str)]) -> (ErrorKind, u32, String) {
    let mut outcomes = Vec::new();
    for raw in both_forms(status) {
        let server = FaultServer::always(Answer::Raw(raw));
        let (error, _) = failing(server.client().get("k")).await;
        assert_eq!(error.request_id(), Some(REQUEST_ID), "{error}");
        assert_eq!(server.dials(), 1);
        let text = error.to_string().strip_prefix("grpc://cache:50051: ").unwrap().to_owned();
        outcomes.push((error.kind(), error.tries(), text));
    }
    assert_eq!(outcomes[0], outcomes[1]);
    outcomes.swap_remove(0)
}

/// The text of one letter in Latin-1 took the status along: UNAVAILABLE became an unreadable
/// reply, and was not tried again.
#[tokio::test(start_paused = true)]
async fn a_text_that_is_not_utf8_keeps_its_status_and_its_retries() {
    for (text, shown) in [
        ("caf%E9", "caf\u{fffd}"),
        ("caf%C3%A9", "café"),
        // Not encoded at all.
        ("caf\u{e9}", "caf\u{fffd}"),
        ("%FF%FE", "\u{fffd}\u{fffd}"),
        // No sequences of two hexadecimal digits.
        ("100%", "100%"),
        ("50%zz", "50%zz"),
    ] {
        let (kind, tries, said) = outcome(&[("grpc-status", "14"), ("grpc-message", text)]).await;
        assert_eq!((kind, tries), (ErrorKind::Connection, 4), "{text}");
        assert_eq!(said, format!("{shown} (after 4 tries)"));
    }
    let raw = both_forms(&[("grpc-status", "14"), ("grpc-message", "caf%E9")]);
    let server = FaultServer::answering(raw.map(Answer::Raw));
    succeeding(server.client().get("k")).await;
    assert_eq!(server.attempts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_status_without_a_text_has_the_words_of_its_code() {
    let (kind, _, text) = outcome(&[("grpc-status", "8")]).await;
    assert_eq!(
        (kind, &*text),
        (ErrorKind::ResourceExhausted, Code::ResourceExhausted.description())
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_none_is_unknown_and_says_what_came() {
    for value in ["", "17", "99", "-1", "014", "UNAVAILABLE", "1 4"] {
        let (kind, tries, text) = outcome(&[("grpc-status", value), ("grpc-message", "why")]).await;
        assert_eq!((kind, tries), (ErrorKind::Internal, 1), "{value}");
        assert_eq!(text, format!("unreadable grpc-status `{value}`: why"));
    }
    let (kind, tries, text) = outcome(&[("grpc-status", "0"), ("grpc-status", "14")]).await;
    assert_eq!((kind, tries), (ErrorKind::Internal, 1));
    assert_eq!(text, "unreadable grpc-status `0`, `14`");
    let (kind, tries, _) = outcome(&[("grpc-status", "14"), ("grpc-status", "14")]).await;
    assert_eq!((kind, tries), (ErrorKind::Connection, 4));
}

/// They are for callers that know them; a client that does not must not stumble over them.
#[tokio::test(start_paused = true)]
async fn details_that_cannot_be_decoded_do_no_harm() {
    for details in ["!!!", "AAA=A", "", "CAUS"] {
        let status = [("grpc-status", "14"), ("grpc-status-details-bin", details)];
        assert_eq!(outcome(&status).await.1, 4, "{details}");
    }
}

/// An error of the server is one block, with the id in it; a proxy may make two of it, and put
/// the id into either.
#[tokio::test(start_paused = true)]
async fn the_request_id_is_read_from_either_block() {
    let status = |more: &[(&'static str, &'static str)]| {
        [&[("grpc-status", "3"), ("grpc-message", "no")], more].concat()
    };
    let bare = vec![("content-type", "application/grpc")];
    let with_id = [&bare[..], &[("x-request-id", "in-the-headers")]].concat();
    let in_trailers = status(&[("x-request-id", "in-the-trailers")]);
    for (headers, trailers, id) in [
        ([&with_id[..], &status(&[])].concat(), None, Some("in-the-headers")),
        (with_id.clone(), Some(status(&[])), Some("in-the-headers")),
        (bare.clone(), Some(in_trailers.clone()), Some("in-the-trailers")),
        (with_id, Some(in_trailers), Some("in-the-headers")),
        (bare, Some(status(&[])), None),
    ] {
        let raw = Raw { headers, trailers, ..Raw::message([]) };
        let server = FaultServer::always(Answer::Raw(raw));
        let (error, _) = failing(server.client().get("k")).await;
        assert_eq!((error.kind(), error.request_id()), (ErrorKind::InvalidArgument, id));
    }
}

/// A proxy that knows gRPC answers with both; what gRPC says counts.
#[tokio::test(start_paused = true)]
async fn a_grpc_status_goes_before_the_http_status_that_comes_with_it() {
    let mut raw = Raw { status: 503, ..Raw::status(Code::PermissionDenied) };
    let server = FaultServer::always(Answer::Raw(raw.clone()));
    let (error, _) = failing(server.client().get("k")).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    // OK is no word for an answer that is none.
    raw.headers = vec![("content-type", "application/grpc"), ("grpc-status", "0")];
    let server = FaultServer::always(Answer::Raw(raw));
    let (error, _) = failing(server.client().get("k")).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 4));
}
