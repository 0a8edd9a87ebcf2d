//! A verified load through two nodes over one cluster, while it cuts those who listen, moves slots,
//! is emptied and fails over. The program judges each node by itself, strictly; the library judges
//! reads through the one of what was written through the other, which may be late by a little.
//!
//! Ignored in a normal run, because it needs `redis-server` and `redis-cli`: `make test-tier`.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]
#![expect(clippy::print_stdout, reason = "figures that are read by people")]

mod program;

#[path = "../../server/tests/support/redis.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod redis;

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tiny_cache_client::Client;
use tiny_cache_loadtest::verify::{Begun, Fate, Judged, Kind, Ledger, Name, Nanos, Reason, Stamp};
use tiny_cache_server::{Server, Settings};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use program::{Load, Run, loadtest};
use redis::Cluster;

const KEYS: usize = 60;
const LANES: u64 = 6;

/// Between two calls of a lane: nodes, cluster, program and test share the machine.
const PACE: Duration = Duration::from_millis(2);

/// How old a value read through the other node may be: in quiet times with all but one in a thousand
/// reads, and whatever happens.
const QUIET: Duration = Duration::from_millis(10);
const EVER: Duration = Duration::from_secs(1);

/// The whole run, from the first call on.
const BOUND: Duration = Duration::from_secs(40);

struct Node {
    server: Server,
    client: Client,
}

impl Node {
    fn over(cluster: &Cluster) -> Self {
        let url = cluster.url();
        let vars = [
            ("CACHE_HOST", "127.0.0.1"),
            ("CACHE_PORT", "0"),
            ("CACHE_HEALTH_HOST", "127.0.0.1"),
            ("CACHE_HEALTH_PORT", "0"),
            ("CACHE_WORKERS", "1"),
            ("CACHE_BACKEND", "redis"),
            ("CACHE_BACKEND_URL", &url),
            ("CACHE_BACKEND_REQUIRED", "true"),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let server = Server::start(Settings::from_vars(vars).unwrap()).unwrap();
        // A value is sent once.
        let client = Client::builder(server.grpc_addr().to_string()).retries(0).build().unwrap();
        Self { server, client }
    }

    /// Whether every primary tells it of changes, and has a connection.
    fn is_up(&self) -> bool {
        let mut http = TcpStream::connect(self.server.http_addr()).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n";
        http.write_all(request.as_bytes()).unwrap();
        let mut metrics = String::new();
        http.read_to_string(&mut metrics).unwrap();
        metrics.lines().any(|line| line == "tiny_cache_backend_up 1")
    }
}

/// What all lanes share.
struct Watch {
    nodes: [Node; 2],
    names: Vec<String>,
    ledger: Ledger,
    start: Instant,
    /// Nothing happens, so that a miss means that there is no value. Else it may be for want of an
    /// answer, and shows nothing.
    is_quiet: AtomicBool,
    ends: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
    failures: AtomicU64,
    /// How old values were that had been replaced.
    ages: Mutex<Vec<Duration>>,
    /// When the cluster was last emptied: what was written before, or meanwhile, may be gone.
    emptied: AtomicU64,
}

impl Watch {
    fn over(cluster: &Cluster) -> Arc<Self> {
        Arc::new(Self {
            nodes: [Node::over(cluster), Node::over(cluster)],
            names: (0..KEYS).map(|n| format!("key-{n}")).collect(),
            ledger: Ledger::new(rand::random()),
            start: Instant::now(),
            is_quiet: AtomicBool::new(true),
            ends: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            ages: Mutex::default(),
            emptied: AtomicU64::new(0),
        })
    }

    async fn lane(self: Arc<Self>, seed: u64) {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        while !self.ends.load(Relaxed) {
            let index = random.random_range(0..KEYS);
            let name = &self.names[index];
            let client = &self.nodes[random.random_range(0..2)].client;
            match random.random_range(0..100) {
                0..65 => self.read(client, name).await,
                65..97 => self.write(client, name).await,
                _ if is_deleted(index) => self.delete(client, name).await,
                _ => {}
            }
            sleep(PACE).await;
        }
    }

    async fn read(&self, client: &Client, name: &str) {
        let begun = Begun::new(Name::new("", name), self.start.elapsed());
        let quiet = self.is_quiet.load(Relaxed);
        let found = client.get(name).await.unwrap();
        self.reads.fetch_add(1, Relaxed);
        if found.is_some() || (quiet && self.is_quiet.load(Relaxed)) {
            let judged = self.ledger.judge(begun, found.as_deref(), self.start.elapsed());
            self.take(judged);
        }
    }

