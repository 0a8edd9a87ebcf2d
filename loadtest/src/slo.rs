//! A promise: upper bounds of latencies and errors. Holds the figures of a step against it; knows
//! no rates.

use std::{fmt, str::FromStr, time::Duration};

use crate::report::{Figures, Histogram, time};

/// A promise: every one of its terms is to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo(Vec<Term>);

/// A figure that is to be below a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Term {
    /// Of the response times.
    Time(Point, Duration),
    /// Failed requests of all, in percent.
    Errors(f64),
}

/// A place in the distribution of response times.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    /// So many percent of the requests took no longer.
    Percentile(f64),
    Mean,
    Max,
}

/// A figure as it was, beside what was promised.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Such as `p99.9 1.20 ms`.
    pub(crate) text: String,
    /// Whether the term holds.
    pub(crate) holds: bool,
    /// Whether most of the time was over before the request was sent: late senders, not late
    /// replies, are what was found.
    pub(crate) is_slip: bool,
}

impl Slo {
    /// Each figure of the promise, as these have it. Where no request was answered, nothing
    /// that is promised of times holds.
    pub(crate) fn findings(&self, figures: &Figures) -> impl Iterator<Item = Finding> {
        self.0.iter().map(|term| match *term {
            Term::Errors(percent) => {
                let found = figures.error_ratio.unwrap_or_default() * 100.0;
                let text = format!("errors {found:.3} %");
                Finding { text, holds: found < percent, is_slip: false }
            }
            Term::Time(point, bound) => {
                let Some(nanos) = point.of(figures.response_histogram.as_ref()) else {
                    let text = format!("{point} of no request");
                    return Finding { text, holds: false, is_slip: false };
                };
                let slip = point.of(figures.slip_histogram.as_ref());
                Finding {
                    text: format!("{point} {}", time(nanos / 1e3)),
                    holds: nanos < bound.as_nanos() as f64,
                    is_slip: slip.is_some_and(|slip| slip * 2.0 > nanos),
                }
            }
        })
    }
}

