//! One replay thread: a current-thread runtime with some connections and, on each, some
//! slots. A slot takes an access, makes its calls one after the other, takes the next.

use std::{cell::RefCell, io, rc::Rc, sync::Arc, thread, time::Instant};

use crossbeam::utils::CachePadded;
use tokio::{
    runtime::{self, LocalOptions},
    sync::oneshot,
};

use super::{
    feed::Feed,
    live::Counters,
    outcome::ReplayError,
    tally::{Call, Served, Tally},
};
use crate::{
    access::{Access, Content, Operation},
    cli::ReplayArgs,
    transport::{Dial, Link, Unreachable},
    values::Values,
};

/// What one thread gets of the whole: the number of slots on each of its connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Share {
    slots: Vec<usize>,
}

/// Divides connections among threads and requests in flight among connections, as
/// evenly as whole numbers allow.
#[must_use]
pub(super) fn shares(args: &ReplayArgs) -> Vec<Share> {
    let (connections, slots) = (args.connections(), args.in_flight.get());
    let mut shares = vec![Share { slots: Vec::new() }; args.threads()];
    for connection in 0..connections {
        let slots = slots / connections + usize::from(connection < slots % connections);
        let thread = connection % shares.len();
        shares[thread].slots.push(slots);
    }
    shares
}

/// A replay thread as its starter sees it.
pub(super) struct Worker {
    connected: oneshot::Receiver<Result<(), ReplayError>>,
    tally: oneshot::Receiver<Tally>,
}

impl Worker {
    /// Starts a thread that connects and then serves from the lane's feed to its end.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub(super) fn spawn(share: Share, dial: Dial, lane: Lane) -> io::Result<Self> {
        let (say_connected, connected) = oneshot::channel();
        let (hand_in, tally) = oneshot::channel();
        // A send fails when nobody listens any more: another thread failed first.
        let run = move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = say_connected.send(Err(error.into()));
                    return;
                }
            };
            runtime.block_on(async move {
                match connect(&share, &dial).await {
                    Ok(links) => {
                        let _ = say_connected.send(Ok(()));
                        let _ = hand_in.send(serve(lane, &share, links).await);
                    }
                    Err(error) => {
                        let _ = say_connected.send(Err(error.into()));
                    }
                }
            });
        };
        thread::Builder::new().name("replay".to_owned()).spawn(run)?;
        Ok(Self { connected, tally })
    }

    /// Waits until every connection of the thread stands.
    ///
    /// # Errors
    ///
    /// One could not be made in time, or the thread could not run.
    pub(super) async fn connected(&mut self) -> Result<(), ReplayError> {
        (&mut self.connected).await.expect("a replay thread says how its start went")
    }

    /// Waits for the end of the feed and takes what the thread has counted.
    pub(super) async fn finished(self) -> Tally {
        self.tally.await.expect("a replay thread does not panic")
    }
}

async fn connect(share: &Share, dial: &Dial) -> Result<Vec<Link>, Unreachable> {
    let mut links = Vec::with_capacity(share.slots.len());
    for _ in &share.slots {
        links.push(Link::open(dial.clone()).await?);
    }
    Ok(links)
}

/// Runs all slots of a thread to the end of the feed.
async fn serve(lane: Lane, share: &Share, links: Vec<Link>) -> Tally {
    let lane = Rc::new(lane);
    let mut running = Vec::new();
    for (link, &slots) in links.into_iter().zip(&share.slots) {
        let link = Rc::new(link);
        for _ in 0..slots {
            let slot = Slot { lane: Rc::clone(&lane), link: Rc::clone(&link) };
            running.push(tokio::task::spawn_local(slot.run()));
        }
    }
    for slot in running {
        slot.await.expect("a slot does not panic");
    }
    lane.tally.take()
}

/// What the slots of one thread share, and no other thread touches but for the feed.
pub(super) struct Lane {
    feed: Arc<Feed>,
    counters: Arc<CachePadded<Counters>>,
    values: Values,
    tally: RefCell<Tally>,
}

impl Lane {
    /// Puts together what one thread needs to serve from the feed.
    pub(super) fn new(feed: Arc<Feed>, counters: Arc<CachePadded<Counters>>) -> Self {
        Self { feed, counters, values: Values::new(), tally: RefCell::default() }
    }
}

/// One request in flight.
struct Slot {
    lane: Rc<Lane>,
    link: Rc<Link>,
}

impl Slot {
    async fn run(self) {
        let lane = &self.lane;
        while let Some(Access { line, key, operation, .. }) = lane.feed.next().await {
            lane.tally.borrow_mut().access();
            let served = match operation {
                Operation::Read(content) => self.read(line, &key, content).await,
                Operation::Write(content) => self.write(line, &key, content).await,
                Operation::Delete => self.delete(line, &key).await,
            };
            lane.counters.count(served);
        }
    }

    /// Cache-aside: what was not found is fetched from where it comes from, which takes
    /// no time here, and written.
    async fn read(&self, line: u64, key: &str, content: Content) -> Served {
        let asked = Instant::now();
        let reply = self.link.get(key).await;
        let served = self.lane.tally.borrow_mut().get(line, asked.elapsed(), reply);
        if served == Served::Miss {
            self.write(line, key, content).await;
        }
        served
    }

    async fn write(&self, line: u64, key: &str, content: Content) -> Served {
        let value = self.lane.values.value(key, content.size.bytes());
        let asked = Instant::now();
        let reply = self.link.set(key, &value, content.ttl).await;
        self.lane.tally.borrow_mut().call(Call::Set, line, asked.elapsed(), reply);
        Served::NoLookup
    }

    async fn delete(&self, line: u64, key: &str) -> Served {
        let asked = Instant::now();
        let reply = self.link.delete(key).await;
        self.lane.tally.borrow_mut().call(Call::Delete, line, asked.elapsed(), reply);
        Served::NoLookup
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn divided(in_flight: &str, connections: &str, threads: &str) -> Vec<Vec<usize>> {
        let line = [
            "x",
            "replay",
            "t",
            "--in-flight",
            in_flight,
            "--connections",
            connections,
            "--threads",
            threads,
        ];
        let Command::Replay(args) = Cli::parse_from(line).command else {
            panic!("another command")
        };
        shares(&args).into_iter().map(|share| share.slots).collect()
    }

    #[test]
    fn slots_and_connections_are_shared_out_evenly() {
        assert_eq!(divided("64", "4", "2"), [[16, 16], [16, 16]]);
        assert_eq!(divided("7", "3", "2"), [vec![3, 2], vec![2]]);
        assert_eq!(divided("1", "4", "4"), [[1]]);
    }
}
