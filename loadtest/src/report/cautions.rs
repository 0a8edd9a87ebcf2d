//! What to know before the figures are believed, where no request failed for it.

use super::{latency::Latency, run::Report};

/// The load for each core from which a machine counts as busy.
const BUSY: f64 = 0.5;

/// The part of its threads' time from which the generator may be the limit.
const NEAR: f64 = 0.9;

impl Report {
    /// One sentence for each, without a full stop.
    #[must_use]
    pub(crate) fn cautions(&self) -> Vec<String> {
        let all = [self.busy_machine(), self.busy_generator(), self.late(), self.unsent()];
        all.into_iter().flatten().collect()
    }

    fn busy_machine(&self) -> Option<String> {
        let (load, cores) = (self.machine.load_average?, self.machine.online_cores?);
        (load > cores as f64 * BUSY).then(|| {
            format!(
                "the machine was busy before the run, with a load average of {load:.2} on {cores} \
                 cores: other work, or an earlier run within a minute"
            )
        })
    }

    fn busy_generator(&self) -> Option<String> {
        let (cores, threads) = (self.generator.cores?, self.settings.threads);
        (threads > 0 && cores > threads as f64 * NEAR).then(|| {
            format!(
                "the generator took {cores:.2} cores with --threads {threads}: it may be the limit, \
                 and not the server"
            )
        })
    }

    /// Too little to fail for, and still most of what the response times show.
    fn late(&self) -> Option<String> {
        let late = |slip: &Latency, response: &Latency| slip.p99 > response.p99 / 2.0;
        let is_late = late(self.figures.slip_us.as_ref()?, self.figures.response_us.as_ref()?);
        is_late.then(|| {
            "the generator's slip is more than half of the response times at p99: they are its \
             own rather than the server's"
                .to_owned()
        })
    }

    fn unsent(&self) -> Option<String> {
        let unsent = self.figures.unsent.as_ref()?.requests;
        Some(format!(
            "{unsent} requests were due and never sent: with them, response times are lower bounds"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::tests::answered;

    fn caution(change: impl Fn(&mut Report)) -> String {
        let mut report = answered();
        change(&mut report);
        report.cautions().join("; ")
    }

    #[test]
    fn a_run_that_nothing_spoils_has_none() {
        let idle = |report: &mut Report| {
            (report.machine.load_average, report.machine.online_cores) = (Some(1.0), Some(2));
            (report.generator.cores, report.settings.threads) = (Some(0.9), 1);
        };
        assert_eq!(caution(idle), "");
    }

    #[test]
    fn what_spoils_a_run_that_answered_everything_is_named() {
        let busy = |report: &mut Report| {
            (report.machine.load_average, report.machine.online_cores) = (Some(1.25), Some(2));
        };
        let busy = caution(busy);
        assert!(busy.contains("a load average of 1.25 on 2 cores"), "{busy}");
        let near = |report: &mut Report| {
            (report.generator.cores, report.settings.threads) = (Some(1.84), 2);
        };
        assert!(caution(near).starts_with("the generator took 1.84 cores with --threads 2"));
        let late = |report: &mut Report| report.figures.slip_us = report.figures.response_us;
        assert!(caution(late).starts_with("the generator's slip is more than half"));
        let unsent = |report: &mut Report| {
            let unsent = crate::report::Unsent { requests: 7, longest_seconds: 1.0 };
            report.figures.unsent = Some(unsent);
        };
        assert!(caution(unsent).starts_with("7 requests were due and never sent"));
    }
}