impl Point {
    /// Nanoseconds, if any request was answered.
    fn of(self, times: Option<&Histogram>) -> Option<f64> {
        let times = times?.decode();
        Some(match self {
            Self::Percentile(percent) => times.value_at_percentile(percent) as f64,
            Self::Mean => times.mean(),
            Self::Max => times.max() as f64,
        })
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|term| term.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Term {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((figure, bound)) = text.split_once('<') else {
            return Err(format!(
                "{text:?} is no term; expected FIGURE<BOUND, such as p99.9<1ms or errors<0.01%"
            ));
        };
        let (figure, bound) = (figure.trim(), bound.trim());
        if figure == "errors" {
            return percent(bound).map(Self::Errors).ok_or_else(|| {
                format!("{bound:?} is no bound of errors; expected above 0% and up to 100%")
            });
        }
        let point = figure.parse()?;
        match humantime::parse_duration(bound) {
            Ok(time) if !time.is_zero() => Ok(Self::Time(point, time)),
            _ => Err(format!(
                "{bound:?} is no bound of {figure}; expected a time above zero with a unit, such \
                 as 500us or 1.5ms"
            )),
        }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percentile = || {
            let digits = text.strip_prefix('p')?;
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let percent: f64 = digits.parse().ok().filter(|_| is_plain)?;
            (percent > 0.0 && percent < 100.0).then_some(Self::Percentile(percent))
        };
        match text {
            "mean" => Ok(Self::Mean),
            "max" => Ok(Self::Max),
            _ => percentile().ok_or_else(|| {
                format!(
                    "{text:?} is no figure of a promise; expected a percentile above p0 and below \
                     p100, such as p99.9, or mean, max or errors"
                )
            }),
        }
    }
}

/// Reads what stands before a `%`: above 0 and up to 100.
pub(crate) fn percent(text: &str) -> Option<f64> {
    let percent: f64 = text.strip_suffix('%')?.trim_end().parse().ok()?;
    (percent > 0.0 && percent <= 100.0).then_some(percent)
}

impl fmt::Display for Slo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(out, "{comma}{term}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The debug form of a duration is one number and a unit.
            Self::Time(point, bound) => write!(out, "{point}<{bound:?}"),
            Self::Errors(percent) => write!(out, "errors<{percent}%"),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => write!(out, "p{percent}"),
            Self::Mean => out.write_str("mean"),
            Self::Max => out.write_str("max"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        engine::{Tally, Times},
        peers::{Answer, CallError},
        workload::Call,
    };

    /// Requests that took 1 to `last` milliseconds, and so many that failed.
    fn figures(last: u64, failed: u64) -> Figures {
        let mut tally = Tally::default();
        let times = |millis| {
            let done = Duration::from_millis(millis);
            Times { intended: Some(Duration::ZERO), due: done, sent: done, done }
        };
        for millis in 1..=last {
            tally.record(Call::Get, None, times(millis), Ok(Answer::Done));
        }
        for _ in 0..failed {
            let error = tiny_cache_client::transport::Failure::BadReply("odd".to_owned());
            tally.record(Call::Get, None, times(1), Err(CallError::from(error)));
        }
        Figures::new(&tally, Duration::from_secs(1), false)
    }

    fn broken(slo: &str, figures: &Figures) -> Vec<String> {
        let slo: Slo = slo.parse().unwrap();
        slo.findings(figures).filter(|term| !term.holds).map(|term| term.text).collect()
    }

    #[test]
    fn every_term_is_looked_at_and_a_figure_at_its_bound_breaks_it() {
        let all = figures(1000, 0);
        assert!(broken("p50<600ms,p99.9<1.1s,mean<510ms,max<2s,errors<0.001%", &all).is_empty());
        assert_eq!(broken("p50<600ms,p90<800ms", &all), ["p90 900 ms"]);
        assert_eq!(broken("p0.1<1ms", &all).len(), 1, "it is 1 ms");
        assert_eq!(broken("mean<400ms,max<1s", &all).len(), 2);
    }

    #[test]
    fn errors_are_a_share_of_all_requests() {
        let some = figures(999, 1);
        assert_eq!(broken("errors<0.1%", &some), ["errors 0.100 %"]);
        assert!(broken("errors<0.11%", &some).is_empty());
    }

    #[test]
    fn nothing_is_promised_of_times_where_nothing_was_answered() {
        assert_eq!(broken("p99<1h,errors<100%", &figures(0, 3)).len(), 2);
    }

    #[test]
    fn what_is_no_promise_is_refused_with_what_is_allowed() {
        for (text, expected) in [
            ("", "expected FIGURE<BOUND"),
            ("p99<1ms,", "expected FIGURE<BOUND"),
            ("p99=1ms", "expected FIGURE<BOUND"),
            ("p100<1ms", "below p100"),
            ("p0<1ms", "above p0"),
            ("p<1ms", "such as p99.9"),
            ("pNaN<1ms", "such as p99.9"),
            ("p1e1<1ms", "such as p99.9"),
            ("slip<1ms", "mean, max or errors"),
            ("p99<1", "with a unit"),
            ("p99<0ms", "above zero"),
            ("p99<=1ms", "with a unit"),
            ("errors<0%", "above 0%"),
            ("errors<101%", "up to 100%"),
            ("errors<1", "up to 100%"),
        ] {
            let message = text.parse::<Slo>().unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    fn term() -> impl Strategy<Value = Term> {
        let point = prop_oneof![
            (1_u32..100_000)
                .prop_map(|thousandths| Point::Percentile(f64::from(thousandths) / 1e3)),
            Just(Point::Mean),
            Just(Point::Max),
        ];
        prop_oneof![
            (point, 1_u64..4_000_000_000_000)
                .prop_map(|(point, nanos)| Term::Time(point, Duration::from_nanos(nanos))),
            (1_u32..=1_000_000).prop_map(|parts| Term::Errors(f64::from(parts) / 1e4)),
        ]
    }

    proptest! {
        #[test]
        fn a_promise_is_read_as_it_is_written(terms in prop::collection::vec(term(), 1..5)) {
            let slo = Slo(terms);
            prop_assert_eq!(slo.to_string().parse::<Slo>(), Ok(slo.clone()));
            let spaced = slo.to_string().replace('<', " < ").replace(',', " , ");
            prop_assert_eq!(spaced.parse::<Slo>(), Ok(slo));
        }

        #[test]
        fn no_text_breaks_the_parser(text in "[p0-9.<,%a-z ]{0,30}|.{0,20}") {
            if let Ok(slo) = text.parse::<Slo>() {
                prop_assert_eq!(slo.to_string().parse::<Slo>(), Ok(slo));
            }
        }
    }
}
