//! Batches of which a part fails.

use tiny_cache_client::ErrorKind;
use tonic::Code;

use crate::{
    failing, secs,
    server::{Answer, FaultServer, Peer, Stage},
    succeeding,
};

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("key-{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn every_part_is_tried_again_by_itself() {
    let server = FaultServer::answering([Answer::Reply, Answer::Status(Code::Unavailable)]);
    let client = server.client();
    assert_eq!(client.get_many(&keys(2_500)).await.unwrap().len(), 2_500);
    assert_eq!(server.attempts(), 3 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_fails_the_batch() {
    let server = FaultServer::answering([Answer::Reply, Answer::Status(Code::Internal)]);
    let (error, _) = failing(server.client().get_many(&keys(2_500))).await;
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Internal, 1));
}

/// The parts before the one that failed were written, and the error said that nothing was.
#[tokio::test(start_paused = true)]
async fn a_batch_of_which_a_part_was_written_may_have_been_applied() {
    let items = || keys(2_500).into_iter().map(|key| (key, "v"));
    let server = FaultServer::answering([
        Answer::Reply,
        Answer::after(secs(1), Answer::Status(Code::Unavailable)),
    ]);
    let (error, _) = failing(server.client().set_many(items()).retries(0)).await;
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.may_have_been_applied());

    // And of halves, in which a part is sent that the server finds too large.
    let server = FaultServer::answering([
        Answer::Status(Code::ResourceExhausted),
        Answer::Reply,
        Answer::Status(Code::PermissionDenied),
    ]);
    let (error, _) = failing(server.client().set_many(items().take(2))).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.may_have_been_applied());

    // A batch that was sent at once is like any other call.
    let server = FaultServer::every_peer(Peer::Refuses);
    let (error, _) = failing(server.client().set_many(items().take(2)).retries(0)).await;
    assert!(!error.may_have_been_applied());
}

/// A call that the server refused whatever its size was halved down to one item, and from then
/// on the client sent every batch one item at a time.
#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_as_wrong_does_not_make_later_ones_small() {
    let server = FaultServer::always(Answer::Status(Code::InvalidArgument));
    let client = server.client();
    let (error, _) = failing(client.get_many(&keys(100))).await;
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!error.may_have_been_applied());
    // 100, 50, 25, 12, 6, 3, 1.
    assert_eq!(server.attempts(), 7);

    server.answer_always(Answer::Reply);
    succeeding(client.get_many(&keys(100))).await;
    assert_eq!(server.attempts(), 8);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_takes_at_a_time_is_learned_once() {
    let server = FaultServer::answering([
        Answer::Status(Code::InvalidArgument),
        Answer::Status(Code::InvalidArgument),
    ]);
    let client = server.client();
    // 100 and 50 are too many, 25 are not.
    assert_eq!(client.get_many(&keys(100)).await.unwrap().len(), 100);
    assert_eq!(server.attempts(), 2 + 2 + 1);
    assert_eq!(client.get_many(&keys(100)).await.unwrap().len(), 100);
    assert_eq!(server.attempts(), 5 + 4);
}

#[tokio::test(start_paused = true)]
async fn a_batch_survives_a_cut() {
    let server = FaultServer::answering([Answer::Reply, Answer::Cut(Stage::HalfOfTheMessage)]);
    let client = server.client();
    let values = client.get_many(&keys(2_500)).await.unwrap();
    assert!(values.into_iter().all(|value| value.unwrap().unwrap() == "value"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_makes_no_call() {
    let server = FaultServer::default();
    let client = server.client();
    assert!(client.get_many::<str>([]).await.unwrap().is_empty());
    assert!(client.set_many::<(&str, &str)>([]).await.unwrap().is_empty());
    assert!(client.delete_many(&keys(0)).await.unwrap().is_empty());
    assert_eq!((server.attempts(), server.dials()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_only_reads_is_tried_again() {
    let server = FaultServer::answering([Answer::Cut(Stage::Headers)]);
    let client = server.client();
    let results = client.batch([client.read("a").into(), client.read("b").into()]).await.unwrap();
    assert_eq!((results.len(), server.attempts()), (2, 2));
}
