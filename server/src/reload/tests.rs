//! Files that change under a reloader, on a clock of the test's own.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{Mutex, PoisonError},
};

use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};

use super::*;

/// A reloader of `one` and `two`, which must hold the same text.
struct Pair {
    directory: TempDir,
    reloads: Reloads,
    in_use: Arc<Mutex<String>>,
    reads: Arc<AtomicU64>,
    running: JoinHandle<()>,
}

impl Pair {
    async fn holding(text: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
        for path in [&one, &two] {
            fs::write(path, text).unwrap();
        }
        let in_use = Arc::new(Mutex::new(text.to_owned()));
        let reads = Arc::new(AtomicU64::new(0));
        let mut reloader = Reloader::default();
        assert!(reloader.is_empty());
        reloader.register("pair", [one.clone(), two.clone()], {
            let (in_use, reads) = (in_use.clone(), reads.clone());
            move || {
                reads.fetch_add(1, Ordering::Relaxed);
                read(&one, &two, &mut in_use.lock().unwrap_or_else(PoisonError::into_inner))
            }
        });
        assert!(!reloader.is_empty());
        let reloads = reloader.reloads();
        let running = tokio::spawn(reloader.run());
        let pair = Self { directory, reloads, in_use, reads, running };
        pair.wait(Duration::from_millis(1)).await;
        pair
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    async fn wait(&self, time: Duration) {
        sleep(time).await;
        assert!(!self.running.is_finished());
    }

    async fn ask(&self) {
        self.reloads.ask();
        self.wait(Duration::from_millis(1)).await;
    }

    fn in_use(&self) -> String {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many were put to use, how many failed, and whether the last one did.
    fn counts(&self) -> (u64, u64, bool) {
        let of = self.reloads.of_each().next().unwrap();
        assert_eq!(of.name, "pair");
        (of.ok(), of.failed(), of.has_failed())
    }
}

fn read(one: &Path, two: &Path, in_use: &mut String) -> Outcome {
    let text = fs::read_to_string(one).map_err(|error| error.to_string())?;
    let second = fs::read_to_string(two).map_err(|error| error.to_string())?;
    assert!(!text.starts_with("panic"), "a parser's fault");
    if text != second {
        return Err(format!("{text:?} is not {second:?}"));
    }
    if text == *in_use {
        return Ok(Change::Same);
    }
    *in_use = text;
    Ok(Change::Changed)
}

const LOOK: Duration = Duration::from_millis(1100);

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_is_read_once_at_the_next_look() {
    let pair = Pair::holding("a").await;
    // The first look reads: the files may have changed since they were read at the start.
    assert_eq!(pair.reads(), 1);
    pair.wait(10 * LOOK).await;
    assert_eq!((pair.reads(), pair.counts()), (1, (0, 0, false)));
    pair.write("one", "b");
    pair.write("two", "b");
    pair.wait(LOOK).await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("b", (1, 0, false)));
    pair.wait(10 * LOOK).await;
    assert_eq!((pair.reads(), pair.counts()), (2, (1, 0, false)));
}

#[tokio::test(start_paused = true)]
async fn files_are_read_at_once_when_somebody_asks() {
    let pair = Pair::holding("a").await;
    let begun = Instant::now();
    pair.write("one", "b");
    pair.write("two", "b");
    pair.ask().await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("b", (1, 0, false)));
    pair.ask().await;
    assert_eq!((pair.reads(), pair.counts()), (3, (1, 0, false)), "read, and not counted");
    pair.write("one", "c");
    pair.ask().await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("b", (1, 1, true)));
    assert!(begun.elapsed() < PERIOD, "{:?}", begun.elapsed());
}

