//! How long the attacks last, on which transports they run, and how many random calls are made.

use std::{env, time::Duration};

use crate::support::{Deployment, process::Process};

/// Seconds of each attack, by `HARDENING_SECONDS`.
pub(crate) fn attack_time() -> Duration {
    Duration::from_secs(number("HARDENING_SECONDS").unwrap_or(2))
}

/// Random calls, by `HARDENING_CALLS`.
pub(crate) fn calls() -> usize {
    number("HARDENING_CALLS").map_or(1_000_000, |calls| calls as usize)
}

/// The number in a variable that is set and not empty.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Both transports, or those that `HARDENING_TRANSPORTS` names.
pub(crate) fn transports() -> Vec<String> {
    let named = env::var("HARDENING_TRANSPORTS").unwrap_or_default();
    let named: Vec<String> = named.split_whitespace().map(str::to_owned).collect();
    if named.is_empty() { vec!["engine".to_owned(), "hyper".to_owned()] } else { named }
}

/// A server on this transport, with some variables set.
pub(crate) fn start(transport: &str, vars: &[(&str, &str)]) -> Process {
    let mut all = vec![("CACHE_TRANSPORT", transport)];
    all.extend(vars);
    Process::start(&all)
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

pub(crate) fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Each shape of server on those transports.
pub(crate) fn deployments() -> Vec<Deployment> {
    let all = [
        (Deployment::OneWorkerOneShard, "engine"),
        (Deployment::SeveralWorkersAndShards, "engine"),
        (Deployment::Tls, "engine"),
        (Deployment::LongWay, "engine"),
        (Deployment::ByHyper, "hyper"),
        (Deployment::ByHyperOverTls, "hyper"),
    ];
    let transports = transports();
    let chosen = all.into_iter().filter(|(_, on)| transports.iter().any(|name| name == on));
    chosen.map(|(deployment, _)| deployment).collect()
}
