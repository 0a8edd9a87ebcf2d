//! The tables on the terminal.

use std::fmt::Write;

use crate::{results::Results, work::Cell};

/// All tables of a run.
pub fn table(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(results, &mut text);
    text
}

fn write(results: &Results, text: &mut String) -> std::fmt::Result {
    let machine = &results.machine;
    writeln!(
        text,
        "{}, Linux {}; server on core {}, load on core {}",
        machine.processor, machine.kernel, machine.server_core, machine.load_core
    )?;
    for peer in &results.peers {
        let store = if peer.stores { "" } else { ", without a store" };
        writeln!(text, "{:<10} {} ({}{store})", peer.peer, peer.title, peer.version)?;
    }
    for left_out in &results.left_out {
        let work = left_out.work.as_deref().map(|work| format!(" at {work}")).unwrap_or_default();
        writeln!(text, "{:<10} left out{work}: {}", left_out.peer, left_out.reason)?;
    }
    costs(results, text)?;
    latencies(results, text)
}

fn costs(results: &Results, text: &mut String) -> std::fmt::Result {
    if results.costs.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\nserver CPU for an operation, medians of {} rounds of {} s; ratio: median of the rounds' \
         own ratios\n",
        results.rounds, results.seconds
    )?;
    writeln!(
        text,
        "{:<12} {:>7}  {:<10} {:>9} {:>7} {:>11} {:>9}",
        "work", "load", "server", "us/op", "ratio", "ops/s", "load us"
    )?;
    let mut before = None;
    for cost in &results.costs {
        let cell = (&cost.work, cost.connections, cost.in_flight);
        if before.is_some_and(|before| before != cell) {
            writeln!(text)?;
        }
        before = Some(cell);
        let shape = format!("{}x{}", cost.connections, cost.in_flight);
        writeln!(
            text,
            "{:<12} {shape:>7}  {:<10} {:>9.2} {:>7.2} {:>11.0} {:>9.2}",
            cost.work, cost.peer, cost.cpu_us, cost.ratio, cost.per_second, cost.load_cpu_us
        )?;
    }
    Ok(())
}

fn latencies(results: &Results, text: &mut String) -> std::fmt::Result {
    let Some(first) = results.latencies.first() else { return Ok(()) };
    writeln!(
        text,
        "\nresponse times in microseconds, {} in an open loop of {:.0} requests a second: half of \
         what the weakest can\n",
        Cell::CAPACITY.work.name,
        first.rate
    )?;
    writeln!(text, "{:<10} {:>9} {:>9} {:>9}", "server", "p50", "p99", "p99.9")?;
    for times in &results.latencies {
        let (p50, p99, p999) = (times.p50_us, times.p99_us, times.p999_us);
        writeln!(text, "{:<10} {p50:>9.0} {p99:>9.0} {p999:>9.0}", times.peer)?;
    }
    Ok(())
}
