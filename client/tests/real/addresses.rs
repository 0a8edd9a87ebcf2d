//! A name with several addresses, of which some are no server, and a name whose addresses
//! change.

use std::{
    future::IntoFuture,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use tiny_cache_client::{Builder, Client, ErrorKind, Tls, testing::TestServer};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    certificates::{Certificates, SERVER_NAME},
    figure,
};

/// Longer than any of these tests takes; an address that is waited for in vain takes as long.
const LONG: Duration = Duration::from_secs(60);

/// What listens at an address, or does not.
enum Peer {
    /// It accepts and says nothing.
    Hangs,
    /// It accepts and closes.
    Closes,
    /// It speaks HTTP/1.
    Http1,
    /// It says that it speaks HTTP/2, and closes.
    GreetsAndCloses,
}

/// Starts such a peer and returns its address.
async fn peer(kind: Peer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            match kind {
                Peer::Hangs => held.push(stream),
                Peer::Closes => drop(stream),
                Peer::Http1 => {
                    let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
                    let _ = stream.write_all(answer).await;
                    held.push(stream);
                }
                Peer::GreetsAndCloses => {
                    let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
                }
            }
        }
    });
    address
}

/// An address that refuses connections: a socket keeps the port and does not listen.
fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// An address that swallows SYNs: its queue is full, and nothing is accepted.
async fn hole() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    // It is full when a connection no longer comes about, however long that takes to see.
    while let Ok(stream) = timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 100, "the queue does not fill");
    }
    (listener, queued, address)
}

fn address(server: &TestServer) -> SocketAddr {
    server.address().parse().unwrap()
}

/// What a name gives, which a test may change.
#[derive(Clone, Default)]
struct Name(Arc<Mutex<Vec<SocketAddr>>>);

impl Name {
    fn gives(addresses: impl Into<Vec<SocketAddr>>) -> Self {
        let name = Self::default();
        name.changes_to(addresses);
        name
    }

    fn changes_to(&self, addresses: impl Into<Vec<SocketAddr>>) {
        *self.0.lock().unwrap() = addresses.into();
    }

    fn builder(&self) -> Builder {
        self.builder_for("cache.test:7")
    }

    fn builder_for(&self, address: &str) -> Builder {
        let name = self.clone();
        Client::builder(address).connect_timeout(LONG).deadline(LONG).resolver(move |host, port| {
            assert_eq!((host, port), ("cache.test", 7));
            let addresses = name.0.lock().unwrap().clone();
            async move { Ok(addresses) }
        })
    }
}

/// Makes a call that must not wait for an address that does not answer.
async fn is_served(client: &Client) {
    let begin = Instant::now();
    client.set("k", "v").retries(0).await.unwrap_or_else(|error| panic!("{error}"));
    let took = begin.elapsed();
    // 250 ms for each address before the server's, and a machine that is busy.
    assert!(took < LONG / 2, "{took:?}");
}

/// Only the first address that accepted TCP was tried: the call failed, or waited for as long
/// as a connection may take.
#[tokio::test]
async fn an_address_that_is_no_server_does_not_keep_a_client_from_the_next() {
    let server = TestServer::start().await.unwrap();
    let (_taken, refuses) = nobody();
    let (_listener, _queued, swallows) = hole().await;
    let bad = [
        peer(Peer::Hangs).await,
        peer(Peer::Closes).await,
        peer(Peer::Http1).await,
        refuses,
        swallows,
    ];
    for first in bad {
        let name = Name::gives([first, address(&server)]);
        is_served(&name.builder().build().unwrap()).await;
        name.builder().connect().await.unwrap();
    }
    let all = Name::gives([&bad[..], &[address(&server)]].concat());
    is_served(&all.builder().build().unwrap()).await;
}

#[tokio::test]
async fn a_server_behind_tls_is_found_among_addresses_that_are_none() {
    let made = Certificates::of_this_process();
    let server = TestServer::start_with([
        ("CACHE_TLS_ENABLED", "true".to_owned()),
        ("CACHE_TLS_CERT_PATH", made.server_certificate()),
        ("CACHE_TLS_KEY_PATH", made.server_key()),
    ])
    .await
    .unwrap();
    let plain = TestServer::start().await.unwrap();
    for first in [
        peer(Peer::Hangs).await,
        peer(Peer::Closes).await,
        // It answers the handshake with something else.
        peer(Peer::Http1).await,
        address(&plain),
    ] {
        let tls = Tls::new().ca_pem(made.authority.as_bytes()).unwrap().server_name(SERVER_NAME);
        let name = Name::gives([first, address(&server)]);
        is_served(&name.builder_for("grpcs://cache.test:7").tls(tls).build().unwrap()).await;
    }
}

