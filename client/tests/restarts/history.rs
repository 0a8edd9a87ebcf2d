//! What callers were told about shared counters, and whether that can be true.
//!
//! A counter is a value `LIFE:N`. Whoever finds none seeds it with `LIFE:0`, where no two
//! seeds have the same life; whoever finds `LIFE:N` replaces it by `LIFE:N+1`. A store that
//! loses everything therefore begins a new life, and within a life each number is told to one
//! caller: a number that is missing was written without its caller being told, a number that
//! is there twice was written twice.

use std::collections::{BTreeMap, BTreeSet};

/// The life of one counter.
pub(crate) type Life = u64;

/// What callers were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Seeds that were stored.
    pub(crate) seeds: Vec<(usize, Life)>,
    /// Numbers that were stored, each with its counter and life.
    pub(crate) stored: Vec<(usize, Life, u64)>,
}

/// What a counter's value says.
pub(crate) fn parse(value: &str) -> Option<(Life, u64)> {
    let (life, number) = value.split_once(':')?;
    Some((life.parse().ok()?, number.parse().ok()?))
}

/// The value of a counter.
pub(crate) fn value(life: Life, number: u64) -> String {
    format!("{life}:{number}")
}

impl History {
    /// Adds what another caller was told.
    pub(crate) fn merge(&mut self, other: Self) {
        self.seeds.extend(other.seeds);
        self.stored.extend(other.stored);
    }

    /// Checks it against itself, and against what was read at last.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be.
    pub(crate) fn check(&self, last: &[(usize, Life, u64)]) -> Result<(), String> {
        let seeds: BTreeSet<_> = self.seeds.iter().copied().collect();
        if seeds.len() < self.seeds.len() {
            return Err("a seed was stored twice".to_owned());
        }
        let mut numbers: BTreeMap<(usize, Life), Vec<u64>> = BTreeMap::new();
        for &(counter, life, number) in &self.stored {
            numbers.entry((counter, life)).or_default().push(number);
        }
        for ((counter, life), numbers) in &mut numbers {
            if !seeds.contains(&(*counter, *life)) {
                return Err(format!("counter {counter}: nobody was told of the seed {life}"));
            }
            numbers.sort_unstable();
            for (place, number) in (1..).zip(&*numbers) {
                if *number < place {
                    return Err(format!("counter {counter}: {life}:{number} was stored twice"));
                }
                if *number > place {
                    return Err(format!("counter {counter}: nobody was told of {life}:{place}"));
                }
            }
        }
        for &(counter, life, number) in last {
            let told = numbers.get(&(counter, life)).map_or(0, |numbers| numbers.len() as u64);
            if !seeds.contains(&(counter, life)) || told != number {
                return Err(format!(
                    "counter {counter}: {life}:{number} was read, and {told} told of"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two counters, the first of which was lost once.
    fn good() -> History {
        History {
            seeds: vec![(0, 1), (1, 2), (0, 3)],
            stored: vec![(0, 1, 2), (0, 1, 1), (1, 2, 1), (0, 3, 1), (0, 1, 3), (0, 3, 2)],
        }
    }

    const LAST: [(usize, Life, u64); 2] = [(0, 3, 2), (1, 2, 1)];

    #[test]
    fn a_history_in_which_every_number_was_told_once_is_good() {
        good().check(&LAST).unwrap();
        History::default().check(&[]).unwrap();
    }

    #[test]
    fn a_number_that_was_stored_twice_is_found() {
        let mut history = good();
        history.stored.push((0, 1, 2));
        assert_eq!(history.check(&LAST).unwrap_err(), "counter 0: 1:2 was stored twice");
    }

    #[test]
    fn a_number_that_nobody_was_told_of_is_found() {
        let mut history = good();
        history.stored.remove(0);
        assert_eq!(history.check(&LAST).unwrap_err(), "counter 0: nobody was told of 1:2");
    }

    #[test]
    fn a_last_number_that_nobody_was_told_of_is_found() {
        let last = [(0, 3, 3), (1, 2, 1)];
        let text = good().check(&last).unwrap_err();
        assert_eq!(text, "counter 0: 3:3 was read, and 2 told of");
    }

    #[test]
    fn a_seed_that_nobody_was_told_of_is_found() {
        let mut history = good();
        history.seeds.remove(1);
        let text = history.check(&LAST).unwrap_err();
        assert_eq!(text, "counter 1: nobody was told of the seed 2");
        let text = good().check(&[(1, 9, 0)]).unwrap_err();
        assert_eq!(text, "counter 1: 9:0 was read, and 0 told of");
    }

    #[test]
    fn a_seed_that_was_stored_twice_is_found() {
        let mut history = good();
        history.seeds.push((0, 1));
        assert_eq!(history.check(&LAST).unwrap_err(), "a seed was stored twice");
    }

    #[test]
    fn values_read_back() {
        assert_eq!(parse(&value(7, 12)), Some((7, 12)));
        assert_eq!(parse("7"), None);
        assert_eq!(parse("7:x"), None);
    }
}
