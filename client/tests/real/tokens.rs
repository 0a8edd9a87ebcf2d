//! Bearer tokens, against a server that knows two of one caller.

use std::{fs, time::Duration};

use tempfile::TempDir;
use tiny_cache_client::{Client, Error, ErrorKind, testing::TestServer, transport::Token};

const FIRST: &str = "the-first-token-of-web";
const SECOND: &str = "the-second-token-of-web";
const FIRST_LINE: &str = "web 26c89352d9091b45cfe8df21a5bde6b797bcdd7493ec5f6ffb0c0352186cd07b";
const SECOND_LINE: &str = "web 11722540cd05ad875768fb4794a796ccdf9a3d7f3a07e340e11ed7754644e2e4";

/// A server, and the directory of its files.
async fn server() -> (TestServer, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let rules =
        "[[rule]]\nidentity = \"token:web\"\nnamespaces = [\"shop\"]\nrights = [\"read\"]\n";
    fs::write(file("rules.toml"), rules).unwrap();
    fs::write(file("tokens"), format!("{FIRST_LINE}\n{SECOND_LINE}\n")).unwrap();
    let settings = [
        ("CACHE_ACCESS_RULES_PATH", file("rules.toml")),
        ("CACHE_ACCESS_TOKENS_PATH", file("tokens")),
    ];
    (TestServer::start_with(settings).await.unwrap(), directory)
}

fn is(error: &Error, kind: ErrorKind, words: &str) {
    assert_eq!((error.kind(), error.tries()), (kind, 1), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(!error.may_have_been_applied() && error.request_id().is_some());
}

#[tokio::test]
async fn a_token_lets_a_client_in_where_it_has_rights() {
    let (server, _files) = server().await;
    let client = Client::builder(server.address()).namespace("shop").token(FIRST).build().unwrap();
    assert_eq!(client.get("k").await.unwrap(), None);
    assert!(client.ping().await);
    let error = client.set("k", "v").await.unwrap_err();
    is(
        &error,
        ErrorKind::PermissionDenied,
        "token:web has no right to write in the namespace shop",
    );
    let error = client.get("k").namespace("other").await.unwrap_err();
    is(
        &error,
        ErrorKind::PermissionDenied,
        "token:web has no right to read in the namespace other",
    );
    let error = client.get("k").metadata("authorization", "Bearer nonsense").await.unwrap_err();
    is(&error, ErrorKind::Unauthenticated, "not known");
    assert!(!format!("{client:?} {error:?}").contains(FIRST));

    let shared = Token::new(FIRST).unwrap();
    let client = Client::builder(server.address()).namespace("shop").shared_token(shared);
    assert_eq!(client.build().unwrap().get("k").await.unwrap(), None);

    let stranger = Client::builder(server.address()).namespace("shop").build().unwrap();
    is(&stranger.get("k").await.unwrap_err(), ErrorKind::Unauthenticated, "no credential");
    assert!(stranger.ping().await, "health is open");
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changes() {
    let (server, files) = server().await;
    let path = files.path().join("token");
    fs::write(&path, FIRST).unwrap();
    let builder = Client::builder(server.address()).namespace("shop").token_file(&path);
    assert!(!format!("{builder:?}").contains(FIRST));
    let client = builder.connect().await.unwrap();
    client.get("k").await.unwrap();
    fs::write(&path, SECOND).unwrap();
    // The file of the server no longer has the first one.
    let tokens = files.path().join("tokens");
    fs::write(&tokens, SECOND_LINE).unwrap();
    let first = Client::builder(server.address()).namespace("shop").token(FIRST).build().unwrap();
    while first.get("k").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while client.get("k").await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_token_that_is_none_is_refused_and_not_shown() {
    let refused = |builder: tiny_cache_client::Builder| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation);
        assert!(!error.to_string().contains("secret"), "{error}");
        error.to_string()
    };
    let builder = || Client::builder("cache");
    assert!(refused(builder().token(" ")).contains("empty"));
    assert!(refused(builder().token("secret with spaces")).contains("no bearer token"));
    assert!(refused(builder().token_file("/absent/token")).contains("token file /absent/token"));
}
