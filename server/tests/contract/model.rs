//! A hundred thousand random calls of every RPC, beside a plain model. `make test-hardening` makes
//! a million.

use std::time::Duration;

use crate::support::{
    Deployment,
    random_calls::{ROOMY, agree_with_a_model},
};

crate::rows![random_calls_of_every_rpc_agree_with_a_plain_model];

async fn random_calls_of_every_rpc_agree_with_a_plain_model(on: Deployment) {
    const CALLS: usize = 100_000 / 6;
    let policy = match on {
        Deployment::OneWorkerOneShard | Deployment::Tls => "lru",
        Deployment::SeveralWorkersAndShards | Deployment::ByHyper | Deployment::OverRedis => {
            "window"
        }
        Deployment::ByHyperOverTls | Deployment::LongWay | Deployment::OverCluster => "tinylfu",
    };
    let mut vars = ROOMY.to_vec();
    vars.push(("CACHE_EVICTION_POLICY", policy));
    let site = on.start_with(&vars);
    let figures = agree_with_a_model(&site, (CALLS, Duration::ZERO), on as u64).await;
    let rpcs = if site.has_tier { 9 } else { 16 };
    assert_eq!(figures.calls.len(), rpcs, "{figures:?}");
}

/// The model is judged too: it finds what a server could do wrong.
mod judgement {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        time::{Duration, Instant},
    };

    use bytes::Bytes;

    use crate::support::model::{After, Met, Model, Name, Span};

    struct Told {
        model: Model,
        name: Name,
        start: Instant,
    }

    impl Told {
        /// A value that is kept for a second, written between 0 and 10 ms.
        fn written() -> Self {
            let name = Name { namespace: Some(""), key: "k".to_owned() };
            let mut told = Self { model: Model::default(), name, start: Instant::now() };
            let span = told.span(0, 10);
            told.model.agree(&told.name, span, &(), |_| ((), After::Holds("old".into(), 1)));
            told
        }

        fn span(&self, begin: u64, end: u64) -> Span {
            let at = |milliseconds| self.start + Duration::from_millis(milliseconds);
            Span { begin: at(begin), end: at(end) }
        }

        /// Whether the model agrees that this was read between two milliseconds.
        fn read(&mut self, begin: u64, end: u64, value: Option<&'static str>) -> bool {
            let (span, told) = (self.span(begin, end), value.map(Bytes::from));
            let agree = || {
                let rule = |met: Met<'_>| (met.live().cloned(), After::Same);
                self.model.agree(&self.name, span, &told, rule);
            };
            catch_unwind(AssertUnwindSafe(agree)).is_ok()
        }

        /// Likewise, that this stale value was.
        fn read_stale(&mut self, begin: u64, end: u64, value: Option<&'static str>) -> bool {
            let (span, told) = (self.span(begin, end), value.map(Bytes::from));
            let agree = || {
                let rule = |met: Met<'_>| match met {
                    Met::Stale(found) => (Some(found.clone()), After::Same),
                    Met::Live(_) | Met::Nothing => (None, After::Same),
                };
                self.model.agree(&self.name, span, &told, rule);
            };
            catch_unwind(AssertUnwindSafe(agree)).is_ok()
        }
    }

    #[test]
    fn a_read_that_differs_is_found() {
        let mut told = Told::written();
        assert!(told.read(20, 21, Some("old")));
        assert!(!told.read(20, 21, None));
        assert!(!told.read(20, 21, Some("another")));

        let span = told.span(30, 31);
        told.model.agree(&told.name, span, &(), |_| ((), After::Holds("new".into(), 0)));
        assert!(!told.read(40, 41, Some("old")));
        assert!(told.read(2000, 2001, Some("new")));

        told.model.agree(&told.name, span, &(), |_| ((), After::Gone));
        assert!(!told.read(50, 51, Some("new")));
    }

    #[test]
    fn an_entry_outlives_its_deadline_by_no_more_than_the_calls_took() {
        assert!(!Told::written().read(20, 999, None));
        assert!(Told::written().read(20, 1000, None));
        assert!(Told::written().read(1009, 1020, Some("old")));
        assert!(!Told::written().read(1010, 1020, Some("old")));
        // What was seen gone stays so.
        let mut told = Told::written();
        assert!(told.read(1005, 1006, None));
        assert!(!told.read(1007, 1008, Some("old")));
    }

    #[test]
    fn a_stale_value_is_there_from_the_deadline_to_the_end_of_its_time() {
        let stale = || {
            let mut told = Told::written();
            told.model.keep_stale(&told.name, Duration::from_millis(500));
            told
        };
        assert!(!Told::written().read_stale(1100, 1101, Some("old")));
        assert!(!stale().read_stale(20, 999, Some("old")));
        assert!(stale().read_stale(20, 1000, Some("old")));
        assert!(stale().read_stale(1509, 1520, Some("old")));
        assert!(!stale().read_stale(1510, 1520, Some("old")));
        assert!(!stale().read_stale(1100, 1499, None));
        assert!(stale().read_stale(1100, 1500, None));
        // What was seen stale is fresh no more, and what was seen gone is not stale again.
        let mut told = stale();
        assert!(told.read(1004, 1005, None));
        assert!(told.read_stale(1006, 1007, Some("old")));
        assert!(!told.read(1008, 1009, Some("old")));
        assert!(told.read_stale(1504, 1505, None));
        assert!(!told.read_stale(1506, 1507, Some("old")));
    }

    #[test]
    fn an_entry_counts_until_its_deadline_and_two_seconds_more_at_most() {
        let told = Told::written();
        let size = |begin, end| told.model.size(told.span(begin, end));
        assert_eq!(size(20, 30), (1, 1));
        assert_eq!(size(1005, 1006), (0, 1));
        assert_eq!(size(3009, 3010), (0, 1));
        assert_eq!(size(3010, 3011), (0, 0));
    }
}
