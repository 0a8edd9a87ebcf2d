//! Axes: where on them a value lies, and which values are marked.

use super::units;

/// Most marks of an axis of time; more would touch on a telephone.
const TIME_MARKS: f64 = 7.0;

/// Distances between marks of time, in seconds.
const TIME_STEPS: [f64; 15] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    21600.0,
];

/// One direction of a chart.
#[derive(Debug)]
pub(super) struct Axis {
    low: f64,
    pub(super) high: f64,
    is_log: bool,
    /// Marked values with their texts.
    pub(super) marks: Vec<(f64, String)>,
}

impl Axis {
    /// From `low` to a round number at or above `high`.
    pub(super) fn linear(low: f64, high: f64, label: impl Fn(f64) -> String) -> Self {
        let span = if high > low { high - low } else { 1.0 };
        let step = ceil_125(span / 5.0);
        let steps = (span / step - 1e-9).ceil().max(1.0) as usize;
        let marks = (0..=steps).map(|index| low + step * index as f64);
        let marks = marks.map(|value| (value, label(value))).collect();
        Self { low, high: low + step * steps as f64, is_log: false, marks }
    }

    /// Seconds from 0.
    pub(super) fn seconds(length: f64) -> Self {
        let high = length.max(1.0);
        let step = TIME_STEPS
            .into_iter()
            .find(|step| high / step <= TIME_MARKS)
            .unwrap_or_else(|| ceil_125(high / TIME_MARKS));
        let marks = (0..=(high / step) as usize).map(|index| step * index as f64);
        let marks = marks.map(|value| (value, units::clock(value))).collect();
        Self { low: 0.0, high, is_log: false, marks }
    }

    /// Nanoseconds, each power of ten as long as the others. Zero lies where 1 does.
    pub(super) fn latency(values: impl IntoIterator<Item = f64>) -> Self {
        let values = values.into_iter().map(|value| value.max(1.0));
        let (low, high) = range(values).unwrap_or((1e3, 1e6));
        // A chart of less than a power of ten would make much of little.
        let low = floor_125(low);
        let high = ceil_125(high.max(low * 10.0));
        let every: &[f64] = match (high / low).log10() {
            decades if decades <= 2.0 => &[1.0, 2.0, 5.0],
            decades if decades <= 3.5 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let marks = powers
            .flat_map(|power| every.iter().map(move |digit| digit * 10_f64.powi(power)))
            .filter(|value| (low * 0.999..=high * 1.001).contains(value))
            .map(|value| (value, units::short_nanos(value)))
            .collect();
        Self { low, high, is_log: true, marks }
    }

    /// Quantiles up to that of one request among `count`: each nine as long as the others.
    pub(super) fn quantiles(count: u64) -> Self {
        let high = ((count.max(1) as f64).log10().ceil()).max(2.0);
        let marks = (0..=high as i32)
            .map(|nine| {
                let digits = usize::try_from(nine - 2).unwrap_or(0);
                let percent = (1.0 - 10_f64.powi(-nine)) * 100.0;
                (f64::from(nine), format!("{percent:.digits$}"))
            })
            .collect();
        Self { low: 0.0, high, is_log: false, marks }
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let part = if self.is_log {
            (value.max(1.0) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        // What is not a number lies at the beginning.
        if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }
    }
}

/// How many nines a quantile has: 0 for 0, 1 for 0.9, 2 for 0.99.
pub(super) fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(f64::MIN_POSITIVE).log10()
}

/// The least and the greatest; none of nothing.
pub(super) fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

/// The next 1, 2 or 5 with zeros at or above.
fn ceil_125(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= value * 0.999_999);
    digit.unwrap_or(10.0) * power
}

/// The next 1, 2 or 5 with zeros at or below.
fn floor_125(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digit = [5.0, 2.0].into_iter().find(|digit| digit * power <= value * 1.000_001);
    digit.unwrap_or(1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.marks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn a_linear_axis_ends_at_a_round_number() {
        let axis = Axis::linear(0.0, 8100.0, units::number);
        assert_eq!(texts(&axis), ["0", "2,000", "4,000", "6,000", "8,000", "10,000"]);
        assert!((axis.place(5000.0) - 0.5).abs() < 1e-9);
        assert!((axis.place(1e9) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_axis_of_nothing_has_marks_all_the_same() {
        assert_eq!(texts(&Axis::linear(0.0, 0.0, units::number)).first(), Some(&"0"));
        assert_eq!(texts(&Axis::latency([])).first(), Some(&"1 µs"));
        assert_eq!(texts(&Axis::seconds(0.0)), ["0 s", "1 s"]);
        assert_eq!(texts(&Axis::quantiles(0)), ["0", "90", "99"]);
        assert!(Axis::linear(0.0, 1.0, units::number).place(f64::NAN).abs() < 1e-9);
    }

    #[test]
    fn a_latency_axis_has_room_for_every_power_of_ten() {
        let axis = Axis::latency([150e3, 40e6]);
        assert_eq!(texts(&axis), ["100 µs", "300 µs", "1 ms", "3 ms", "10 ms", "30 ms"]);
        let wide = Axis::latency([1e3, 1e9]);
        assert!((wide.place(1e6) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn an_axis_of_time_has_few_marks() {
        for (seconds, last) in [(5.0, "5 s"), (61.0, "1:00"), (600.0, "10:00"), (3600.0, "1:00:00")]
        {
            let axis = Axis::seconds(seconds);
            assert!(axis.marks.len() <= 8, "{axis:?}");
            assert_eq!(texts(&axis).last(), Some(&last));
        }
    }

    #[test]
    fn each_nine_of_a_quantile_takes_the_same_room() {
        let axis = Axis::quantiles(10_000);
        assert_eq!(texts(&axis), ["0", "90", "99", "99.9", "99.99"]);
        assert!((axis.place(nines(0.99)) - 0.5).abs() < 1e-9);
        assert!((axis.place(nines(1.0)) - 1.0).abs() < 1e-9);
    }
}
