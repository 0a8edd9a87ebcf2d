//! Says whether a step held, and if not, why and on whose account.

use std::time::Duration;

use super::rate_search::Held;
use crate::{
    engine::Stopped,
    outcome::Verdict,
    report::{Figures, LimitedBy, time},
    slo::Slo,
};

/// Share of the requests of a step that are to be answered in time. Below it the server is
/// slower than its requests come, whatever the promise says of those that it answered.
const IN_TIME: f64 = 0.99;

/// How late the end of any step may come: a moment without the CPU is no queue that grows.
const SPARE: Duration = Duration::from_millis(100);

/// What a step is judged by.
pub(super) struct Judge<'a> {
    pub(super) slo: &'a Slo,
    /// Time that a step measures.
    pub(super) step: Duration,
    /// What a fill may wait for its origin.
    pub(super) origin: Duration,
}

/// What is thought of a step.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) held: Held,
    /// Whose limit it was where the step did not hold.
    pub(super) limit: LimitedBy,
    /// What was promised, as it was found.
    pub(super) found: String,
    /// Why it did not hold, if it did not.
    pub(super) why_not: Option<String>,
}

impl Judge<'_> {
    /// Judges a step that was not interrupted. What spoils its figures comes before what they
    /// say: of a server that was asked too late nothing is known.
    pub(super) fn judge(&self, figures: &Figures, verdict: &Verdict) -> Judgement {
        let findings: Vec<_> = self.slo.findings(figures).collect();
        let texts: Vec<_> = findings.iter().map(|finding| finding.text.as_str()).collect();
        let found = texts.join(", ");
        let failed = |held, limit, why: String| Judgement {
            held,
            limit,
            found: found.clone(),
            why_not: Some(why),
        };
        match verdict {
            Verdict::Slipped { slip, .. } => {
                let slip = time(slip.as_secs_f64() * 1e6);
                let why = format!("the generator slipped by {slip} at p99");
                return failed(Held::No, LimitedBy::Generator, why);
            }
            Verdict::AllFailed => {
                let why = "not one request was answered".to_owned();
                return failed(Held::Never, LimitedBy::Server, why);
            }
            Verdict::Stopped(Stopped::FarBehind) => {
                let why = "the generator fell far behind its plan".to_owned();
                return failed(Held::Never, LimitedBy::Generator, why);
            }
            Verdict::Stopped(Stopped::TooManyInFlight) => {
                let why = "too many requests under way".to_owned();
                return failed(Held::Never, LimitedBy::Server, why);
            }
            _ => {}
        }
        let in_time = self.in_time(figures);
        let mut broken: Vec<String> =
            findings.iter().filter(|term| !term.holds).map(|term| term.text.clone()).collect();
        if in_time < IN_TIME {
            broken.push(format!("answered {:.1} % in time", in_time * 100.0));
        }
        if broken.is_empty() {
            return Judgement { held: Held::Yes, limit: LimitedBy::Server, found, why_not: None };
        }
        // A promise tighter than --max-slip can be broken by the sender alone.
        let late = findings.iter().filter(|term| !term.holds && term.is_slip).count();
        if late > 0 && late == broken.len() {
            let why = format!("{}, most of which is the generator's slip", broken.join(", "));
            return failed(Held::No, LimitedBy::Generator, why);
        }
        failed(Held::No, LimitedBy::Server, broken.join(", "))
    }

    /// The share that was answered at the rate of the plan. Requests that failed are missing,
    /// and so are those for which the server took longer than the step: its end may come later
    /// than the plan's by the quickest reply and an origin, but not by a queue that has grown.
    fn in_time(&self, figures: &Figures) -> f64 {
        let Some(times) = &figures.response_histogram else { return 0.0 };
        let times = times.decode();
        let step = self.step.as_secs_f64();
        let quickest = Duration::from_nanos(times.min()) + self.origin;
        let late = figures.duration_seconds - step - quickest.as_secs_f64();
        let late = if late > SPARE.as_secs_f64() { late } else { 0.0 };
        times.len() as f64 / figures.requests as f64 * step / (step + late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Tally, Times},
        peers::Answer,
        workload::Call,
    };

    /// A second of 100 requests, of which each takes so many milliseconds longer than the one
    /// before.
    fn figures(first: u64, growth: u64) -> Figures {
        let mut tally = Tally::default();
        for index in 0..100 {
            let at = Duration::from_millis(10 * index);
            let done = at + Duration::from_millis(first + growth * index);
            let times = Times { intended: Some(at), due: at, sent: at, done };
            tally.record(Call::Get, None, times, Ok(Answer::Done));
        }
        let time = tally.last;
        Figures::new(&tally, time, false)
    }

    fn judge(slo: &str, figures: &Figures, verdict: &Verdict) -> Judgement {
        let slo = slo.parse().unwrap();
        let judge = Judge { slo: &slo, step: Duration::from_secs(1), origin: Duration::ZERO };
        judge.judge(figures, verdict)
    }

    /// A promise that is tighter than --max-slip was broken by a late sender, and the server
    /// blamed.
    #[test]
    fn most_of_a_time_that_is_slip_is_the_generators() {
        for (due, limit) in [(9, LimitedBy::Generator), (1, LimitedBy::Server)] {
            let mut tally = Tally::default();
            let [due, done] = [due, 10].map(Duration::from_millis);
            let times = Times { intended: Some(Duration::ZERO), due, sent: due, done };
            tally.record(Call::Get, None, times, Ok(Answer::Done));
            let figures = Figures::new(&tally, Duration::from_secs(1), false);
            let judgement = judge("p50<5ms", &figures, &Verdict::Clean);
            assert_eq!((judgement.held, judgement.limit), (Held::No, limit));
        }
    }

    #[test]
    fn a_step_holds_where_every_term_does() {
        let judgement = judge("p99<5ms,errors<1%", &figures(2, 0), &Verdict::Clean);
        assert_eq!(judgement.held, Held::Yes);
        assert_eq!(
            (judgement.found.as_str(), judgement.why_not),
            ("p99 2.00 ms, errors 0.000 %", None)
        );
        let judgement = judge("p50<1ms,p99<5ms", &figures(2, 0), &Verdict::Clean);
        assert_eq!(judgement.held, Held::No);
        assert_eq!(judgement.why_not.as_deref(), Some("p50 2.00 ms"));
    }

    #[test]
    fn a_queue_that_grows_breaks_a_promise_that_its_times_keep() {
        let grown = judge("p99<1h", &figures(1, 2), &Verdict::Clean);
        assert_eq!(grown.held, Held::No);
        // The last reply came 188 ms after the end, and none was quicker than 1 ms.
        assert_eq!(grown.why_not.as_deref(), Some("answered 84.2 % in time"));
        assert_eq!(judge("p99<1h", &figures(1, 1), &Verdict::Clean).held, Held::Yes);
    }

    /// The last reply of a steady server comes as late after the end of the plan as any other
    /// after its instant.
    #[test]
    fn a_slow_server_that_keeps_up_holds() {
        assert_eq!(judge("p99<1h", &figures(400, 0), &Verdict::Clean).held, Held::Yes);
    }

    #[test]
    fn a_generator_that_is_late_is_the_limit_whatever_the_times_say() {
        let slip = Duration::from_millis(2);
        let late = Verdict::Slipped { slip, max: slip };
        for (verdict, held) in
            [(late, Held::No), (Verdict::Stopped(Stopped::FarBehind), Held::Never)]
        {
            let judgement = judge("p99<1h", &figures(1, 0), &verdict);
            assert_eq!((judgement.held, judgement.limit), (held, LimitedBy::Generator));
        }
        let flooded = Verdict::Stopped(Stopped::TooManyInFlight);
        let judgement = judge("p99<1h", &figures(1, 0), &flooded);
        assert_eq!((judgement.held, judgement.limit), (Held::Never, LimitedBy::Server));
    }
}
