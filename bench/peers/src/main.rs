//! Measures tiny-cache beside other caches and gRPC servers; see `docs/bench-peers.md`.

use std::{
    fs,
    io::{Write, stdout},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Parser;
use tiny_cache_bench_peers::{
    cli::Cli,
    measure::Run,
    report::{picture, table},
    results::Results,
};

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let (options, plan) = cli.options()?;
    fs::create_dir_all(&options.directory).context("making the directory of the results")?;
    let mut run = Run::prepare(&options, &plan)?;
    for &cell in &plan.cells {
        run.measure(cell);
        write(&options.directory, run.results())?;
    }
    if plan.latency {
        run.measure_latency()?;
        write(&options.directory, run.results())?;
    }
    stdout().write_all(table(run.results()).as_bytes())?;
    Ok(if run.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Written after each work, so that a run that is broken off leaves what it had.
fn write(directory: &Path, results: &Results) -> Result<()> {
    let mut json = serde_json::to_string_pretty(results)?;
    json.push('\n');
    fs::write(directory.join("peers.json"), json).context("writing the results")?;
    if let Some(picture) = picture(results) {
        fs::write(directory.join("peers.svg"), picture).context("writing the picture")?;
    }
    Ok(())
}
