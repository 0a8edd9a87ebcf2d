//! All calls together do not answer an outage with a multiple of their load.

use futures::future::join_all;
use tiny_cache_client::ErrorKind;
use tonic::Code;

use crate::{
    failing, millis, secs,
    server::{Answer, FaultServer, Peer},
    succeeding,
};

/// Calls of one flood.
const CALLS: usize = 1_000;

#[tokio::test(start_paused = true)]
async fn a_flood_of_failing_calls_makes_no_more_retries_than_its_share_and_the_reserve() {
    let server = FaultServer::always(Answer::Status(Code::Unavailable));
    let client = server.client();
    let errors = join_all((0..CALLS).map(|_| failing(client.get("k")))).await;
    // A fifth of the calls, and 10 a second: a window of ten seconds' worth at most, and what
    // comes in while the calls last.
    let retries = server.attempts() - CALLS;
    assert!((CALLS / 5..=CALLS / 5 + 10 * 10 + 10 * 7).contains(&retries), "{retries}");
    for (error, _) in &errors {
        assert_eq!(error.kind(), ErrorKind::Connection);
        let spent = error.to_string().ends_with("; the retry budget is spent");
        assert!(spent || error.tries() == 4, "{error}");
    }
    assert!(errors.iter().filter(|(error, _)| error.tries() == 1).count() > CALLS / 2);
}

#[tokio::test(start_paused = true)]
async fn the_budget_fills_again() {
    let server = FaultServer::always(Answer::Status(Code::Unavailable));
    let client = server.builder().retry_budget(0.0, 1).build().unwrap();
    let _ = join_all((0..100).map(|_| failing(client.get("k")))).await;
    let (error, took) = failing(client.get("k")).await;
    assert_eq!((error.tries(), took), (1, secs(0)));

    tokio::time::sleep(secs(11)).await;
    server.answer_always(Answer::Reply);
    server.answer([Answer::Status(Code::Unavailable)]);
    succeeding(client.get("k")).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_budget_makes_no_retries() {
    let server = FaultServer::always(Answer::Status(Code::Unavailable));
    let client = server.builder().retry_budget(0.0, 0).build().unwrap();
    let (error, _) = failing(client.get("k")).await;
    assert_eq!((error.tries(), server.attempts()), (1, 1));
    assert_eq!(
        error.to_string(),
        "grpc://cache:50051: as the script says; the retry budget is spent"
    );
}

#[tokio::test(start_paused = true)]
async fn many_callers_of_a_dead_server_share_their_dials() {
    let server = FaultServer::every_peer(Peer::Refuses);
    let client = server.client();
    let errors = join_all((0..CALLS).map(|_| failing(client.get("k")))).await;
    let longest = errors.iter().map(|(_, took)| *took).max().unwrap();
    assert!(longest <= secs(7) + millis(5), "{longest:?}");
    // Fifty a second, however many wait; none of them fails because the others have used the
    // budget up.
    assert!(server.dials() <= 7 * 50 + 1, "{}", server.dials());
    assert!(errors.iter().all(|(error, _)| error.tries() == 4));
}