/// certbot writes a certificate and its key one after the other.
#[tokio::test(start_paused = true)]
async fn a_pair_that_does_not_fit_yet_is_no_failure() {
    let pair = Pair::holding("a").await;
    pair.write("one", "b");
    pair.wait(3 * LOOK).await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("a", (0, 0, false)));
    pair.write("two", "b");
    pair.wait(LOOK).await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("b", (1, 0, false)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_is_reported_once_for_each_content() {
    let pair = Pair::holding("a").await;
    pair.write("one", "b");
    pair.wait(SETTLE + 2 * LOOK).await;
    assert_eq!(pair.counts(), (0, 1, true));
    let reads = pair.reads();
    for _ in 0..10 {
        // The same again, as a tool writes it that runs every few minutes.
        pair.write("one", "b");
        pair.wait(LOOK).await;
    }
    assert_eq!((pair.reads(), pair.counts()), (reads, (0, 1, true)));
    fs::remove_file(pair.directory.path().join("one")).unwrap();
    pair.wait(SETTLE + 2 * LOOK).await;
    assert_eq!(pair.counts(), (0, 2, true));
    // The first operator to ask hears it at once, and so does the next.
    pair.ask().await;
    pair.ask().await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("a", (0, 4, true)));
}

#[tokio::test(start_paused = true)]
async fn a_content_that_is_in_use_ends_a_failure_when_it_comes_back() {
    let pair = Pair::holding("a").await;
    pair.write("one", "b");
    pair.ask().await;
    assert_eq!(pair.counts(), (0, 1, true));
    pair.write("one", "a");
    pair.wait(LOOK).await;
    assert_eq!(pair.counts(), (1, 1, false));
}

/// Content that changes all the time and is never of use must be reported all the same.
#[tokio::test(start_paused = true)]
async fn a_file_that_never_settles_is_reported() {
    let pair = Pair::holding("a").await;
    for number in 0..20 {
        pair.write("one", &format!("b{number}"));
        pair.wait(LOOK).await;
    }
    let (ok, failed, has_failed) = pair.counts();
    assert_eq!((ok, has_failed), (0, true));
    assert!((2..=4).contains(&failed), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn a_parser_that_panics_is_a_failure_and_not_the_end() {
    let pair = Pair::holding("a").await;
    pair.write("one", "panic");
    pair.write("two", "panic");
    pair.ask().await;
    assert_eq!(pair.counts(), (0, 1, true));
    pair.write("one", "b");
    pair.write("two", "b");
    pair.wait(LOOK).await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("b", (1, 1, false)));
}

/// The kubelet writes a directory and swaps the link `..data`, so that no file's own entry changes.
#[tokio::test(start_paused = true)]
async fn a_swap_of_the_directory_behind_links_is_a_change() {
    let pair = Pair::holding("a").await;
    let path = pair.directory.path();
    let swap = |name: &str| {
        fs::create_dir(path.join(name)).unwrap();
        for file in ["one", "two"] {
            fs::write(path.join(name).join(file), name).unwrap();
        }
        symlink(name, path.join("..data_tmp")).unwrap();
        fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
    };
    swap("a");
    for file in ["one", "two"] {
        fs::remove_file(path.join(file)).unwrap();
        symlink(format!("..data/{file}"), path.join(file)).unwrap();
    }
    pair.wait(LOOK).await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("a", (0, 0, false)));
    swap("b");
    pair.wait(LOOK).await;
    assert_eq!((pair.in_use().as_str(), pair.counts()), ("b", (1, 0, false)));
}

/// A pipe in place of a file blocked the thread that reads all of them, for good.
#[test]
fn a_pipe_is_no_file_to_read() {
    let directory = TempDir::new().unwrap();
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let error = super::read(&pipe).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let unreadable = Content::Unreadable(std::io::ErrorKind::InvalidInput);
    assert_eq!(Looked::new(pipe).content(), unreadable);
}

#[test]
fn a_file_of_any_size_is_not_read_whole() {
    let directory = TempDir::new().unwrap();
    let large = directory.path().join("large");
    fs::File::create(&large).unwrap().set_len(17 << 20).unwrap();
    assert_eq!(super::read(&large).unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
}
