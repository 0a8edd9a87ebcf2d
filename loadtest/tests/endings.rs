//! However a run ends, its report is there: after signals, without a terminal, and where one of
//! several outputs cannot be written.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;
mod program;

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, PipeWriter},
    path::Path,
    process::{Command, Stdio},
};

use fake_server::{FakeServer, Manners};
use program::{Load, Run, loadtest, loadtest_after, read, signal};
use tempfile::TempDir;
use tiny_cache_loadtest::report::Ending;
use tiny_cache_test_support::screen::{Terminal, USUAL};

const LONG: &str = "run --duration 1h --rate 500 --max-slip 1h --mix=get=1";

const SHORT: &str = "run --target null --rate max --requests 1000";

/// A directory where the binary runs.
fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The binary in a directory.
fn within(directory: &TempDir, arguments: &str) -> Command {
    let mut command = loadtest(arguments);
    command.current_dir(directory);
    command
}

/// An output that takes nothing.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// An output whose reader has left.
fn unread() -> PipeWriter {
    std::io::pipe().unwrap().1
}

#[test]
fn every_signal_that_asks_for_the_end_leaves_a_report() {
    let anywhere =
        ["-INT", "-TERM", "-QUIT", "-HUP", "-USR1", "-USR2", "-ALRM", "-VTALRM", "-PROF", "-XCPU"];
    let on_linux =
        if cfg!(target_os = "linux") { &["-PWR", "-STKFLT", "-IO", "-40"][..] } else { &[] };
    for signal in anywhere.iter().chain(on_linux) {
        let server = FakeServer::start(Manners::default());
        let directory = directory();
        let mut run = within(&directory, LONG);
        let run = run.with("--json report.json").against(server.target()).start();
        server.wait_for_gets(10);
        run.signal(signal);
        run.end().exited(130);
        let report = read(directory.path().join("report.json"));
        assert_eq!(report.ending, Ending::Interrupted, "{signal}");
    }
}

/// A terminal that was closed, or a connection by ssh that broke, ended the process at once:
/// hours of a run were lost. With a view on it, the end was a panic: the view's last words were
/// an error that the terminal could not take.
#[test]
fn a_lost_terminal_ends_the_run_with_its_report() {
    for progress in ["live", "lines", "none"] {
        let (server, directory) = (FakeServer::start(Manners::default()), directory());
        let terminal = Terminal::open(USUAL);
        let mut child = terminal.spawn(&watched(&server, &directory, progress));
        server.wait_for_gets(10);
        wait_for_view(progress, &terminal);
        drop(terminal);
        assert_eq!(child.wait().unwrap().exit_code(), 130, "{progress}");
        assert_whole(directory.path(), progress);
    }
}

/// A terminal that is not the process's own, such as a container's, sends no SIGHUP.
#[test]
fn a_run_goes_on_without_a_terminal_that_sends_no_signal() {
    for progress in ["live", "lines", "none"] {
        let (server, directory) = (FakeServer::start(Manners::default()), directory());
        let terminal = Terminal::open(USUAL);
        let mut command = watched(&server, &directory, progress);
        command.stdin(terminal.file()).stdout(terminal.file()).stderr(terminal.file());
        let mut run = command.start();
        drop(command);
        server.wait_for_gets(10);
        wait_for_view(progress, &terminal);
        drop(terminal);
        server.wait_for_gets(500);
        assert!(run.is_running(), "{progress}");
        run.signal("-TERM");
        run.end().exited(130);
        assert_whole(directory.path(), progress);
    }
}

/// A long run that shows its progress so, and writes every kind of file.
fn watched(server: &FakeServer, directory: &TempDir, progress: &str) -> Command {
    let mut command = within(directory, LONG);
    command.with("--json json --html html --csv csv --hdr hdr --progress").arg(progress);
    command.env("TERM", "xterm").against(server.target());
    command
}

/// Waits until the view was drawn, where there is one.
fn wait_for_view(progress: &str, terminal: &Terminal) {
    if progress == "live" {
        terminal.wait_for("Ctrl-C");
    }
}

/// Checks that each file is there and has its end, after a run that was interrupted.
fn assert_whole(directory: &Path, of: &str) {
    let text = |name| fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(read(directory.join("json")).ending, Ending::Interrupted, "{of}");
    assert!(text("html").ends_with("</html>"), "{of}");
    for name in ["csv", "hdr"] {
        assert!(text(name).ends_with('\n'), "{of}: {name}");
    }
}

