//! A probe beside a flood of batches: ten connections, each with as many batches at a time as it may
//! have.

use std::time::Duration;

use prost::Message;

use crate::{
    attack::{Attack, Attackers},
    neighbour::{self, Neighbour},
    setting::{attack_time, millis, start, transports},
    support::{
        frames::{DATA, END_HEADERS, END_STREAM, HEADERS, WINDOW_UPDATE, call_block, frame},
        messages::{item, items, keys},
        run,
        wire::framed,
    },
};

const CONNECTIONS: usize = 10;

/// The target for the 99th percentile is 5 ms.
const FAR_OUT: Duration = Duration::from_secs(2);

fn call(stream: u32, rpc: &str, message: &impl Message) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, &call_block(rpc));
    let message = framed(false, &message.encode_to_vec());
    let parts = message.chunks(16 << 10);
    let last = parts.len() - 1;
    let data = parts.enumerate().flat_map(|(number, part)| {
        frame(DATA, if number == last { END_STREAM } else { 0 }, stream, part)
    });
    [head, data.collect()].concat()
}

fn all_that_comes_is_taken() -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes())
}

const FLOODS: [Attack; 4] = [
    batches("MultiGet of 100", |number| {
        let named = keys((0..100).map(|place| format!("b{place}")));
        (0..20)
            .flat_map(|place| {
                call(2 * (20 * number + place) + 1, "/cache.CacheService/MultiGet", &named)
            })
            .collect()
    }),
    batches("MultiSet of 100", |number| {
        let written = items((0..100).map(|place| item(format!("b{place}"), "v")));
        (0..20)
            .flat_map(|place| {
                call(2 * (20 * number + place) + 1, "/cache.CacheService/MultiSet", &written)
            })
            .collect()
    }),
    batches("MultiGet of 3,000", |number| {
        let named = keys((0..3_000).map(|place| format!("b{place}")));
        call(2 * number + 1, "/cache.CacheService/MultiGet", &named)
    }),
    batches("MultiSet of 3,000", |number| {
        let written = items((0..3_000).map(|place| item(format!("b{place}"), "v")));
        call(2 * number + 1, "/cache.CacheService/MultiSet", &written)
    }),
];

const fn batches(name: &'static str, wave: fn(u32) -> Vec<u8>) -> Attack {
    Attack { name, opening: all_that_comes_is_taken, wave, pause: Duration::ZERO }
}

#[test]
#[ignore = "loads a server for some seconds; meant for a release build"]
fn a_probe_beside_a_flood_of_batches_is_answered_soon() {
    println!("transport  batches             probes   median      p99       worst   cores");
    for transport in transports() {
        for flood in FLOODS {
            run(beside(&transport, flood));
        }
    }
}

async fn beside(transport: &str, flood: Attack) {
    let server = start(transport, &[]);
    server.connect().await.set(item("k", "v")).await.unwrap();
    let attackers = Attackers::begin(server.grpc_addr(), flood, CONNECTIONS);
    let probe = Neighbour::begin(server.grpc_addr(), neighbour::PROBE);
    let (_, cores) = crate::floods::watch(&server, attack_time()).await;
    let fared = probe.end();
    attackers.end();
    println!(
        "{transport:<9}  {:<18} {:>7}   {:>6.2} ms  {:>6.2} ms  {:>6.2} ms  {cores:>6.2}",
        flood.name,
        fared.calls(),
        millis(fared.at(500)),
        millis(fared.at(990)),
        millis(fared.at(1000)),
    );
    assert!(fared.failures.is_empty(), "{transport}, {}: {:?}", flood.name, fared.failures);
    assert!(fared.at(990) < FAR_OUT, "{transport}, {}: {:?}", flood.name, fared.at(990));
}
