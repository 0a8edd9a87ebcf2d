//! The hidden command `worker`: one of the processes of `--workers`. What it is told and what it
//! says stands in [`engine::Told`](crate::engine::Told) and [`engine::Said`](crate::engine::Said).

use std::{
    future::Future,
    io::{self, Write},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin},
    runtime,
};

use crate::{
    cli::{Cli, Command},
    engine::{Control, Crew, Parts, Said, Seen, Share, Stopped, Told, from_unix},
    error::Error,
    run,
    usage::own_cpu,
};

/// Pause between two words about progress.
const PERIOD: Duration = Duration::from_millis(200);

/// Does a share of the work, until stdin ends.
///
/// # Errors
///
/// The system gives no event loop, or nobody reads what is said.
pub fn run() -> Result<(), Error> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut told = BufReader::new(tokio::io::stdin()).lines();
        let Some(share) = hear::<Share>(&mut told).await else { return Ok(()) };
        let mut crew = match ready(&share).await {
            Ok(crew) => crew,
            Err(error) => return say(&Said::Failed(error.to_string())),
        };
        say(&Said::Ready)?;
        while let Some(word) = hear(&mut told).await {
            // A stop that comes after the end of its course is for nothing that goes on.
            let Told::Begin(course, start) = word else { continue };
            let control = Arc::new(Control::default());
            let live = crew.live();
            let playing = crew.play_from(from_unix(start), course, &control, |index, second| {
                // Who does not listen has ended, and so has stdin.
                let _ = say(&Said::Second(index, Box::new(second.clone())));
            });
            let listening = async {
                while let Some(word) = hear(&mut told).await {
                    if let Told::Stop(why) = word {
                        control.stop(why);
                    }
                }
                control.stop(Stopped::Interrupted);
                std::future::pending::<()>().await;
            };
            let played = tokio::select! {
                played = telling(playing, || live.seen()) => played,
                () = listening => unreachable!("it waits for the end of the course"),
            };
            say(&Said::Seen(with_cpu(live.seen())))?;
            say(&Said::Done(Box::new(played.tally), played.stopped))?;
        }
        Ok(())
    })
}

/// Starts the threads, which connect and fill.
async fn ready(share: &Share) -> Result<Crew, Error> {
    let parts = parts(share)?;
    let mut crew = Crew::assemble(&parts)?;
    let live = crew.live();
    telling(crew.ready(), || live.seen()).await?;
    Ok(crew)
}

fn parts(share: &Share) -> Result<Parts, Error> {
    let cli = Cli::try_parse_from(&share.args).map_err(|error| Error::Worker(error.to_string()))?;
    let (load, pace) = match &cli.command {
        Command::Run(args) => (&args.load, args.courses()?.first().map(|course| course.pace)),
        Command::Search(args) => (&args.load, Some(args.course(args.rules()?.from, 0).pace)),
        _ => return Err(Error::Worker("this command has no workers".to_owned())),
    };
    let pace = pace.expect("there is never no course");
    Ok(Parts { process: share.process, ..run::parts(load, &load.spec()?, pace)? })
}

/// Tells what has been done, again and again until the end.
async fn telling<T>(end: impl Future<Output = T>, seen: impl Fn() -> Seen) -> T {
    let mut end = pin!(end);
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            end = &mut end => return end,
            _ = ticks.tick() => {
                let _ = say(&Said::Seen(with_cpu(seen())));
            }
        }
    }
}

fn with_cpu(seen: Seen) -> Seen {
    let cpu = own_cpu().unwrap_or_default().as_nanos();
    Seen { cpu_nanos: u64::try_from(cpu).unwrap_or(u64::MAX), ..seen }
}

async fn hear<T: DeserializeOwned>(told: &mut Lines<BufReader<Stdin>>) -> Option<T> {
    serde_json::from_str(&told.next_line().await.ok()??).ok()
}

fn say(word: &Said) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let mut line = serde_json::to_vec(word)?;
        line.push(b'\n');
        let mut out = io::stdout().lock();
        out.write_all(&line)?;
        out.flush()
    };
    write().map_err(Error::Output)
}
