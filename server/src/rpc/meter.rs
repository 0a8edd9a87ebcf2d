//! Counts a worker's RPCs: how many are under way, how they ended, how long they took and how
//! large they were. Knows methods and statuses; it knows neither keys nor peers.
//!
//! Each worker has a meter and is its only writer, so that counting touches no other core's
//! cache line and takes no locked instruction. A request costs a look at the clock, and two
//! counters for each of its time and its sizes. A histogram of times has about 2 KiB and is
//! made when its method first ends with its status.

use std::{
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};

use crossbeam::utils::CachePadded;
use tiny_cache_proto::status::{CODES, code_name};
use tonic::Code;

use crate::{
    call::{CallStart, Facts, Method},
    histogram::{Count, Exemplar, Histogram, Layout, Schema, Snapshot},
};

/// The statuses whose counts the alerts of `dashboards/prometheus` go by: the servers' own
/// failures, and OK for the durations.
const ALERTED: [Code; 4] = [Code::Ok, Code::Internal, Code::Unavailable, Code::DataLoss];

/// From 60 ns to 64 s, in nanoseconds.
static DURATIONS: LazyLock<Layout> = LazyLock::new(|| {
    const BOUNDS: [f64; 19] = [
        10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3,
        100e-3, 250e-3, 500e-3, 1.0, 2.5, 5.0, 10.0,
    ];
    Layout::new(Schema::Eighths, [-191, 48], &BOUNDS, 1e9)
});

/// From a byte to 4 GiB.
static SIZES: LazyLock<Layout> = LazyLock::new(|| {
    const KIB: f64 = 1024.0;
    const MIB: f64 = 1024.0 * KIB;
    const BOUNDS: [f64; 11] = [
        16.0,
        64.0,
        256.0,
        KIB,
        4.0 * KIB,
        16.0 * KIB,
        64.0 * KIB,
        256.0 * KIB,
        MIB,
        4.0 * MIB,
        16.0 * MIB,
    ];
    Layout::new(Schema::Octaves, [0, 32], &BOUNDS, 1.0)
});

/// What is counted of a request that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured<'a> {
    pub(super) code: Code,
    pub(super) facts: &'a Facts,
    pub(super) took: Duration,
    /// Its trace, if it has one.
    pub(super) exemplar: Option<Exemplar>,
}

/// One worker's counts. Clones are the same meter; they stay on the worker's thread, and
/// other threads only read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<CachePadded<Series>>);

#[derive(Debug, Default)]
struct Series {
    active: Count,
    resets: Count,
    durations: [[Lazy; CODES.len()]; Method::COUNT],
    request_sizes: [Lazy; Method::COUNT],
    reply_sizes: [Lazy; Method::COUNT],
}

impl Series {
    fn record(&self, method: Method, measured: Measured<'_>) {
        let Measured { code, facts, took, exemplar } = measured;
        let method = method.index();
        self.durations[method][code as usize].record(&DURATIONS, nanos(took), exemplar);
        if let Some(bytes) = facts.request_bytes {
            self.request_sizes[method].record(&SIZES, bytes, None);
        }
        if let Some(bytes) = facts.reply_bytes {
            self.reply_sizes[method].record(&SIZES, bytes, None);
        }
    }
}

/// A histogram that is made when something is first recorded.
#[derive(Debug, Default)]
struct Lazy(OnceLock<Box<Histogram>>);

impl Lazy {
    fn record(&self, layout: &'static LazyLock<Layout>, value: u64, exemplar: Option<Exemplar>) {
        self.0.get_or_init(|| Box::new(Histogram::new(layout))).record(value, exemplar);
    }
}

/// A request under way. Dropped before its end it counts as CANCELLED: its caller has reset
/// it, or the connection is lost.
#[derive(Debug)]
pub(super) struct Metered {
    meter: Meter,
    start: CallStart,
    ended: bool,
}

impl Meter {
    /// RPCs of this moment that were taken and not yet answered.
    pub(crate) fn active(&self) -> u64 {
        self.0.active.get()
    }

    /// Requests so far whose caller went away before the reply.
    pub(crate) fn resets(&self) -> u64 {
        self.0.resets.get()
    }

    /// Counts a request in.
    pub(super) fn enter(&self, start: CallStart) -> Metered {
        self.0.active.add(1);
        Metered { meter: self.clone(), start, ended: false }
    }

    /// Counts a request that was answered as soon as it came.
    pub(super) fn count(&self, start: CallStart, measured: Measured<'_>) {
        self.0.record(start.method, measured);
    }

    /// How long the RPCs of all workers took, by method and status: what was seen, and what
    /// alerts are about. A series that is born with its first failure has no increase at that
    /// scrape, so the failure would reach no alert.
    pub(crate) fn durations(meters: &[Meter]) -> Vec<(Method, &'static str, Snapshot)> {
        Method::all()
            .flat_map(|method| CODES.map(|code| (method, code)))
            .filter_map(|(method, code)| {
                let parts = meters.iter();
                let parts = parts.map(|meter| &meter.0.durations[method.index()][code as usize]);
                let seen = together(&DURATIONS, parts);
                let alerted = matches!(method, Method::Cache(_)) && ALERTED.contains(&code);
                let from_zero = || alerted.then(|| Snapshot::new(&DURATIONS));
                Some((method, code_name(code), seen.or_else(from_zero)?))
            })
            .collect()
    }

