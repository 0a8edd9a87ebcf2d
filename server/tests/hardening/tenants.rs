//! Two tenants of one server, each in a namespace of its own. One reads its working set and writes
//! what it misses; the other is hostile, and has a quota or none. Printed are the first one's hit
//! ratio and how long its calls took, alone and beside each flood.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rand::{Rng, RngExt, SeedableRng};
use tempfile::NamedTempFile;
use tiny_cache_proto::cache::CacheItem;
use tonic::Code;

use crate::{
    setting::{attack_time, millis, start, transports},
    support::{
        Cache,
        http::{Http, sample},
        messages::{item, items, key, within},
        process::Process,
    },
};

const MEMORY_MB: &str = "48";

/// What the hostile tenant may have: a sixth of the memory, and 200 requests a second.
const QUOTAS: &str = "
    [namespace.hostile]
    max_bytes = '8MiB'
    requests_per_second = 200
    burst = 200
";

/// The working set: about 27 of the 48 MiB.
const KEYS: usize = 20_000;
const VALUE_BYTES: usize = 1000;

/// Time between two of its reads.
const PACE: Duration = Duration::from_millis(1);

/// Connections of the hostile tenant.
const CONNECTIONS: u64 = 4;

/// What the hostile tenant sends again and again.
#[derive(Clone, Copy)]
struct Flood {
    name: &'static str,
    batch: fn(&mut dyn Rng) -> Vec<CacheItem>,
}

const FLOODS: [Flood; 3] = [
    Flood { name: "writes", batch: |random| many(random, 100, 200, 1_000) },
    Flood { name: "huge values", batch: |random| many(random, 1, usize::MAX, 1 << 20) },
    Flood { name: "new keys", batch: |random| many(random, 100, usize::MAX, 1_000) },
];

/// So many values of so many bytes, under as many keys as there are.
fn many(random: &mut dyn Rng, count: usize, keys: usize, bytes: usize) -> Vec<CacheItem> {
    let one = |_| item(format!("{}", random.random_range(0..keys)), vec![7; bytes]);
    (0..count).map(one).collect()
}

/// How the first tenant fared.
#[derive(Default)]
struct Fared {
    hits: usize,
    /// From the moment at which each read was due, in their order of length.
    times: Vec<Duration>,
}

impl Fared {
    fn hit_ratio(&self) -> f64 {
        self.hits as f64 / self.times.len() as f64
    }

    fn p99(&self) -> Duration {
        self.times[self.times.len() * 99 / 100]
    }
}

