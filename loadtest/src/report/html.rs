//! The report as a page with charts: one file, without scripts and with nothing to fetch.
//!
//! Charts are SVG made here, element by element, with maud, which escapes what it is given.
//! A chart library such as plotters draws axes as well, but its SVG has colours and fonts in
//! every element; here they are classes, so that one style sheet serves light and dark
//! screens, telephones and paper, and elements have texts for pointers and screen readers.

mod axis; // values to places, with ticks
mod curve; // latency at each rate
mod frame; // what charts have in common
mod heat; // latencies over time in full
mod lead; // what a reader wants to know first
mod percentiles; // latency by percentile
mod tables; // all the rest
mod timeline; // seconds to columns
mod trends; // rate, latency and hit ratio over time
mod units; // numbers as people read them
mod page; // all of it

pub(crate) use self::page::page;

#[cfg(test)]
pub(super) mod tests;
