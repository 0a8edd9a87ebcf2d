//! Certificates, authorities and revocation lists that are replaced each second under load, and
//! broken each fourth time. Lasts six times as long as an attack: a minute in the long form.
//!
//! No call fails of a client that every file allows, on the connection that it has or on one for
//! each call, and none passes of one that every file forbids.

use std::{
    collections::HashSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rustls::version::{TLS12, TLS13};
use tiny_cache_test_support::certificates::Authority;
use tokio::time::{interval, sleep};

use crate::{
    setting::{attack_time, millis, transports},
    support::{
        certificates::Identity,
        mount::{Mount, TlsClient},
        process::Process,
        rotation::{call, call_once, metric, reloads, server_of, start},
        run,
        wire::Wire,
    },
};

/// Time between two rotations.
const PERIOD: Duration = Duration::from_secs(1);

/// Pause between two connections of a client, which costs three signatures each.
const PAUSE: Duration = Duration::from_millis(5);

/// Who signs, and whom.
struct Parties {
    servers: Authority,
    clients: Authority,
    /// Comes and goes.
    guests: Authority,
    good: Identity,
    revoked: Identity,
    stranger: Identity,
    guest: Identity,
}

impl Parties {
    fn new() -> Self {
        let [servers, clients, guests] = ["servers", "clients", "guests"].map(Authority::new);
        Self {
            good: clients.sign(&["good"]),
            revoked: clients.sign(&["revoked"]),
            stranger: Authority::new("strangers").sign(&["stranger"]),
            guest: guests.sign(&["guest"]),
            servers,
            clients,
            guests,
        }
    }

    /// The files of a round: guests are let in at even ones, and always have a list.
    fn files(&self, round: usize) -> [(&'static str, String); 4] {
        let own = server_of(&self.servers);
        let guests = if round.is_multiple_of(2) { self.guests.pem() } else { String::new() };
        // Of others, a new one for each round.
        let other = self.clients.sign(&["other"]);
        let lists =
            self.clients.revoke(&[&self.revoked, &other], 2999) + &self.guests.revoke(&[], 2999);
        [
            ("tls.crt", own.certificate),
            ("tls.key", own.key),
            ("ca.crt", self.clients.pem() + &guests),
            ("crl.pem", lists),
        ]
    }

    fn client(&self, identity: &Identity, version: usize) -> TlsClient {
        let version = if version.is_multiple_of(2) { &TLS12 } else { &TLS13 };
        TlsClient::of_versions(&self.servers.pem(), Some(identity), &[version])
    }
}

/// Replaces all files at once, by whole ones or with one of them broken.
fn replace(mount: &Mount, files: &[(&'static str, String)], broken: Option<usize>) {
    mount.swap_with(|at| {
        for (place, (name, text)) in files.iter().enumerate() {
            let length = if broken == Some(place) { text.len() * 3 / 4 } else { text.len() };
            fs::write(at.join(name), &text[..length]).unwrap();
        }
    });
}

/// What became of the calls.
#[derive(Default)]
struct Figures {
    /// On the one connection that stays open; the longest first.
    steady: Vec<Duration>,
    /// On a connection of their own.
    fresh: usize,
    /// Certificates that the server has shown.
    shown: HashSet<Vec<u8>>,
    refused: usize,
    /// Calls of the guest that passed, and those that did not.
    guest: [usize; 2],
}

async fn steady(parties: &Parties, server: &Process, over: &AtomicBool) -> Vec<Duration> {
    let stream = parties.client(&parties.good, 1).connect(server.grpc_addr()).await.unwrap();
    let mut wire = Wire::connect(stream).await.unwrap();
    let mut times = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        call(&mut wire).await.expect("a connection whose certificate is accepted goes on");
        times.push(begun.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    times.sort_unstable_by(|one, other| other.cmp(one));
    times
}

/// Connects anew for each call, until the rotation is over.
async fn again_and_again(
    client: impl Fn(usize) -> TlsClient,
    server: &Process,
    over: &AtomicBool,
    mut look: impl FnMut(Result<Vec<u8>, String>),
) {
    let clients = [client(0), client(1)];
    for client in clients.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        look(call_once(client, server).await);
        sleep(PAUSE).await;
    }
}

async fn rotate(parties: &Parties, mount: &Mount, over: &AtomicBool) -> usize {
    let mut due = interval(PERIOD);
    let end = Instant::now() + 6 * attack_time();
    let mut rounds = 0_usize;
    while Instant::now() < end {
        due.tick().await;
        rounds += 1;
        let broken = rounds.is_multiple_of(4).then_some(rounds / 4 % 4);
        replace(mount, &parties.files(rounds), broken);
    }
    // The last is a whole one.
    replace(mount, &parties.files(0), None);
    sleep(2 * PERIOD).await;
    over.store(true, Ordering::Relaxed);
    rounds
}

async fn measure(transport: &str) {
    let parties = Parties::new();
    let files = parties.files(0);
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let mount = Mount::holding(&files);
    let server = start(&mount, &[("CACHE_TRANSPORT", transport)]);
    let over = AtomicBool::new(false);
    let mut figures = Figures::default();
    let Figures { fresh, shown, refused, guest, .. } = &mut figures;
    let mut revoked = 0;
    let good = again_and_again(
        |n| parties.client(&parties.good, n),
        &server,
        &over,
        |called| {
            shown.insert(called.expect("a client that every file allows is served"));
            *fresh += 1;
        },
    );
    let stranger = again_and_again(
        |n| parties.client(&parties.stranger, n),
        &server,
        &over,
        |called| {
            called.expect_err("a stranger is refused");
            *refused += 1;
        },
    );
    let taken = again_and_again(
        |n| parties.client(&parties.revoked, n),
        &server,
        &over,
        |called| {
            called.expect_err("a revoked client is refused");
            revoked += 1;
        },
    );
    let guests = again_and_again(
        |n| parties.client(&parties.guest, n),
        &server,
        &over,
        |called| {
            guest[usize::from(called.is_err())] += 1;
        },
    );
    let (rounds, times, (), (), (), ()) = tokio::join!(
        rotate(&parties, &mount, &over),
        steady(&parties, &server, &over),
        good,
        stranger,
        taken,
        guests
    );
    figures.steady = times;
    figures.refused += revoked;
    report(transport, rounds, &figures, &server).await;
}

#[expect(clippy::print_stdout, reason = "figures that are read by people")]
async fn report(transport: &str, rounds: usize, figures: &Figures, server: &Process) {
    let Figures { steady, fresh, shown, refused, guest } = figures;
    let mut read = [0.0; 2];
    for file in ["certificate", "client_ca", "crl"] {
        for (sum, result) in read.iter_mut().zip(["ok", "failed"]) {
            *sum += metric(server, &reloads(file, result)).await;
        }
    }
    println!(
        "rotation {transport}: {rounds} rotations, a quarter of them broken: {} calls on one \
         connection (p99 {:.1} ms), {fresh} on {fresh} connections that saw {} certificates, none \
         failed; {refused} of strangers and revoked clients, none passed; {} of guests passed and \
         {} did not; {} files read again, {} reported",
        steady.len(),
        millis(steady[steady.len() / 100]),
        shown.len(),
        guest[0],
        guest[1],
        read[0],
        read[1],
    );
    assert!(shown.len() > rounds / 2, "{} certificates in {rounds} rounds", shown.len());
    assert!(guest.iter().all(|calls| *calls > 0), "guests come and go: {guest:?}");
    assert!(*fresh > rounds && *refused > rounds, "{fresh} and {refused} in {rounds} rounds");
}

#[test]
#[ignore = "takes six times as long as an attack"]
fn rotation_fails_no_call_that_is_allowed_and_passes_none_that_is_forbidden() {
    for transport in transports() {
        run(measure(&transport));
    }
}