#[test]
#[ignore = "two tenants for half a minute; meant for a release build"]
fn a_hostile_tenant_within_a_quota_takes_nothing_from_another() {
    let mut broken = Vec::new();
    for transport in transports() {
        println!(
            "transport  flood        quota  hit ratio  p99         lost by it  let in  refused"
        );
        for quota in [false, true] {
            for flood in [None, Some(FLOODS[0]), Some(FLOODS[1]), Some(FLOODS[2])] {
                let figures = beside(&transport, flood, quota);
                println!("{figures}");
                broken.extend(figures.broken());
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What a flood showed.
struct Figures {
    transport: String,
    flood: Option<Flood>,
    quota: bool,
    fared: Fared,
    /// Entries of the first tenant that were pushed out.
    lost: f64,
    /// Values of the hostile one, and its calls that were refused.
    let_in: usize,
    refused: usize,
}

fn beside(transport: &str, flood: Option<Flood>, quota: bool) -> Figures {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(QUOTAS.as_bytes()).unwrap();
    let mut settings = vec![("CACHE_MAX_MEMORY_MB", MEMORY_MB)];
    if quota {
        settings.push(("CACHE_QUOTAS_PATH", file.path().to_str().unwrap()));
    }
    let server = start(transport, &settings);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut cache = runtime.block_on(async {
        let mut cache = server.connect().await;
        let names: Vec<_> = (0..KEYS).map(|n| n.to_string()).collect();
        for names in names.chunks(1_000) {
            let batch = names.iter().map(|name| item(name, vec![1; VALUE_BYTES]));
            cache.multi_set(within("tenant", items(batch))).await.unwrap();
        }
        cache
    });

    let goes_on = Arc::new(AtomicBool::new(true));
    let floods: Vec<_> = (0..CONNECTIONS)
        .filter_map(|seed| flood.map(|flood| hostile(&server, flood, seed, goes_on.clone())))
        .collect();
    let fared = runtime.block_on(read(&mut cache));
    goes_on.store(false, Ordering::Relaxed);
    let done = floods.into_iter().map(|thread| thread.join().unwrap());
    let (let_in, refused) = done.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    let lost = "tiny_cache_namespace_evictions_total{cache_namespace=\"tenant\"}";
    let lost = runtime.block_on(async {
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        sample(&http.get("/metrics").await.unwrap().body, lost).unwrap()
    });

    Figures { transport: transport.to_owned(), flood, quota, fared, lost, let_in, refused }
}

impl Figures {
    fn name(&self) -> &'static str {
        self.flood.map_or("none", |flood| flood.name)
    }

    /// What must not be: a loss beside a tenant within its quota, or a flood that was none.
    fn broken(&self) -> Option<String> {
        let Self { transport, flood, quota, .. } = self;
        let hit_ratio = self.fared.hit_ratio();
        // A write that is under way may push out another's for a moment.
        let is_broken =
            if flood.is_none() || *quota { hit_ratio < 0.999 } else { self.let_in == 0 };
        let name = self.name();
        is_broken.then(|| format!("{transport}, {name}, quota {quota}: hit ratio {hit_ratio}"))
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { transport, fared, lost, let_in, refused, .. } = self;
        let (hit_ratio, p99) = (fared.hit_ratio(), millis(fared.p99()));
        let quota = if self.quota { "yes" } else { "no" };
        write!(
            f,
            "{transport:<9}  {:<11}  {quota:<5}  {hit_ratio:>9.4}  {p99:>7.2} ms  {lost:>10}  \
             {let_in:>6}  {refused:>7}",
            self.name(),
        )
    }
}

/// Reads the working set at random for a while, and writes what is missed.
async fn read(cache: &mut Cache) -> Fared {
    let mut fared = Fared::default();
    let mut random = rand_pcg::Pcg64::seed_from_u64(1);
    let began = Instant::now();
    for number in 0.. {
        let due = began + PACE * number;
        if due - began >= attack_time() {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        let name = random.random_range(0..KEYS).to_string();
        let found = cache.get(within("tenant", key(&name))).await.unwrap().found;
        fared.times.push(due.elapsed());
        fared.hits += usize::from(found);
        if !found {
            let missed = item(name, vec![1; VALUE_BYTES]);
            cache.set(within("tenant", missed)).await.unwrap();
        }
    }
    fared.times.sort_unstable();
    fared
}

/// Sends a flood on a connection of its own until it is told to end. Returns how many values were
/// let in, and how many calls were refused.
fn hostile(
    server: &Process,
    flood: Flood,
    seed: u64,
    goes_on: Arc<AtomicBool>,
) -> JoinHandle<(usize, usize)> {
    let addr = server.grpc_addr();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{addr}"));
            let mut cache = Cache::new(endpoint.unwrap().connect().await.unwrap());
            let mut random = rand_pcg::Pcg64::seed_from_u64(seed);
            let (mut let_in, mut refused) = (0, 0);
            while goes_on.load(Ordering::Relaxed) {
                let batch = (flood.batch)(&mut random);
                let count = batch.len();
                match cache.multi_set(within("hostile", items(batch))).await {
                    Ok(_) => let_in += count,
                    Err(status) => {
                        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                        refused += 1;
                    }
                }
            }
            (let_in, refused)
        })
    })
}