    /// A value that had been replaced is one of an age; whatever else is wrong ends the test.
    fn take(&self, judged: Judged) {
        let Err(wrong) = judged else { return };
        let Reason::Replaced(by) = &wrong.reason else { panic!("{wrong}") };
        assert_eq!(wrong.kind, Kind::Stale, "{wrong}");
        let age = Duration::from_nanos(wrong.began.0.saturating_sub(by.ended.0));
        assert!(age < EVER, "{age:?} old: {wrong}");
        self.ages.lock().unwrap_or_else(PoisonError::into_inner).push(age);
    }

    async fn write(&self, client: &Client, name: &str) {
        let pending = self.ledger.begin_write(Name::new("", name), 100, 0, self.start.elapsed());
        let done = client.set(name, pending.value.clone()).await;
        let fate = self.fate(done.is_ok());
        self.ledger.end_write(pending, fate, self.start.elapsed()).unwrap();
    }

    async fn delete(&self, client: &Client, name: &str) {
        let begun = Begun::new(Name::new("", name), self.start.elapsed());
        let fate = self.fate(client.delete(name).await.is_ok());
        self.ledger.end_delete(begun, fate, self.start.elapsed());
    }

    fn fate(&self, done: bool) -> Fate {
        let (counter, fate) =
            if done { (&self.writes, Fate::Done) } else { (&self.failures, Fate::Unknown) };
        counter.fetch_add(1, Relaxed);
        fate
    }

    async fn until_up(&self) {
        let up = async {
            while !self.nodes.iter().all(Node::is_up) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(15), up).await.expect("the nodes are up again by themselves");
    }

    /// Runs the lanes around something that happens, and for some time after it. Then every key has
    /// the value that the last acknowledged write gave it, through both nodes.
    async fn around(self: &Arc<Self>, what: &str, happens: impl Future<Output = ()>) {
        self.ages.lock().unwrap().clear();
        let before = [&self.reads, &self.writes, &self.failures].map(|count| count.load(Relaxed));
        self.ends.store(false, Relaxed);
        let mut lanes = JoinSet::new();
        for seed in 0..LANES {
            lanes.spawn(self.clone().lane(seed + before[0]));
        }
        sleep(Duration::from_millis(300)).await;
        happens.await;
        sleep(Duration::from_millis(700)).await;
        self.until_up().await;
        self.ends.store(true, Relaxed);
        while let Some(ended) = lanes.join_next().await {
            ended.unwrap();
        }
        let audited = self.audit().await;
        let after = [&self.reads, &self.writes, &self.failures].map(|count| count.load(Relaxed));
        let [reads, writes, failures] = [0, 1, 2].map(|index| after[index] - before[index]);
        let ages = self.ages.lock().unwrap().clone();
        let oldest = ages.iter().max().copied().unwrap_or_default();
        println!(
            "{what}: {reads} reads, {} of them old, by {oldest:?} at most; {writes} writes, \
             {failures} failed; {audited} keys as acknowledged",
            ages.len()
        );
        assert!(reads > 100 && writes > 50, "{what}: {reads} reads, {writes} writes");
    }

    /// The calls after which nothing is under way. Returns how many keys must have a value.
    async fn audit(&self) -> usize {
        sleep(Duration::from_millis(50)).await;
        let mut audited = 0;
        for (index, name) in self.names.iter().enumerate() {
            let current = self.ledger.expected(Name::new("", name));
            let must_be_there = !is_deleted(index)
                && current.is_some_and(|current| {
                    Stamp::read(&current.value).unwrap().written.0 > self.emptied.load(Relaxed)
                });
            audited += usize::from(must_be_there);
            for Node { client, .. } in &self.nodes {
                let begun = Begun::new(Name::new("", name), self.start.elapsed());
                let found = client.get(name.as_str()).await.unwrap();
                assert!(found.is_some() || !must_be_there, "{name} is lost");
                self.ledger.judge(begun, found.as_deref(), self.start.elapsed()).unwrap();
            }
        }
        audited
    }

