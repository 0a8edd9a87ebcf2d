//! A run: the servers take turns, round by round, so that a change of the machine's speed falls on
//! all of them.

mod contestant;

use std::path::PathBuf;

use anyhow::{Context, Result};

use self::contestant::{Contestant, Round};
use crate::{
    draws::Draws,
    peer::Peer,
    progress::Progress,
    results::{Cost, Latency, LeftOut, Machine, PeerVersion, Results, VERSION},
    server::{Cores, Identity, Programs},
    statistics::{median, median_ratio},
    work::{Cell, Plan},
};

/// What a run is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers that are wanted.
    pub peers: Vec<Peer>,
    /// Where their programs are.
    pub programs: Programs,
    /// Rounds of each row.
    pub rounds: usize,
    /// Seconds of each round.
    pub seconds: f64,
    /// Where logs, certificates and results go.
    pub directory: PathBuf,
}

/// The share of the weakest server's capacity that the open loop asks for.
const SHARE: f64 = 0.5;

/// A run under way.
#[derive(Debug)]
pub struct Run {
    contestants: Vec<Contestant>,
    progress: Progress,
    results: Results,
    failed: bool,
}

impl Run {
    /// Finds the servers, and leaves out those that this machine does not have.
    ///
    /// # Errors
    ///
    /// The machine has one core, or nothing can be measured at all.
    pub fn prepare(options: &Options, plan: &Plan) -> Result<Self> {
        let cores = Cores::choose()?;
        cores.pin_load()?;
        let identity = Identity::make(&options.directory)?;
        let mut results = Results {
            version: VERSION,
            machine: Machine::here(cores),
            rounds: options.rounds,
            seconds: options.seconds,
            peers: Vec::new(),
            left_out: Vec::new(),
            costs: Vec::new(),
            latencies: Vec::new(),
        };
        let mut contestants = Vec::new();
        for &peer in &options.peers {
            match options.programs.find(&peer) {
                Ok(program) => {
                    results.peers.push(PeerVersion {
                        peer: peer.name.to_owned(),
                        title: peer.title.to_owned(),
                        version: program.version.clone(),
                        stores: peer.stores,
                    });
                    let directory = options.directory.clone();
                    contestants.push(Contestant::new(
                        peer,
                        program,
                        cores.server,
                        identity.clone(),
                        directory,
                    ));
                }
                Err(error) => results.left_out.push(LeftOut {
                    peer: peer.name.to_owned(),
                    work: None,
                    reason: format!("{error:#}"),
                }),
            }
        }
        let cells = plan.cells.len() + usize::from(plan.latency);
        let progress = Progress::new(cells * contestants.len() * options.rounds);
        Ok(Self { contestants, progress, results, failed: false })
    }

    /// What there is so far.
    pub fn results(&self) -> &Results {
        &self.results
    }

    /// Whether a server that was there could not be measured.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Measures all servers at one work.
    pub fn measure(&mut self, cell: Cell) {
        let seconds = self.results.seconds;
        let mut draws = Draws::new(&cell.work);
        let measured = self.rounds(&cell.to_string(), cell.work.tls, |contestant| {
            draws.rewind();
            contestant.closed(cell, &mut draws, seconds)
        });
        let of = |rounds: &[Round], figure: fn(&Round) -> f64| -> Vec<f64> {
            rounds.iter().map(figure).collect()
        };
        let mut first: Option<Vec<f64>> = None;
        for (peer, rounds) in measured {
            let cpu = of(&rounds, |round| round.cpu_us);
            let first = first.get_or_insert_with(|| cpu.clone());
            self.results.costs.push(Cost {
                work: cell.work.name.to_owned(),
                connections: cell.shape.connections,
                in_flight: cell.shape.in_flight,
                peer: peer.name.to_owned(),
                cpu_us: median(&cpu),
                ratio: median_ratio(&cpu, first),
                per_second: median(&of(&rounds, |round| round.per_second)),
                load_cpu_us: median(&of(&rounds, |round| round.load_cpu_us)),
                rounds: cpu,
            });
        }
    }

    /// Measures the response times of all servers at a rate that none is overloaded by.
    ///
    /// # Errors
    ///
    /// No server's capacity is known.
    pub fn measure_latency(&mut self) -> Result<()> {
        let (work, shape) = (Cell::CAPACITY.work, Cell::CAPACITY.shape);
        let is_capacity = |cost: &&Cost| {
            cost.work == work.name
                && (cost.connections, cost.in_flight) == (shape.connections, shape.in_flight)
        };
        let capacities = self.results.costs.iter().filter(is_capacity).map(|cost| cost.per_second);
        let weakest = capacities.reduce(f64::min).context("no server was measured")?;
        let (rate, seconds) = (SHARE * weakest, self.results.seconds);
        let mut draws = Draws::new(&work);
        let measured = self.rounds("latency", false, |contestant| {
            draws.rewind();
            contestant.open(&mut draws, rate, seconds)
        });
        for (peer, rounds) in measured {
            let percentile = |percent| {
                median(&rounds.iter().map(|times| times.percentile(percent)).collect::<Vec<_>>())
            };
            self.results.latencies.push(Latency {
                peer: peer.name.to_owned(),
                rate,
                p50_us: percentile(50.0),
                p99_us: percentile(99.0),
                p999_us: percentile(99.9),
            });
        }
        Ok(())
    }

    /// Lets the servers take turns; each round begins with another one. A server that fails drops
    /// out of this work.
    fn rounds<T>(
        &mut self,
        work: &str,
        tls: bool,
        mut one: impl FnMut(&mut Contestant) -> Result<T>,
    ) -> Vec<(Peer, Vec<T>)> {
        let mut measured: Vec<_> =
            self.contestants.iter().map(|contestant| (contestant.peer, Some(Vec::new()))).collect();
        let count = self.contestants.len();
        for round in 0..self.results.rounds {
            for turn in 0..count {
                let place = (round + turn) % count;
                let contestant = &mut self.contestants[place];
                let (peer, rounds) = &mut measured[place];
                self.progress.next(&format!("{work} {}", peer.name));
                let Some(done) = rounds.as_mut().filter(|_| !tls || peer.is_ours()) else {
                    continue;
                };
                match one(contestant) {
                    Ok(figures) => done.push(figures),
                    Err(error) => {
                        self.failed = true;
                        self.results.left_out.push(LeftOut {
                            peer: peer.name.to_owned(),
                            work: Some(work.to_owned()),
                            reason: format!("{error:#}"),
                        });
                        *rounds = None;
                    }
                }
            }
        }
        self.progress.clear();
        let complete = |(peer, rounds): (Peer, Option<Vec<T>>)| {
            rounds.filter(|rounds| !rounds.is_empty()).map(|rounds| (peer, rounds))
        };
        measured.into_iter().filter_map(complete).collect()
    }
}
