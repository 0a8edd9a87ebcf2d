//! Orders the addresses of a server and tries them 250 ms apart until one succeeds (RFC 8305,
//! "Happy Eyeballs"). Does not know what an attempt does.

use std::{net::SocketAddr, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep;

/// Time between the starts of two attempts: the "Connection Attempt Delay" that RFC 8305, 5,
/// recommends.
const SPACING: Duration = Duration::from_millis(250);

/// The address to try first, and the one to try last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steer {
    /// The address of the client's current connections.
    pub(crate) prefer: Option<SocketAddr>,
    /// An address whose connection ended before it carried an answer.
    pub(crate) avoid: Option<SocketAddr>,
}

impl Steer {
    /// Orders the distinct addresses of a name: the preferred one, the others by family in turn,
    /// and the avoided one.
    pub(super) fn order(self, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut ordered = interleaved(addresses);
        // Stable, so that the others keep their order.
        ordered.sort_by_key(|address| match Some(*address) {
            this if this == self.avoid => 2,
            this if this == self.prefer => 0,
            _ => 1,
        });
        ordered
    }
}

/// The families in turn, beginning with the one that the resolver put first (RFC 8305, 4): a
/// family without a route delays the others by one attempt only.
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second) = (
        addresses.iter().filter(|address| address.is_ipv6() == first),
        addresses.iter().filter(|address| address.is_ipv6() != first),
    );
    let mut ordered = Vec::with_capacity(addresses.len());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        for address in pair.into_iter().flatten() {
            if !ordered.contains(address) {
                ordered.push(*address);
            }
        }
    }
}

/// Runs the attempts in order, returns the result of the first that succeeds, and drops the
/// others. The next attempt starts 250 ms after the last one, or at once if an attempt fails.
///
/// # Errors
///
/// The errors of all attempts, in the order in which they came.
pub(super) async fn race<T, E, F>(attempts: impl ExactSizeIterator<Item = F>) -> Result<T, Vec<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = attempts;
    let mut under_way: FuturesUnordered<F> = attempts.next().into_iter().collect();
    let mut errors = Vec::new();
    loop {
        tokio::select! {
            biased;
            tried = under_way.next() => match tried {
                Some(Ok(won)) => return Ok(won),
                Some(Err(error)) => {
                    errors.push(error);
                    under_way.extend(attempts.next());
                }
                None => return Err(errors),
            },
            () = sleep(SPACING), if attempts.len() > 0 => under_way.extend(attempts.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use tokio::time::Instant;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_systems_first_choice_stays_first() {
        let given = addresses(&["[::1]:7", "[::2]:7", "[::3]:7", "1.1.1.1:7", "[::1]:7"]);
        let ordered = addresses(&["[::1]:7", "1.1.1.1:7", "[::2]:7", "[::3]:7"]);
        assert_eq!(Steer::default().order(&given), ordered);
        let given = addresses(&["1.1.1.1:7", "2.2.2.2:7", "[::1]:7"]);
        let ordered = addresses(&["1.1.1.1:7", "[::1]:7", "2.2.2.2:7"]);
        assert_eq!(Steer::default().order(&given), ordered);
        assert_eq!(Steer::default().order(&[]), []);
    }

    #[test]
    fn the_known_address_is_tried_first_and_the_bad_one_last() {
        let given = addresses(&["1.1.1.1:7", "2.2.2.2:7", "3.3.3.3:7"]);
        let steer = |prefer: &str, avoid: &str| Steer {
            prefer: prefer.parse().ok(),
            avoid: avoid.parse().ok(),
        };
        for (steer, ordered) in [
            (steer("3.3.3.3:7", ""), ["3.3.3.3:7", "1.1.1.1:7", "2.2.2.2:7"]),
            (steer("2.2.2.2:7", "1.1.1.1:7"), ["2.2.2.2:7", "3.3.3.3:7", "1.1.1.1:7"]),
            (steer("1.1.1.1:7", "1.1.1.1:7"), ["2.2.2.2:7", "3.3.3.3:7", "1.1.1.1:7"]),
            // Names of yesterday.
            (steer("9.9.9.9:7", "8.8.8.8:7"), ["1.1.1.1:7", "2.2.2.2:7", "3.3.3.3:7"]),
        ] {
            assert_eq!(steer.order(&given), addresses(&ordered));
        }
    }

    proptest! {
        #[test]
        fn every_address_is_tried_once(
            given in vec(any::<(bool, u8)>(), 0..12), prefer in 0u8..8, avoid in 0u8..8
        ) {
            let address = |v6: bool, n: u8| -> SocketAddr {
                if v6 { ([0, 0, 0, 0, 0, 0, 0, n.into()], 7).into() } else { ([n, 1, 1, 1], 7).into() }
            };
            let given: Vec<_> = given.into_iter().map(|(v6, n)| address(v6, n % 8)).collect();
            let steer =
                Steer { prefer: Some(address(true, prefer)), avoid: Some(address(false, avoid)) };
            let mut ordered = steer.order(&given);
            let mut expected = given;
            ordered.sort_unstable();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(ordered, expected);
        }
    }

    /// An attempt that takes this many milliseconds and succeeds, or not.
    async fn attempt(n: usize, millis: u64, succeeds: bool) -> Result<usize, usize> {
        sleep(Duration::from_millis(millis)).await;
        if succeeds { Ok(n) } else { Err(n) }
    }

    async fn run(script: &[(u64, bool)]) -> (Result<usize, Vec<usize>>, u128) {
        let begin = Instant::now();
        let attempts = script.iter().enumerate().map(|(n, (millis, ok))| attempt(n, *millis, *ok));
        let result = race(attempts).await;
        (result, begin.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_begin_spaced_and_at_once_after_a_failure() {
        const HANGS: u64 = 1_000_000;
        for (script, result, took) in [
            (&[(10, true), (0, true)][..], Ok(0), 10),
            (&[(HANGS, false), (10, true)], Ok(1), 260),
            (&[(HANGS, false), (HANGS, false), (HANGS, false), (10, true)], Ok(3), 760),
            (&[(10, false), (20, true)], Ok(1), 30),
            // The first goes on while the second is tried.
            (&[(300, true), (HANGS, false)], Ok(0), 300),
            // The second fails early, and the third does not wait.
            (&[(HANGS, false), (10, false), (10, true)], Ok(2), 270),
            (&[(10, false), (20, false)], Err(vec![0, 1]), 30),
            (&[(400, false), (20, false)], Err(vec![1, 0]), 400),
            (&[], Err(vec![]), 0),
        ] {
            assert_eq!(run(script).await, (result, took), "{script:?}");
        }
    }
}
