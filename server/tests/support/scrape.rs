//! One scrape of `/metrics` in the classic text, by name and labels.

use std::time::{Duration, Instant};

use super::{Site, http::Http};

/// What was scraped.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) page: String,
}

impl Scrape {
    pub(crate) async fn of(site: &Site) -> Self {
        let response = site.http("/metrics").await;
        assert_eq!(response.status, 200);
        Self { page: response.body }
    }

    /// The page as the scraper asks for it.
    pub(crate) async fn accepting(site: &Site, accept: &str) -> super::http::Response {
        let mut http = Http::connect(site.http_addr()).await.unwrap();
        http.send("GET", "/metrics", &[("accept", accept)]).await.unwrap()
    }

    /// Scrapes until `holds`: for what the server does by itself, a moment later.
    pub(crate) async fn until(site: &Site, holds: impl Fn(&Self) -> bool) -> Self {
        let give_up = Instant::now() + Duration::from_secs(60);
        loop {
            let scrape = Self::of(site).await;
            if holds(&scrape) {
                return scrape;
            }
            assert!(Instant::now() < give_up, "{}", scrape.page);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The value of `name` without labels, or of `name{label="value",..}`, the labels in the
    /// page's order.
    pub(crate) fn find(&self, series: &str) -> Option<f64> {
        self.page.lines().find_map(|line| {
            let (known, value) = line.rsplit_once(' ')?;
            (known == series).then(|| value.parse().unwrap())
        })
    }

    /// As [`Scrape::find`], of what must be there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.find(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.page))
    }

    /// The names of our own counters' and gauges' samples, and what each must be.
    pub(crate) fn assert(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            let told = self.value(&format!("tiny_cache_{series}"));
            assert!((told - value).abs() < 1e-9, "{series}: {told}, not {value}");
        }
    }

    /// The sum over all series of a name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let labelled = format!("{name}{{");
        let of = |line: &&str| line.starts_with(&labelled);
        self.page.lines().filter(of).map(|line| number(line.rsplit_once(' ').unwrap().1)).sum()
    }

    /// How many series a name has.
    pub(crate) fn series(&self, name: &str) -> usize {
        let labelled = format!("{name}{{");
        self.page.lines().filter(|line| line.starts_with(&labelled)).count()
    }

    /// The calls that ended with a status.
    pub(crate) fn calls(&self, method: &str, code: &str) -> f64 {
        let series = format!(
            "rpc_server_call_duration_seconds_count{{rpc_system_name=\"grpc\",\
             rpc_method=\"{method}\",rpc_response_status_code=\"{code}\"}}"
        );
        self.find(&series).unwrap_or(0.0)
    }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}
