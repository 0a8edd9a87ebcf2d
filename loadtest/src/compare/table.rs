//! A comparison as people read it in a terminal. The writer strips colours if stdout is not one.

use std::fmt::{self, Display, Formatter};

use anstyle::{AnsiColor, Style};

use super::{
    comparison::Comparison,
    difference::Difference,
    metric::{Metric, Word},
    part::{Interval, Line, Part},
};
use crate::report::time;

/// Width of the first column.
const LABEL: usize = 18;

/// Width of a figure.
const NUMBER: usize = 12;

/// Width of an interval.
const INTERVAL: usize = 24;

impl Display for Comparison {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<LABEL$}{}", "A", self.before.join(" "))?;
        writeln!(out, "{:<LABEL$}{}", "B", self.after.join(" "))?;
        let yellow = AnsiColor::Yellow.on_default();
        if !self.differences.is_empty() {
            writeln!(out, "\n{yellow}not the same in A and B{yellow:#}")?;
            for difference in &self.differences {
                writeln!(out, "  {difference}")?;
            }
        }
        if !self.warnings.is_empty() {
            writeln!(out)?;
        }
        for warning in &self.warnings {
            writeln!(out, "{yellow}warning:{yellow:#} {warning}")?;
        }
        for part in &self.parts {
            self.part(part, out)?;
        }
        self.conclusion(out)
    }
}

impl Comparison {
    fn part(&self, part: &Part, out: &mut Formatter<'_>) -> fmt::Result {
        let title = match part.requests_per_second {
            Some(rate) => format!("{rate} requests/s"),
            None => "whole run".to_owned(),
        };
        write!(out, "\n{title}: {} times", part.latency)?;
        match part.seconds {
            [0, 0] => writeln!(out)?,
            [before, after] => {
                writeln!(out, ", seconds to draw from: {before} of A, {after} of B")?;
            }
        }
        let interval = format!("{} % interval", number(self.judging.confidence * 100.0));
        writeln!(
            out,
            "{:<LABEL$}{:>NUMBER$}{:>NUMBER$}{:>NUMBER$}{interval:>INTERVAL$}",
            "", "A", "B", "change"
        )?;
        part.lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    fn conclusion(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let threshold = number(self.judging.threshold * 100.0);
        let worse: Vec<_> = self
            .parts
            .iter()
            .flat_map(|part| part.lines.iter().map(|line| (part.requests_per_second, line)))
            .filter(|(_, line)| line.word == Some(Word::Worse))
            .map(|(rate, line)| match rate {
                Some(rate) => format!("{} at {rate} requests/s", line.metric.name()),
                None => line.metric.name().to_owned(),
            })
            .collect();
        match self.exit_code() {
            2 => Ok(()),
            _ if worse.is_empty() => {
                writeln!(out, "\nnothing is worse by more than {threshold} %")
            }
            _ => writeln!(out, "\nworse by more than {threshold} %: {}", worse.join(", ")),
        }
    }
}

impl Display for Difference {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let side = |values: &[String]| match values {
            [] => "none".to_owned(),
            values => values.join(" or "),
        };
        write!(out, "{}: {}; {}", self.name, side(&self.before), side(&self.after))
    }
}

impl Display for Line {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let [before, after] = [self.before, self.after].map(|figure| self.metric.show(figure));
        write!(
            out,
            "{:<LABEL$}{before:>NUMBER$}{after:>NUMBER$}{:>NUMBER$}",
            self.metric.name(),
            percent(self.change)
        )?;
        let interval = match &self.interval {
            Some(Interval { low, high }) => format!("{} to {}", percent(*low), percent(*high)),
            None => "-".to_owned(),
        };
        write!(out, "{interval:>INTERVAL$}")?;
        match (self.word, &self.unjudged) {
            (Some(word), _) => {
                let style = word.style();
                write!(out, "  {style}{word}{style:#}")
            }
            (None, Some(why)) => write!(out, "  {why}"),
            (None, None) => Ok(()),
        }
    }
}

impl Word {
    fn style(self) -> Style {
        match self {
            Self::Better => AnsiColor::Green.on_default(),
            Self::Worse => AnsiColor::Red.on_default().bold(),
            Self::Same => Style::new(),
            Self::Unclear => AnsiColor::Yellow.on_default(),
        }
    }
}

impl Metric {
    /// A figure with its unit.
    fn show(self, figure: f64) -> String {
        match self {
            Self::Answered | Self::Fetches | Self::PerCoreSecond if figure < 99.5 => {
                format!("{figure:.1}")
            }
            Self::Answered | Self::Fetches | Self::PerCoreSecond => format!("{figure:.0}"),
            Self::Mean | Self::Quantile(..) | Self::Max => time(figure),
            Self::ErrorRatio => format!("{:.3} %", figure * 100.0),
            Self::HitRatio => format!("{:.2} %", figure * 100.0),
        }
    }
}

/// A relative change, with its sign.
fn percent(change: f64) -> String {
    if change == f64::INFINITY { "+∞".to_owned() } else { format!("{:+.1} %", change * 100.0) }
}

/// A number without zeros at its end.
fn number(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