/// Help is an output like any other: a script that stores it learns that the disk is full.
#[cfg(target_os = "linux")]
#[test]
fn a_text_that_cannot_be_written_is_an_error_unless_its_reader_has_left() {
    for args in ["--help", "run --help", "--version", "schema", "presets"] {
        let ended = loadtest(args).stdout(full()).run().exited(2);
        assert!(ended.stderr.contains("No space left"), "{args:?}: {ended:?}");
        loadtest(args).stdout(unread()).run().exited(0);
    }
}

/// A message that nobody can read is not a reason to fail, and does not change how a run ended.
#[cfg(target_os = "linux")]
#[test]
fn messages_that_cannot_be_written_cost_nothing() {
    let directory = directory();
    let mut run = within(&directory, SHORT);
    run.with("--prometheus 127.0.0.1:0 --json report.json").stderr(full()).run().exited(0);
    assert_eq!(read(directory.path().join("report.json")).figures.requests, 1000);
    for args in ["", "run --rate none", "html none.json"] {
        loadtest(args).stderr(full()).run().exited(2);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn under_nohup_a_run_outlives_its_terminal() {
    let server = FakeServer::start(Manners::default());
    let directory = directory();
    let mut run = loadtest_after("trap '' HUP", LONG);
    run.current_dir(&directory).with("--json report.json").against(server.target());
    let mut run = run.start();
    server.wait_for_gets(10);
    run.signal("-HUP");
    server.wait_for_gets(200);
    assert!(run.is_running());
    run.signal("-TERM");
    run.end().exited(130);
    assert!(read(directory.path().join("report.json")).figures.requests >= 100);
}

/// The first output that could not be written took all others with it, the table among them.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_for_one_output_spares_the_others() {
    let directory = directory();
    let files = "--json /dev/full --html page.html --csv /dev/full";
    let ended = within(&directory, SHORT).with(files).run();
    let line = ended.error();
    assert!(line.contains("--json /dev/full: No space left on device"), "{line}");
    assert!(line.contains("; --csv /dev/full: No space left on device"), "{line}");
    assert!(ended.text().contains("hit ratio"), "{ended:?}");
    let page = fs::read_to_string(directory.path().join("page.html")).unwrap();
    assert!(page.ends_with("</html>"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_table_that_cannot_be_written_costs_no_file() {
    let directory = directory();
    let ended = within(&directory, SHORT).with("--json report.json").stdout(full()).run();
    let expected = "cannot write the report: No space left";
    assert!(ended.error().contains(expected), "{ended:?}");
    assert_eq!(read(directory.path().join("report.json")).figures.requests, 1000);
}

#[test]
fn a_reader_of_the_table_that_has_left_is_no_error() {
    let directory = directory();
    within(&directory, SHORT).with("--json report.json").stdout(unread()).run().exited(0);
    assert_eq!(read(directory.path().join("report.json")).figures.requests, 1000);
}

/// Beyond `ulimit -f` a write does not fail by itself: SIGXFSZ ends the process before.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_the_size_of_files_is_an_error_like_a_full_disk() {
    let directory = directory();
    let mut run = loadtest_after("ulimit -f 1", SHORT);
    let ended = run.current_dir(&directory).with("--json report.json").run();
    assert!(ended.error().contains("--json report.json: File too large"), "{ended:?}");
    assert!(ended.text().contains("hit ratio"), "{ended:?}");
}

/// A second Ctrl-C ended the process at once, and what had been measured was lost.
#[test]
fn a_second_interrupt_leaves_the_requests_under_way_and_still_reports() {
    for pace in ["--rate 500 --max-slip 1h", "--rate max --in-flight 4"] {
        let server = FakeServer::start(Manners { hang_on: Some("0"), ..Manners::default() });
        let directory = directory();
        let mut run = within(&directory, "run --duration 1h --timeout 1h --json report.json");
        run.with("--no-namespace --mix get=1 --keys 2 --key-size 1").with(pace);
        let mut child = run.against(server.target()).stdout(Stdio::null()).spawn().unwrap();
        server.wait_for_gets(4);
        signal(child.id(), "-INT");
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = said.find(|line| line.as_ref().unwrap().starts_with("interrupted"));
        assert!(line.unwrap().unwrap().contains("Ctrl-C again"));
        signal(child.id(), "-INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let report = read(directory.path().join("report.json"));
        assert_eq!(report.ending, Ending::Interrupted);
        assert!(report.figures.abandoned_requests > 0, "{report:?}");
    }
}
