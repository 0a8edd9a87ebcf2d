//! The command `replay`: the accesses of a trace, as an application with a cache beside its
//! database makes them.

use std::sync::Arc;

use crate::{
    engine::{Feed, Supply},
    error::Error,
    outcome::{Outcome, Verdict},
    outputs::Outputs,
    report::{Figures, TraceReport},
    session::{Session, SessionParts, Summary, block_on},
    spec::Replay,
    trace::Trace,
    watch::{Goal, Wanted},
};

/// Replays a trace, to its end, its first error or Ctrl-C.
///
/// # Errors
///
/// The replay could not begin: the trace or the server is not what it should be.
pub fn run(spec: &Replay, wanted: &Wanted) -> Result<Outcome, Error> {
    let trace = Trace::open(&spec.trace.files, spec.trace.reading.clone())?;
    let course = spec.course();
    let keeps_times = course.pace.is_open();
    if keeps_times && !trace.has_times() {
        return Err(Error::NoTimes { trace: spec.files().join(" "), format: trace.format });
    }
    let (feed, reader) = Feed::new();
    let parts = SessionParts::new(&spec.drive, Supply::Traced(Arc::new(feed)))?;
    let settings = spec.settings(&trace);
    let findings = trace.findings();
    let goal =
        spec.trace.limit.map_or(Goal::File(trace.meter()), |limit| Goal::Requests(limit.get()));
    block_on(async {
        let mut session = Session::open(parts, Outputs::open(wanted)?).await?;
        let reading = reader.start(trace, spec.trace.limit, keeps_times)?;
        let played = session.play(course, "replay", goal).await;
        let verdict = match Verdict::of(played.stopped, spec.drive.max_slip, &played.tally) {
            // A replay that was stopped does not wait for its reader.
            stopped @ Verdict::Stopped(_) => stopped,
            // The feed has ended, so the reader has.
            ended => {
                let read = reading.join().expect("the trace reader does not panic");
                read.map_or_else(Verdict::TraceBroken, |()| ended)
            }
        };
        let mut figures = Figures::new(&played.tally, played.tally.last, true);
        figures.find_rows(|row| findings.place(row));
        let summary = Summary { command: "replay", settings, verdict, figures };
        let mut outcome = session.close(played.tally.rpcs(), summary).await;
        if let Verdict::TraceBroken(error) = &outcome.verdict {
            outcome.report.trace_error = Some(error.to_string());
        }
        outcome.report.trace = Some(TraceReport::of(&findings, spec.trace.reading.max_gap));
        Ok(outcome)
    })
}
