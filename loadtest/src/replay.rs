//! The command `replay`: the accesses of a trace, as an application with a cache beside its
//! database makes them.

use std::sync::Arc;

use tokio::runtime;

use crate::{
    cli::{ReplayArgs, Target},
    engine::{Feed, Parts, Supply},
    error::Error,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    report::{Figures, Report, Settings, Tool, TraceReport},
    session::{Cast, Session},
    target::{Way, check_key},
    trace::Trace,
    watch::Goal,
};

/// Replays the trace that `args` name, to its end, its first error or Ctrl-C.
///
/// # Errors
///
/// The replay could not begin: the trace or the server is not what it should be.
pub fn run(args: Box<ReplayArgs>) -> Result<Outcome, Error> {
    if matches!(args.target, Target::Memcached(_)) && !args.key_prefix.is_empty() {
        check_key(&args.key_prefix)
            .map_err(|fault| Error::KeyPrefix { prefix: args.key_prefix.clone(), fault })?;
    }
    let course = args.course()?;
    let trace = Trace::open(&args.traces, args.reading()?)?;
    if args.speed.is_some() && !trace.has_times() {
        return Err(Error::NoTimes { trace: args.files(), format: trace.format() });
    }
    let findings = trace.findings();
    let (feed, reader) = Feed::new();
    let parts = Parts {
        threads: args.threads(),
        connections: args.connections(),
        way: Way::find(&args.target, &args.server)?,
        supply: Supply::Traced(Arc::new(feed)),
        written: None,
        origin: args.origin.unwrap_or_default(),
        verify: None,
    };
    let settings = Settings::of_replay(&args, &course, &trace);
    let goal = args.limit.map_or(Goal::File(trace.meter()), |limit| Goal::Requests(limit.get()));
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let outputs = Outputs::open(&args.output)?;
        let (target, server) = (&args.target, &args.server);
        let cast = Cast { target, server, parts: &parts, prefill: None, own_namespace: None };
        let mut session = Session::open(cast, outputs).await?;
        let reading = reader.start(trace, args.limit, args.speed.is_some())?;
        let played = session.play(course, "replay", goal).await;
        let closed = session.close(played.tally.rpcs()).await;

        let max_slip = course.pace.is_open().then(|| args.max_slip());
        let verdict = Verdict::of(played.stopped, max_slip, &played.tally);
        // A replay that was stopped does not wait for its reader.
        let verdict = match &verdict {
            Verdict::Stopped(_) => verdict,
            // The feed has ended, so the reader has.
            _ => reading.outcome().map_or_else(Verdict::TraceBroken, |()| verdict),
        };
        let mut figures = Figures::new(&played.tally, played.tally.last, true);
        figures.find_rows(|row| findings.place(row));
        let report = Report {
            tool: Tool::this(),
            command: "replay".to_owned(),
            started: closed.started,
            settings,
            ending: verdict.ending(),
            trace_error: match &verdict {
                Verdict::TraceBroken(error) => Some(error.to_string()),
                _ => None,
            },
            kept_up: max_slip.map(|_| verdict.kept_up()),
            trace: Some(TraceReport::of(&findings, args.max_gap)),
            figures,
            search: None,
            steps: Vec::new(),
            seconds: closed.seconds,
            server: closed.server,
            generator: closed.generator,
            machine: closed.machine,
        };
        Ok(Outcome { report, verdict, outputs: closed.outputs, warning: closed.warning })
    })
}