#[tokio::test]
async fn an_error_names_every_address_and_what_it_did() {
    let (_taken, refuses) = nobody();
    let closes = peer(Peer::Closes).await;
    let name = Name::gives([refuses, closes]);
    let error = name.builder().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let text = error.to_string();
    let begin = format!("cannot connect to grpc://cache.test:7: {refuses}: Connection refused");
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.contains(&format!("; {closes}: ")), "{text}");

    let hangs = peer(Peer::Hangs).await;
    let name = Name::gives([refuses, hangs]);
    let short = name.builder().connect_timeout(Duration::from_millis(50));
    let text = short.connect().await.unwrap_err().to_string();
    assert!(text.ends_with(&format!("; {hangs}: no answer within 50ms")), "{text}");

    let text = Name::gives([]).builder().connect().await.unwrap_err().to_string();
    assert!(text.ends_with(": `cache.test` has no address"), "{text}");
    let builder = Client::builder("cache.test")
        .resolver(|_, _| async { Err(io::Error::other("the resolver is away")) });
    let text = builder.connect().await.unwrap_err().to_string();
    assert_eq!(text, "cannot connect to grpc://cache.test:50051: the resolver is away");
}

/// Each of a client's connections was led to another of the servers that a name gave, which
/// know nothing of one another: what one call wrote the next did not find.
#[tokio::test]
async fn all_connections_of_a_client_lead_to_one_server() {
    let servers = [TestServer::start().await.unwrap(), TestServer::start().await.unwrap()];
    let addresses = servers.each_ref().map(address);
    // The name gives them in another order each time, as DNS does.
    let looks = Arc::new(AtomicUsize::new(0));
    let client = Client::builder("cache.test")
        .connections(4)
        .deadline(LONG)
        .resolver(move |_, _| {
            let n = looks.fetch_add(1, Ordering::Relaxed);
            async move { Ok(vec![addresses[n % 2], addresses[(n + 1) % 2]]) }
        })
        .build()
        .unwrap();
    for n in 0..20 {
        let keys: Vec<_> = (0..50).map(|key| format!("{n}:{key}")).collect();
        let writes = keys.iter().map(|key| client.set(key, "v").into_future());
        join_all(writes).await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
        let reads = keys.iter().map(|key| client.get(key).into_future());
        assert!(join_all(reads).await.into_iter().all(|found| found.unwrap().is_some()));
    }
    let [first, second] = servers.each_ref();
    assert!(figure(first, "connections_accepted_total").await > 1.0);
    assert_eq!(figure(second, "connections_accepted_total").await, 0.0);
}

/// Waits until a server has been written to through the client.
async fn moves_to(client: &Client, server: &TestServer) {
    let begin = Instant::now();
    let look = server.client().await.unwrap();
    while look.get("moved").await.unwrap().is_none() {
        client.set("moved", "yes").await.unwrap();
        assert!(begin.elapsed() < LONG, "the client stays where it was");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A name was never looked up again while the connections lived: every call went to the old
/// address.
#[tokio::test]
async fn a_name_that_moves_is_followed_when_connections_have_their_age() {
    let (old, new) = (TestServer::start().await.unwrap(), TestServer::start().await.unwrap());
    let name = Name::gives([address(&old)]);
    let builder = name.builder().connections(3).max_connection_age(Duration::from_millis(100));
    let client = builder.build().unwrap();
    join_all((0..50).map(|_| client.set("k", "v").into_future())).await;
    name.changes_to([address(&new)]);
    moves_to(&client, &new).await;
    // With all connections, and without an error.
    while figure(&old, "connections_open").await > 0.0 {
        client.get("k").retries(0).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_stays_with_its_server_while_the_name_gives_it() {
    let (first, second) = (TestServer::start().await.unwrap(), TestServer::start().await.unwrap());
    let name = Name::gives([address(&first), address(&second)]);
    let age = Duration::from_millis(50);
    let client = name.builder().max_connection_age(age).connect().await.unwrap();
    name.changes_to([address(&second), address(&first)]);
    let begin = Instant::now();
    while figure(&first, "connections_accepted_total").await < 5.0 {
        client.set("k", "v").await.unwrap();
        assert!(begin.elapsed() < LONG, "connections are not replaced");
    }
    assert_eq!(figure(&second, "connections_accepted_total").await, 0.0);
}

#[tokio::test]
async fn a_name_is_looked_up_again_after_a_goaway() {
    let (old, new) = (TestServer::start().await.unwrap(), TestServer::start().await.unwrap());
    let name = Name::gives([address(&old)]);
    let client = name.builder().connect().await.unwrap();
    client.set("k", "v").await.unwrap();
    name.changes_to([address(&new)]);
    old.shutdown().await;
    moves_to(&client, &new).await;
}

/// The first address greets every connection and ends it, as a proxy does with nothing behind
/// it: it is the last to be tried again.
#[tokio::test]
async fn a_server_that_greets_and_closes_is_passed_over() {
    let server = TestServer::start().await.unwrap();
    let name = Name::gives([peer(Peer::GreetsAndCloses).await, address(&server)]);
    let client = name.builder().build().unwrap();
    client.get("k").await.unwrap_or_else(|error| panic!("{error}"));
    is_served(&client).await;
}

#[tokio::test]
async fn a_connector_and_a_resolver_exclude_one_another() {
    let builder = Name::gives([]).builder().connector(|| TcpStream::connect("127.0.0.1:7"));
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    assert!(error.to_string().ends_with("leave out the connector or the resolver"), "{error}");
}
