//! Calls whose repetition could change the outcome. They are repeated only where it is
//! certain that the server has not executed them.

use futures::future::BoxFuture;
use h2::Reason;
use tiny_cache_client::{Client, ErrorKind, Result};
use tonic::Code;

use crate::{
    failing, secs,
    server::{Answer, FaultServer, Peer, REQUEST_ID, Raw, SETTLED, Stage},
    succeeding,
};

/// All of them.
fn conditional(client: &Client) -> [BoxFuture<'_, Result<()>>; 3] {
    [
        Box::pin(async { client.set_if_absent("k", "v").await.map(drop) }),
        Box::pin(async { client.compare_and_set("k", "v", "w").await.map(drop) }),
        Box::pin(async {
            let mut results = client.batch([client.add("n", 1).into()]).await?;
            results.remove(0).map(drop)
        }),
    ]
}

/// Checks that neither is repeated after this answer, that it may have been applied, and of
/// which kind the error is.
async fn is_not_repeated_after(answer: Answer, kind: ErrorKind) {
    let server = FaultServer::default();
    let client = server.client();
    for call in conditional(&client) {
        let before = server.attempts();
        server.answer([answer.clone()]);
        let (error, _) = failing(call).await;
        assert_eq!(server.attempts() - before, 1, "{answer:?}");
        assert_eq!((error.kind(), error.tries()), (kind, 1), "{answer:?}: {error}");
        assert!(error.may_have_been_applied(), "{answer:?}");
        // And the client goes on.
        succeeding(client.get("k")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_is_not_repeated_after_a_deadline() {
    is_not_repeated_after(Answer::Never, ErrorKind::Timeout).await;
    is_not_repeated_after(Answer::after(secs(31), Answer::Reply), ErrorKind::Timeout).await;
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_is_not_repeated_after_a_deadline_that_the_server_noticed() {
    is_not_repeated_after(Answer::Status(Code::DeadlineExceeded), ErrorKind::Timeout).await;
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_is_not_repeated_after_a_cut() {
    for stage in [Stage::Nothing, Stage::Headers, Stage::HalfOfTheMessage, Stage::Message] {
        is_not_repeated_after(Answer::Cut(stage), ErrorKind::Connection).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_is_not_repeated_after_a_reset_that_does_not_say_refused() {
    for (reason, kind) in [
        (Reason::CANCEL, ErrorKind::Other),
        (Reason::INTERNAL_ERROR, ErrorKind::Internal),
        (Reason::NO_ERROR, ErrorKind::Internal),
        (Reason::STREAM_CLOSED, ErrorKind::Internal),
    ] {
        is_not_repeated_after(Answer::Reset(reason), kind).await;
        is_not_repeated_after(Answer::ResetAfterHeaders(reason), kind).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_is_not_repeated_after_another_status() {
    is_not_repeated_after(Answer::Status(Code::Internal), ErrorKind::Internal).await;
    is_not_repeated_after(Answer::Status(Code::Aborted), ErrorKind::Other).await;
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_without_the_servers_word_proves_nothing() {
    is_not_repeated_after(Answer::ProxyStatus(Code::Unavailable), ErrorKind::Connection).await;
    // Proxies have request ids, too.
    is_not_repeated_after(Answer::Status(Code::Unavailable), ErrorKind::Connection).await;
}

/// nginx and others put an `x-request-id` of their own on every answer. A 504 of theirs, after
/// the server had executed the call, was taken for the server's word that it had not.
#[tokio::test(start_paused = true)]
async fn an_http_error_of_a_proxy_proves_nothing_even_with_an_id() {
    for status in [502, 503, 504] {
        let mut raw = Raw::http(status);
        raw.headers.push(("x-request-id", "made-by-the-proxy"));
        is_not_repeated_after(Answer::Raw(raw), ErrorKind::Connection).await;
    }
}

/// A proxy that has passed a message of the server's on, with our id before it, and then loses
/// the server, has only the trailers left to say so.
#[tokio::test(start_paused = true)]
async fn an_unavailable_behind_a_message_proves_nothing() {
    let answer = Answer::StatusBehindMessage(Code::Unavailable);
    is_not_repeated_after(answer, ErrorKind::Connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_is_repeated_where_the_server_turned_it_away() {
    let server = FaultServer::default();
    let client = server.client();
    // The status may stand in trailers, too.
    let mut in_trailers = Raw::status_behind_headers(Code::Unavailable);
    in_trailers.trailers.get_or_insert_default().push((tiny_cache_proto::NOT_EXECUTED, "1"));
    for answer in [
        Answer::Declined,
        Answer::Raw(in_trailers),
        Answer::Reset(Reason::REFUSED_STREAM),
        Answer::GoAwayBefore(Reason::NO_ERROR),
        Answer::GoAwayBefore(Reason::ENHANCE_YOUR_CALM),
    ] {
        for call in conditional(&client) {
            let before = server.attempts();
            server.answer([answer.clone()]);
            let took = succeeding(call).await;
            assert_eq!(server.attempts() - before, 2, "{answer:?}");
            assert!(took <= secs(1), "{took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_waits_for_a_server_that_refuses_connections() {
    let server = FaultServer::peers(vec![Peer::Refuses; 5]);
    for call in conditional(&server.client()) {
        succeeding(call).await;
    }
    assert_eq!((server.attempts(), server.dials()), (3, 6));

    let server = FaultServer::every_peer(Peer::Refuses);
    for call in conditional(&server.client()) {
        let (error, took) = failing(call).await;
        assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 4));
        assert!(!error.may_have_been_applied());
        assert!((secs(7)..=secs(7) + 4 * SETTLED).contains(&took), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conditional_write_that_is_turned_away_for_good_was_not_applied() {
    for (answer, attempts) in [
        (Answer::Declined, 4),
        // One that moved, and four that count.
        (Answer::Reset(Reason::REFUSED_STREAM), 5),
        (Answer::GoAwayBefore(Reason::NO_ERROR), 5),
    ] {
        let server = FaultServer::always(answer.clone());
        for call in conditional(&server.client()) {
            let before = server.attempts();
            let (error, _) = failing(call).await;
            assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 4), "{answer:?}");
            assert_eq!(server.attempts() - before, attempts, "{answer:?}");
            assert!(!error.may_have_been_applied(), "{answer:?}");
            if matches!(answer, Answer::Declined) {
                assert_eq!(error.request_id(), Some(REQUEST_ID));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_conditional_write_is_not_repeated_after_a_cut() {
    let server = FaultServer::default();
    let client = server.client();
    for call in conditional(&client) {
        server.answer([
            Answer::Declined,
            Answer::Reset(Reason::REFUSED_STREAM),
            Answer::Cut(Stage::Nothing),
        ]);
        let (error, _) = failing(call).await;
        assert!(error.may_have_been_applied());
        assert_eq!((error.kind(), error.tries()), (ErrorKind::Connection, 2));
    }
    assert_eq!(server.attempts(), 9);
}

/// What the server refuses for what it is was not applied.
#[tokio::test(start_paused = true)]
async fn a_conditional_write_that_is_refused_was_not_applied() {
    for code in [Code::InvalidArgument, Code::ResourceExhausted, Code::Unauthenticated] {
        let server = FaultServer::always(Answer::Status(code));
        for call in conditional(&server.client()) {
            let (error, _) = failing(call).await;
            assert_eq!((error.tries(), error.may_have_been_applied()), (1, false), "{code}");
        }
    }
}
