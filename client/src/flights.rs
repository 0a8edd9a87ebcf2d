//! Single flight: of the callers in this process that want one key filled, one does it, and the
//! others get its value.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::OnceCell;

/// What is being filled, by the place of its key. The clones of a client share it.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Place, Arc<Flight>>>);

/// Namespace, and key.
type Place = (String, String);

type Flight = OnceCell<Bytes>;

impl Flights {
    /// Fills a key, unless another caller does. The other's value serves; a failure, or a caller
    /// that is dropped, lets the next one try.
    pub(crate) async fn join<E>(
        &self,
        place: Place,
        fill: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let flight = self.lock().entry(place.clone()).or_default().clone();
        let landing = Landing { flights: self, place, flight };
        let filled = landing.flight.get_or_try_init(|| fill).await;
        filled.cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller in a flight.
struct Landing<'a> {
    flights: &'a Flights,
    place: Place,
    flight: Arc<Flight>,
}

impl Drop for Landing<'_> {
    /// Ends a flight that has its value, so that the next caller asks the cache, and one that nobody
    /// is in any more.
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        let is_it = |held: &Arc<Flight>| Arc::ptr_eq(held, &self.flight);
        let is_last = Arc::strong_count(&self.flight) <= 2;
        if flights.get(&self.place).is_some_and(is_it) && (self.flight.initialized() || is_last) {
            flights.remove(&self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    fn place() -> Place {
        (String::new(), "k".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn callers_at_one_time_share_a_flight_and_later_ones_do_not() {
        let (flights, fills) = (Flights::default(), AtomicUsize::new(0));
        let fill = || async {
            fills.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, Infallible>(Bytes::from_static(b"v"))
        };
        let callers = (0..100).map(|_| flights.join(place(), fill()));
        let values = futures::future::join_all(callers).await;
        assert!(values.iter().all(|value| value.as_deref() == Ok(b"v")));
        assert_eq!(fills.load(Ordering::Relaxed), 1);
        flights.join(place(), fill()).await.unwrap();
        assert_eq!(fills.load(Ordering::Relaxed), 2);
        assert!(flights.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_and_a_dropped_caller_let_the_next_one_try() {
        let flights = Flights::default();
        let fails = flights.join(place(), async { Err::<Bytes, _>("no") });
        let never = tokio::time::timeout(
            Duration::from_millis(5),
            flights.join(place(), std::future::pending::<Result<Bytes, &str>>()),
        );
        let fills = flights.join(place(), async { Ok::<_, &str>(Bytes::from_static(b"v")) });
        let (failed, timed_out, filled) = tokio::join!(fails, never, fills);
        assert_eq!(failed, Err("no"));
        assert!(timed_out.is_err() || timed_out == Ok(Ok(Bytes::from_static(b"v"))));
        assert_eq!(filled, Ok(Bytes::from_static(b"v")));
        assert!(flights.lock().is_empty());
    }
}
