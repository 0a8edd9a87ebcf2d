//! Settings that are refused, each with what is wrong and what is expected.

use std::time::Duration;

use tiny_cache_client::{Builder, Client, ErrorKind, testing::TestServer};

fn refused(set: impl Fn(Builder) -> Builder) -> String {
    let error = set(Client::builder("cache")).build().unwrap_err();
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Validation, 0));
    assert!(!error.may_have_been_applied());
    error.to_string()
}

#[tokio::test]
async fn a_bad_address_is_refused_before_anything_is_sent() {
    for address in [
        "",
        ":7",
        "::1",
        "user@cache:7",
        "cache:7/path",
        "grpc://",
        "redis://cache:7",
        "cache:",
        "cache:0",
        "cache:65536",
        "cache:http",
        "a b",
        "[::1",
        "cache\n",
    ] {
        let error = Client::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation, "{address}");
        let text = error.to_string();
        assert!(text.starts_with("bad address `"), "{text}");
        assert!(!text.contains('\n'), "{text}");
        Client::builder(address).build().unwrap_err();
    }
}

#[tokio::test]
async fn addresses_are_taken_as_people_write_them() {
    for (address, read) in [
        ("cache", "grpc://cache:50051"),
        ("cache:7", "grpc://cache:7"),
        ("[::1]:7", "grpc://[::1]:7"),
        ("grpc://cache", "grpc://cache:50051"),
        ("grpcs://cache:7", "grpcs://cache:7"),
    ] {
        // A connector, since the system may have no authorities to trust.
        let refuses = || async {
            Err::<tokio::io::DuplexStream, _>(std::io::ErrorKind::ConnectionRefused.into())
        };
        let client = Client::builder(address).connector(refuses).build().unwrap();
        assert_eq!(client.address().to_string(), read);
    }
}

#[tokio::test]
async fn a_time_of_zero_is_refused_where_it_makes_no_sense() {
    let zero = Duration::ZERO;
    assert_eq!(refused(|b| b.deadline(zero)), "deadline of 0 s; expected more");
    assert_eq!(refused(|b| b.total_deadline(zero)), "total deadline of 0 s; expected more");
    assert_eq!(refused(|b| b.connect_timeout(zero)), "connect timeout of 0 s; expected more");
    let text = refused(|b| b.health_check_deadline(zero));
    assert_eq!(text, "health check deadline of 0 s; expected more");
}

#[tokio::test]
async fn pauses_of_more_than_a_day_are_refused() {
    let long = Duration::from_secs(86_401);
    for text in [
        refused(|b| b.first_backoff(long)),
        refused(|b| b.longest_backoff(long)),
        refused(|b| b.health_check_interval(long)),
        refused(|b| b.max_connection_age(long)),
    ] {
        assert!(text.ends_with(" of 86401s; expected at most a day"), "{text}");
    }
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_with_the_range() {
    for connections in [0, 1025] {
        let text = refused(|b| b.connections(connections));
        assert_eq!(text, format!("{connections} connections; expected 1 to 1024"));
    }
    for share in [-0.1, 10.1, f32::NAN, f32::INFINITY] {
        let text = refused(|b| b.retry_budget(share, 1));
        assert!(text.ends_with("for each call; expected 0 to 10"), "{text}");
    }
    assert!(refused(|b| b.ttl(Duration::MAX)).starts_with("ttl of "));
    assert!(refused(|b| b.namespace("a b")).to_lowercase().contains("namespace"));
    assert!(refused(|b| b.metadata("te", "x")).starts_with("bad metadata `te`"));
}

/// Settings that were taken and panicked where they were used.
#[tokio::test]
async fn settings_beyond_all_measure_are_taken_or_refused() {
    let server = TestServer::start().await.unwrap();
    let patient = Client::builder(server.address()).ready_within(Duration::MAX);
    let client = patient.connect().await.unwrap();
    for request in
        [client.get("k").deadline(Duration::ZERO), client.get("k").total_deadline(Duration::ZERO)]
    {
        assert_eq!(request.await.unwrap_err().kind(), ErrorKind::Validation);
    }
    let error = Client::builder("cache").retry_budget(1.0, u32::MAX).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
}
