//! A worker process: the same program with a share of the threads. It is told what to do on its
//! stdin and says what comes of it on its stdout, a line of JSON each; histograms travel whole.
//! It ends when its stdin does, so that none outlives the process that started it.

use std::{
    io,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
};

use super::{
    control::Stopped,
    course::Course,
    live::{Counters, Seen},
    second::Second,
    tally::Tally,
    worker::{Begin, Event, StartError},
};
use crate::lanes::LaneId;

/// What a worker process is started with: its first line.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Share {
    /// The command line that it shares.
    pub args: Vec<String>,
    /// Its place among all.
    pub process: LaneId,
}

/// A word to a worker process.
#[derive(Debug, Deserialize, Serialize)]
pub enum Told {
    /// Play a course, from an instant on: nanoseconds since the Unix epoch, by the clock that
    /// both have.
    Begin(Course, u64),
    /// Stop it.
    Stop(Stopped),
}

/// What a worker process says.
#[derive(Debug, Deserialize, Serialize)]
pub enum Said {
    /// It is connected and has filled its part.
    Ready,
    /// It cannot start.
    Failed(String),
    /// What it has done by now.
    Seen(Seen),
    /// What a second of the course brought, over all of its threads.
    Second(u64, Box<Second>),
    /// The course is over: why it was stopped, if it was.
    Done(Box<Tally>, Option<Stopped>),
}

/// Starts a process.
pub(super) fn spawn(
    share: Share,
    counters: Arc<Counters>,
    events: mpsc::UnboundedSender<(usize, Event)>,
) -> io::Result<mpsc::UnboundedSender<Begin>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    // Ctrl-C is for the process that asks the others to stop.
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn()?;
    let (word, words) = mpsc::unbounded_channel();
    let place = share.process.index;
    let worker = Process { child, place, counters, events };
    tokio::spawn(worker.attend(share, words));
    Ok(word)
}

/// A worker process, seen from the one that started it.
struct Process {
    child: Child,
    place: usize,
    counters: Arc<Counters>,
    events: mpsc::UnboundedSender<(usize, Event)>,
}

impl Process {
    async fn attend(mut self, share: Share, mut words: mpsc::UnboundedReceiver<Begin>) {
        let mut stdin = self.child.stdin.take().expect("it is piped");
        let stdout = self.child.stdout.take().expect("it is piped");
        let mut said = BufReader::new(stdout).lines();
        if tell(&mut stdin, &share).await.is_err() || !self.started(&mut said).await {
            let why = self.last_words().await;
            return self.say(Event::Failed(StartError::Process(why)));
        }
        while let Some(begin) = words.recv().await {
            let control = Arc::clone(&begin.control);
            let mut done = Second::default();
            if self.play(begin, &mut stdin, &mut said, &mut done).await.is_none() {
                control.stop(Stopped::WorkerLost);
                return self.say(Event::Done(Box::new(Tally::of_lost(done))));
            }
        }
    }

    /// Whether it started; says so, or why not.
    async fn started(&mut self, said: &mut Lines<BufReader<ChildStdout>>) -> bool {
        loop {
            match hear(said).await {
                Some(Said::Ready) => {
                    self.say(Event::Ready);
                    return true;
                }
                Some(Said::Seen(seen)) => self.counters.set(seen),
                Some(Said::Failed(why)) => {
                    self.say(Event::Failed(StartError::Process(why)));
                    // What is said after it, nobody hears.
                    return true;
                }
                Some(Said::Second(..) | Said::Done(..)) | None => return false,
            }
        }
    }

    /// Plays a course, and adds its seconds to `done`; none if the process is lost.
    async fn play(
        &mut self,
        begin: Begin,
        stdin: &mut ChildStdin,
        said: &mut Lines<BufReader<ChildStdout>>,
        done: &mut Second,
    ) -> Option<()> {
        let Begin { course, start, control } = begin;
        tell(stdin, &Told::Begin(course, to_unix(start))).await.ok()?;
        let mut stopping = false;
        loop {
            tokio::select! {
                heard = hear(said) => match heard? {
                    Said::Seen(seen) => self.counters.set(seen),
                    Said::Second(index, second) => {
                        done.merge(&second);
                        self.say(Event::Second(index, *second));
                    }
                    Said::Done(tally, stopped) => {
                        if let Some(why) = stopped {
                            control.stop(why);
                        }
                        self.say(Event::Done(tally));
                        return Some(());
                    }
                    Said::Ready | Said::Failed(_) => return None,
                },
                () = control.stopping(), if !stopping => {
                    stopping = true;
                    let why = control.stopped().unwrap_or(Stopped::Interrupted);
                    tell(stdin, &Told::Stop(why)).await.ok()?;
                }
            }
        }
    }

    async fn last_words(&mut self) -> String {
        let ended = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        format!("worker process {} ended before its time: {ended}", self.place + 1)
    }

    fn say(&self, event: Event) {
        let _ = self.events.send((self.place, event));
    }
}

async fn tell(stdin: &mut ChildStdin, word: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    stdin.write_all(&line).await?;
    stdin.flush().await
}

/// The next word; none when there are no more, or none that can be understood.
async fn hear(said: &mut Lines<BufReader<ChildStdout>>) -> Option<Said> {
    serde_json::from_str(&said.next_line().await.ok()??).ok()
}

fn to_unix(instant: Instant) -> u64 {
    let ahead = instant.saturating_duration_since(Instant::now());
    let since = (SystemTime::now() + ahead).duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The instant of this process's own clock.
#[must_use]
pub(crate) fn from_unix(nanos: u64) -> Instant {
    let at = UNIX_EPOCH + Duration::from_nanos(nanos);
    Instant::now() + at.duration_since(SystemTime::now()).unwrap_or_default()
}
