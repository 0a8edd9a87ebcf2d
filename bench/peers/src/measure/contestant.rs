//! One server through a run: started when it is first needed, filled, and measured by rounds.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{
    draws::{Draws, Fill},
    load::{Load, Target, Times},
    peer::{Peer, Wants},
    server::{Identity, Program, Server, own_cpu},
    work::{Cell, Shape, Value, Work},
};

/// Before each round: caches and allocators warm up, and the connection's first frames pass.
const WARM_UP: Duration = Duration::from_millis(300);

/// How a store is filled.
const FILL: Shape = Shape { connections: 4, in_flight: 32 };

/// A round of the closed loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) cpu_us: f64,
    pub(super) per_second: f64,
    pub(super) load_cpu_us: f64,
}

/// A server that was found.
#[derive(Debug)]
pub(super) struct Contestant {
    pub(super) peer: Peer,
    program: Program,
    core: usize,
    identity: Identity,
    directory: PathBuf,
    /// One for each way in which works want it started.
    hosted: Vec<Hosted>,
}

/// Its process.
#[derive(Debug)]
struct Hosted {
    tls: bool,
    full: bool,
    server: Server,
    target: Target,
    /// Keys that are there, of small and of large values.
    filled: [u32; 2],
}

impl Contestant {
    pub(super) fn new(
        peer: Peer,
        program: Program,
        core: usize,
        identity: Identity,
        directory: PathBuf,
    ) -> Self {
        Self { peer, program, core, identity, directory, hosted: Vec::new() }
    }

    /// A round of the closed loop.
    pub(super) fn closed(&mut self, cell: Cell, draws: &mut Draws, seconds: f64) -> Result<Round> {
        let hosted = self.host(&cell.work)?;
        let mut load = Load::connect(&hosted.target, cell.work.value, cell.shape)?;
        load.start(draws)?;
        load.run(draws, WARM_UP)?;
        let (cpu, own) = (hosted.server.cpu()?, own_cpu()?);
        let span = load.run(draws, Duration::from_secs_f64(seconds))?;
        let (cpu, own) = (hosted.server.cpu()? - cpu, own_cpu()? - own);
        ensure!(span.operations > 0, "no operation ended within the round");
        let operations = span.operations as f64;
        Ok(Round {
            cpu_us: cpu.as_secs_f64() * 1e6 / operations,
            per_second: operations / span.elapsed.as_secs_f64(),
            load_cpu_us: own.as_secs_f64() * 1e6 / operations,
        })
    }

    /// A round of the open loop.
    pub(super) fn open(&mut self, draws: &mut Draws, rate: f64, seconds: f64) -> Result<Times> {
        let Cell { work, shape } = Cell::CAPACITY;
        let hosted = self.host(&work)?;
        let mut load = Load::connect(&hosted.target, work.value, shape)?;
        load.pace(draws, rate, WARM_UP)?;
        load.pace(draws, rate, Duration::from_secs_f64(seconds))
    }

    /// The process, with the keys of a work.
    fn host(&mut self, work: &Work) -> Result<&mut Hosted> {
        let Work { tls, full, .. } = *work;
        let is_it = |hosted: &Hosted| (hosted.tls, hosted.full) == (tls, full);
        let index = if let Some(index) = self.hosted.iter().position(is_it) {
            index
        } else {
            let files = tls.then_some(&self.identity.files);
            let wants = Wants { tls: files, full };
            let server =
                Server::start(&self.peer, &self.program, self.core, wants, &self.directory)?;
            let trust = tls.then(|| self.identity.trust.clone());
            let target = Target { port: server.port(), wire: self.peer.wire, trust };
            self.hosted.push(Hosted { tls, full, server, target, filled: [0; 2] });
            self.hosted.len() - 1
        };
        let hosted = &mut self.hosted[index];
        if self.peer.stores {
            hosted.fill(work)?;
        }
        Ok(hosted)
    }
}

impl Hosted {
    fn fill(&mut self, work: &Work) -> Result<()> {
        let filled = &mut self.filled[usize::from(work.value == Value::Large)];
        let keys = work.keys.count();
        if *filled < keys {
            let mut load = Load::connect(&self.target, work.value, FILL)?;
            load.drain(&mut Fill::new(keys), keys.into()).context("filling the store")?;
            *filled = keys;
        }
        Ok(())
    }
}
