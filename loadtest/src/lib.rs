//! Drives a tiny-cache server with real traces.
