//! The page of metrics. They are read when they are scraped, once, into [`family`]'s model,
//! which each format writes in its own way.

mod accept; // the format that the scraper prefers
mod families; // every metric, with its name and help
mod family; // what all formats write
mod text; // Prometheus text and OpenMetrics
mod protobuf; // with native histograms

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;

use crate::monitor::Monitor;

use super::response::text as text_page;

use self::{accept::Format, families::Families};

/// Everything that `/metrics` shows.
pub(super) struct Metrics(Families);

impl Metrics {
    pub(super) fn of(monitor: Arc<Monitor>) -> Self {
        Self(Families::of(monitor))
    }

    /// The page in the format that the scraper prefers.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let families = self.0.read();
        let format = Format::preferred(headers);
        let page = match format {
            Format::Prometheus => text::prometheus(&families).into_bytes(),
            Format::OpenMetrics => text::openmetrics(&families).into_bytes(),
            Format::Protobuf => protobuf::encode(&families),
        };
        text_page(StatusCode::OK, format.content_type(), page)
    }
}
