//! Chooses a format by what the scraper accepts (RFC 9110, 12.5.1).

use http::{HeaderMap, header};

/// A format of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The classic text.
    Prometheus,
    OpenMetrics,
    /// The only one that carries native histograms.
    Protobuf,
}

impl Format {
    /// The plainest of those that the scraper wants most. Wildcards do not matter: without a
    /// wish of its own a scraper gets the classic text.
    pub(super) fn preferred(headers: &HeaderMap) -> Self {
        let mut preferred = (Self::Prometheus, Self::Prometheus.quality(headers));
        for format in [Self::OpenMetrics, Self::Protobuf] {
            let quality = format.quality(headers);
            if quality > preferred.1 {
                preferred = (format, quality);
            }
        }
        preferred.0
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited"
            }
        }
    }

    /// How much the scraper wants it, from 0, not at all, to 1.
    fn quality(self, headers: &HeaderMap) -> f32 {
        let accepts = headers.get_all(header::ACCEPT).iter();
        let ranges = accepts.filter_map(|accept| accept.to_str().ok()).flat_map(|a| a.split(','));
        ranges.filter_map(|range| self.quality_in(range)).fold(0.0, f32::max)
    }

    /// The weight of a media range that means this format.
    fn quality_in(self, range: &str) -> Option<f32> {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?;
        let mut weight = 1.0;
        let mut is = [None; 3];
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim_matches('"');
            match key.to_ascii_lowercase().as_str() {
                "q" => weight = value.parse().ok()?,
                "version" => is[0] = Some(value),
                "proto" => is[1] = Some(value),
                "encoding" => is[2] = Some(value),
                _ => {}
            }
        }
        let [version, proto, encoding] = is;
        let meant = match self {
            Self::Prometheus => name.eq_ignore_ascii_case("text/plain"),
            Self::OpenMetrics => {
                name.eq_ignore_ascii_case("application/openmetrics-text")
                    && version.is_none_or(|version| version == "1.0.0")
            }
            Self::Protobuf => {
                name.eq_ignore_ascii_case("application/vnd.google.protobuf")
                    && proto == Some("io.prometheus.client.MetricFamily")
                    && encoding == Some("delimited")
            }
        };
        meant.then_some(weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_scraper_wants_most() {
        use Format::{OpenMetrics, Prometheus, Protobuf};
        const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;\
            escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        const WITH_NATIVE_HISTOGRAMS: &str = "application/vnd.google.protobuf;\
            proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
            application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
        for (accept, format) in [
            (PROMETHEUS_3, OpenMetrics),
            (WITH_NATIVE_HISTOGRAMS, Protobuf),
            ("application/openmetrics-text", OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", Prometheus),
            ("text/plain;q=1, application/openmetrics-text;q=0.1", Prometheus),
            ("text/plain, application/openmetrics-text", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=nonsense", Prometheus),
            ("application/vnd.google.protobuf", Prometheus),
            ("application/vnd.google.protobuf;proto=other;encoding=delimited", Prometheus),
            ("*/*", Prometheus),
            ("", Prometheus),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(Format::preferred(&headers), format, "{accept}");
        }
        assert_eq!(Format::preferred(&HeaderMap::new()), Prometheus);
    }
}