    /// At some moment of the call no key had a value.
    fn empty(&self, cluster: &Cluster) {
        let begun = self.start.elapsed();
        for primary in cluster.primaries() {
            cluster.nodes()[primary].ask(&["FLUSHALL"]);
        }
        for name in &self.names {
            let begun = Begun::new(Name::new("", name), begun);
            self.ledger.end_delete(begun, Fate::Done, self.start.elapsed());
        }
        self.emptied.store(Nanos::from(self.start.elapsed()).0, Relaxed);
    }
}

/// Whether a key is deleted now and then. Of the others it is known that a write that was acknowledged
/// left a value, whatever else was under way.
fn is_deleted(index: usize) -> bool {
    index % 2 == 1
}

/// The program, over both nodes as a ring: each key is one node's, and no read of it may be old.
fn program_over(nodes: &[Node; 2]) -> std::process::Command {
    let [a, b] = [0, 1].map(|index| nodes[index].server.grpc_addr());
    let mut command = loadtest("run --verify --rate 300 --duration 12s --keys 150 --prefill");
    command.with("--namespace program --threads 1 --batch 5 --max-slip 10s --ttl 60s");
    command.with("--mix get=50,set=20,delete=5,set-if-absent=5,compare-and-set=10,mget=5,mset=5");
    command.against(format!("a={a},b={b}"));
    command
}

/// What happens while no node is away, so that a miss means that there is no value.
async fn what_costs_no_answer(watch: &Arc<Watch>, cluster: &Cluster) {
    watch
        .around("listeners cut", async {
            for _ in 0..2 {
                for primary in cluster.primaries() {
                    assert!(cluster.nodes()[primary].cut_tracking() > 0);
                    sleep(Duration::from_millis(200)).await;
                }
            }
        })
        .await;
    let [from, to, ..] = cluster.primaries()[..] else { panic!("three primaries") };
    watch
        .around("slots moved", async {
            let mut mover = cluster.mover(from, to, 500);
            let moved = tokio::task::spawn_blocking(move || mover.output().unwrap()).await.unwrap();
            assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stdout));
        })
        .await;
    watch.around("FLUSHALL", async { watch.empty(cluster) }).await;
}

/// What was acknowledged is at the replica before the primary ends: Redis itself loses nothing.
async fn kill_a_primary(cluster: &mut Cluster) {
    let victim = cluster.primaries()[0];
    let node = &cluster.nodes()[victim];
    node.ask(&["CLIENT", "PAUSE", "5000", "WRITE"]);
    let field = |info: &str, name: &str| {
        let rest = info.split(name).nth(1).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    loop {
        let info = node.ask(&["INFO", "replication"]);
        if field(&info, ",offset=") == field(&info, "master_repl_offset:") {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    cluster.node_mut(victim).kill();
    let failed_over = async {
        while cluster.primaries().len() != 3 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(15), failed_over).await.expect("a replica takes over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server; run by `make test-tier`"]
async fn a_verified_load_through_two_nodes_sees_nothing_wrong_whatever_the_cluster_does() {
    let mut cluster = Cluster::start();
    let watch = Watch::over(&cluster);
    watch.until_up().await;
    let mut program = program_over(&watch.nodes);
    let program = tokio::task::spawn_blocking(move || program.report(0));

    watch.around("quiet", sleep(Duration::from_secs(4))).await;
    let mut ages = watch.ages.lock().unwrap().clone();
    ages.sort_unstable_by(|a, b| b.cmp(a));
    let beyond = watch.reads.load(Relaxed) / 1000;
    let p999 = ages.get(usize::try_from(beyond).unwrap()).copied().unwrap_or_default();
    println!("quiet: the age at p99.9 of all reads is {p999:?}");
    assert!(p999 <= QUIET, "{p999:?}");

    watch.is_quiet.store(false, Relaxed);
    what_costs_no_answer(&watch, &cluster).await;
    let report = program.await.unwrap();
    let found = report.figures.verification.unwrap();
    assert_eq!(found.violations, []);
    println!("the program: {} reads, confirmed {}", report.figures.hits, found.confirmed);
    assert!(found.confirmed > 500, "{found:?}");

    let before = cluster.primaries();
    let replica = (0..cluster.nodes().len()).find(|one| !before.contains(one)).unwrap();
    watch
        .around("planned failover", async {
            cluster.nodes()[replica].ask(&["CLUSTER", "FAILOVER"]);
            while !cluster.primaries().contains(&replica) {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    watch.around("primary killed", kill_a_primary(&mut cluster)).await;
    println!("all of it took {:?}", watch.start.elapsed());
    assert!(watch.start.elapsed() < BOUND, "{:?}", watch.start.elapsed());
}