    /// How large the requests of all workers were, by method; only what was seen.
    pub(crate) fn request_sizes(meters: &[Meter]) -> Vec<(Method, Snapshot)> {
        sizes(meters, |series| &series.request_sizes)
    }

    /// How large their replies were.
    pub(crate) fn reply_sizes(meters: &[Meter]) -> Vec<(Method, Snapshot)> {
        sizes(meters, |series| &series.reply_sizes)
    }
}

fn sizes(meters: &[Meter], of: fn(&Series) -> &[Lazy; Method::COUNT]) -> Vec<(Method, Snapshot)> {
    Method::all()
        .filter_map(|method| {
            let parts = meters.iter().map(|meter| &of(&meter.0)[method.index()]);
            Some((method, together(&SIZES, parts)?))
        })
        .collect()
}

fn together<'a>(
    layout: &'static LazyLock<Layout>,
    parts: impl Iterator<Item = &'a Lazy>,
) -> Option<Snapshot> {
    let mut seen = parts.filter_map(|part| part.0.get()).peekable();
    seen.peek()?;
    let mut sum = Snapshot::new(layout);
    seen.for_each(|histogram| sum.add(histogram));
    Some(sum)
}

impl Metered {
    pub(super) fn start(&self) -> CallStart {
        self.start
    }

    /// Counts the request as answered.
    pub(super) fn end(&mut self, measured: Measured<'_>) {
        // No handler cancels, so it was the caller.
        if measured.code == Code::Cancelled {
            self.meter.0.resets.add(1);
        }
        self.ended = true;
        self.meter.0.record(self.start.method, measured);
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if !self.ended {
            let (facts, took) = (&Facts::default(), self.start.at.elapsed());
            self.end(Measured { code: Code::Cancelled, facts, took, exemplar: None });
        }
        self.meter.0.active.take(1);
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_cache_proto::method::CacheMethod;

    const GET: Method = Method::Cache(CacheMethod::Get);

    fn seen(meter: &Meter) -> Vec<(&'static str, &'static str, u64)> {
        Meter::durations(std::slice::from_ref(meter))
            .into_iter()
            .map(|(method, code, snapshot)| (method.name(), code, snapshot.count()))
            .filter(|(_, _, count)| *count > 0)
            .collect()
    }

    #[test]
    fn what_was_answered_is_counted_under_its_method_and_status() {
        let meter = Meter::default();
        let facts = Facts { request_bytes: Some(40), reply_bytes: None, ..Facts::default() };
        for code in [Code::Ok, Code::NotFound, Code::Ok] {
            let mut metered = meter.enter(CallStart::now(Method::Cache(CacheMethod::Set)));
            assert_eq!(meter.active(), 1);
            metered.end(Measured { code, facts: &facts, took: Duration::ZERO, exemplar: None });
        }
        assert_eq!(meter.active(), 0);
        assert_eq!(
            seen(&meter),
            [("cache.CacheService/Set", "OK", 2), ("cache.CacheService/Set", "NOT_FOUND", 1)]
        );
        let meters = [meter];
        let requests = Meter::request_sizes(&meters);
        assert_eq!(requests.len(), 1);
        assert_eq!((requests[0].1.count(), requests[0].1.sum()), (3, 120.0));
        assert!(Meter::reply_sizes(&meters).is_empty());
        assert_eq!(meters[0].resets(), 0);
    }

    #[test]
    fn what_alerts_go_by_is_there_at_zero_before_it_is_seen() {
        let durations = Meter::durations(&[Meter::default()]);
        let zeros = |status| durations.iter().filter(|(_, code, _)| *code == status).count();
        assert_eq!(
            ["OK", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"].map(zeros),
            [CacheMethod::ALL.len(); 4]
        );
        assert_eq!(durations.len(), 4 * CacheMethod::ALL.len());
        assert!(durations.iter().all(|(_, _, snapshot)| snapshot.count() == 0));
    }

    #[test]
    fn a_sampled_request_leaves_its_trace_beside_its_bucket() {
        let meter = Meter::default();
        let exemplar = Exemplar { trace_id: [1; 16], span_id: [2; 8] };
        let took = Duration::from_secs(3);
        let (code, facts) = (Code::Ok, &Facts::default());
        let measured = Measured { code, facts, took, exemplar: Some(exemplar) };
        meter.enter(CallStart::now(GET)).end(measured);
        let durations = Meter::durations(&[meter]);
        let get_ok = durations.iter().find(|(_, _, snapshot)| snapshot.count() > 0).unwrap();
        let samples = get_ok.2.classic().into_iter().filter_map(|bucket| {
            let sample = bucket.sample?;
            Some((bucket.bound, sample.exemplar, sample.value >= 3.0))
        });
        assert_eq!(samples.collect::<Vec<_>>(), [(5.0, exemplar, true)]);
    }

    #[test]
    fn a_request_that_is_dropped_or_broken_off_is_cancelled() {
        let meter = Meter::default();
        drop(meter.enter(CallStart::now(GET)));
        let gone = Facts { caller_gone: true, ..Facts::default() };
        let (code, took) = (gone.status(Code::Unknown), Duration::ZERO);
        let measured = Measured { code, facts: &gone, took, exemplar: None };
        meter.enter(CallStart::now(GET)).end(measured);
        assert_eq!(seen(&meter), [("cache.CacheService/Get", "CANCELLED", 2)]);
        assert_eq!((meter.resets(), meter.active()), (2, 0));
    }
}
