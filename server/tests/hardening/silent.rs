//! Two thousand sockets that say nothing, or stop in the middle of a preface or of a header block.
//! Each is closed at its deadline, and new clients are served meanwhile.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    setting::{millis, start, transports},
    support::{
        frames::{HEADERS, PREFACE, SETTINGS, call_block, frame},
        messages::{item, key},
        run,
    },
};

const SOCKETS: usize = 2_000;

/// `CACHE_HANDSHAKE_TIMEOUT_SECONDS`.
const DEADLINE: Duration = Duration::from_secs(3);

/// After the deadline, until the last of all is closed; the machine may be busy.
const LATE: Duration = Duration::from_secs(10);

/// Far beyond the target of 50 ms for a new client.
const FAR_OUT: Duration = Duration::from_secs(2);

#[test]
#[ignore = "opens thousands of sockets"]
fn sockets_that_stop_are_closed_at_their_deadline() {
    allow_descriptors(SOCKETS as u64 + 500);
    println!("transport  sockets         closed after            new clients: median, worst");
    let half_block = [
        PREFACE,
        &frame(SETTINGS, 0, 0, &[]),
        &frame(HEADERS, 0, 1, &call_block("/cache.CacheService/Get")[..20]),
    ];
    let kinds = [
        ("nothing", Vec::new()),
        ("half a preface", PREFACE[..12].to_vec()),
        ("half a block", half_block.concat()),
    ];
    for transport in transports() {
        for (name, said) in &kinds {
            run(stop(&transport, name, said));
        }
    }
}

async fn stop(transport: &str, name: &str, said: &[u8]) {
    let deadline = DEADLINE.as_secs().to_string();
    let server = start(transport, &[("CACHE_HANDSHAKE_TIMEOUT_SECONDS", &deadline)]);
    server.connect().await.set(item("k", "v")).await.unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..SOCKETS {
        let mut socket = TcpStream::connect(server.grpc_addr()).await.unwrap();
        socket.write_all(said).await.unwrap();
        let opened = Instant::now();
        waiting.spawn(async move {
            let mut dropped = Vec::new();
            // Its end may be a reset.
            let end = timeout(DEADLINE + LATE, socket.read_to_end(&mut dropped)).await;
            end.is_ok().then(|| opened.elapsed())
        });
    }
    let began = Instant::now();
    let mut served = Vec::new();
    while began.elapsed() < DEADLINE {
        let asked = Instant::now();
        server.connect().await.get(key("k")).await.unwrap();
        served.push(asked.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    served.sort_unstable();
    let closed = waiting.join_all().await;
    let open = closed.iter().filter(|closed| closed.is_none()).count();
    let times: Vec<_> = closed.into_iter().flatten().collect();
    let (least, most) = (times.iter().min().copied(), times.iter().max().copied());
    let (median, worst) = (served[served.len() / 2], served[served.len() - 1]);
    println!(
        "{transport:<9}  {name:<14}  {:.2} to {:.2} s, of {:.0} s   {:>6.1} ms, {:>6.1} ms",
        least.unwrap_or_default().as_secs_f64(),
        most.unwrap_or_default().as_secs_f64(),
        DEADLINE.as_secs_f64(),
        millis(median),
        millis(worst),
    );
    assert_eq!(open, 0, "{transport}, {name}: sockets are open after their deadline");
    assert!(least > Some(DEADLINE * 9 / 10), "{transport}, {name}: closed too early: {least:?}");
    assert!(worst < FAR_OUT, "{transport}, {name}: a new client waited for {worst:?}");
}

/// Lets this process open so many sockets. The server raises its own limit.
pub(crate) fn allow_descriptors(wanted: u64) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let enough = maximum.is_none_or(|maximum| maximum >= wanted);
    assert!(enough, "this needs {wanted} file descriptors, and may have {maximum:?}");
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
}
