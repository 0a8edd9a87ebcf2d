//! The body of a request, from whichever engine reads it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{engine::Upload, error::Lost};

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Incoming {
    ByEngine(Upload),
    ByHyper(hyper::body::Incoming),
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        match &mut *self {
            Self::ByEngine(body) => Pin::new(body).poll_frame(cx),
            Self::ByHyper(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|_| Lost))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::ByEngine(body) => body.is_end_stream(),
            Self::ByHyper(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::ByEngine(body) => body.size_hint(),
            Self::ByHyper(body) => body.size_hint(),
        }
    }
}
