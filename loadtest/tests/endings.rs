//! However a run ends, its report is there: after signals, without a terminal, and where one of
//! several outputs cannot be written.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that the lint knows to be tests"
)]

mod fake_server;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use fake_server::{FakeServer, Manners};
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::Value;

const LONG: [&str; 8] =
    ["run", "--duration", "1h", "--rate", "500", "--max-slip", "1h", "--mix=get=1"];

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"))
}

/// Starts a long run that writes its report to this file.
fn start(server: &FakeServer, json: &Path) -> Child {
    let mut command = binary();
    command.args(LONG).args(["--target", &server.target(), "--json"]).arg(json);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

fn report(json: &Path) -> Value {
    serde_json::from_slice(&fs::read(json).unwrap()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn every_signal_that_asks_for_the_end_leaves_a_report() {
    let anywhere =
        ["-INT", "-TERM", "-QUIT", "-HUP", "-USR1", "-USR2", "-ALRM", "-VTALRM", "-PROF", "-XCPU"];
    let on_linux =
        if cfg!(target_os = "linux") { &["-PWR", "-STKFLT", "-IO", "-40"][..] } else { &[] };
    for signal in anywhere.iter().chain(on_linux) {
        let server = FakeServer::start(Manners::default());
        let directory = tempfile::tempdir().unwrap();
        let json = directory.path().join("report.json");
        let child = start(&server, &json);
        server.wait_for_gets(10);
        send(signal, child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}: {output:?}");
        assert_eq!(report(&json)["ending"], "interrupted", "{signal}");
    }
}

/// A terminal that was closed, or a connection by ssh that broke, ended the process at once:
/// hours of a run were lost. With a view on it, the end was a panic: the view's last words were
/// an error that the terminal could not take.
#[test]
fn a_lost_terminal_ends_the_run_with_its_report() {
    for progress in ["live", "lines", "none"] {
        let server = FakeServer::start(Manners::default());
        let files = Files::new();
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
        command.env("TERM", "xterm");
        command.args(LONG);
        command.args(["--target", &server.target(), "--progress", progress]);
        command.args(files.options());
        let mut child = pty.slave.spawn_command(command).unwrap();
        server.wait_for_gets(10);
        wait_for_view(progress, pty.master.as_ref());
        drop(pty);
        assert_eq!(child.wait().unwrap().exit_code(), 130, "{progress}");
        files.assert_whole(progress);
    }
}

/// A terminal that is not the process's own, such as a container's, sends no SIGHUP.
#[test]
fn a_run_goes_on_without_a_terminal_that_sends_no_signal() {
    for progress in ["live", "lines", "none"] {
        let server = FakeServer::start(Manners::default());
        let files = Files::new();
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let terminal = pty.master.tty_name().unwrap();
        let open = || fs::OpenOptions::new().read(true).write(true).open(&terminal).unwrap();
        let mut command = binary();
        command.env("TERM", "xterm").args(LONG).args(files.options());
        command.args(["--target", &server.target(), "--progress", progress]);
        let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        server.wait_for_gets(10);
        wait_for_view(progress, pty.master.as_ref());
        drop(pty);
        server.wait_for_gets(500);
        assert_eq!(child.try_wait().unwrap(), None, "{progress}");
        send("-TERM", child.id());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{progress}");
        files.assert_whole(progress);
    }
}

/// Waits until the view was drawn, where there is one.
fn wait_for_view(progress: &str, master: &dyn MasterPty) {
    let (mut reader, mut shown, mut bytes) =
        (master.try_clone_reader().unwrap(), vec![], [0; 4096]);
    while progress == "live" && !String::from_utf8_lossy(&shown).contains("Ctrl-C") {
        let len = reader.read(&mut bytes).unwrap();
        shown.extend_from_slice(&bytes[..len]);
    }
}

/// Every kind of file that a run writes.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options(&self) -> Vec<String> {
        let option = |name| [format!("--{name}"), self.path(name).to_str().unwrap().to_owned()];
        ["json", "html", "csv", "hdr"].into_iter().flat_map(option).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Checks that each file is there and has its end, after a run that was interrupted.
    fn assert_whole(&self, of: &str) {
        let text = |name| fs::read_to_string(self.path(name)).unwrap();
        assert_eq!(report(&self.path("json"))["ending"], "interrupted", "{of}");
        assert!(text("html").ends_with("</html>"), "{of}");
        for name in ["csv", "hdr"] {
            assert!(text(name).ends_with('\n'), "{of}: {name}");
        }
    }
}

/// Help is an output like any other: a script that stores it learns that the disk is full.
#[cfg(target_os = "linux")]
#[test]
fn a_text_that_cannot_be_written_is_an_error_unless_its_reader_has_left() {
    for args in [&["--help"][..], &["run", "--help"], &["--version"], &["schema"], &["presets"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = binary().args(args).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains("No space left"), "{args:?}: {output:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = binary().args(args).stdout(writer).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
}

/// A message that nobody can read is not a reason to fail, and does not change how a run ended.
#[cfg(target_os = "linux")]
#[test]
fn messages_that_cannot_be_written_cost_nothing() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("report.json");
    let mut command = binary();
    command.args(SHORT).args(["--prometheus", "127.0.0.1:0", "--json"]).arg(&json);
    let status = command.stdout(Stdio::null()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(report(&json)["requests"], 1000);
    for args in [&[][..], &["run", "--rate", "none"], &["html", "none.json"]] {
        let status = binary().args(args).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(2), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn under_nohup_a_run_outlives_its_terminal() {
    let server = FakeServer::start(Manners::default());
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("report.json");
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "trap '' HUP; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_tiny-cache-loadtest"),
    ]);
    command.args(LONG).args(["--target", &server.target(), "--json"]).arg(&json);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    server.wait_for_gets(10);
    send("-HUP", child.id());
    server.wait_for_gets(200);
    assert_eq!(child.try_wait().unwrap(), None);
    send("-TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(report(&json)["requests"].as_u64().unwrap() >= 100);
}

const SHORT: [&str; 7] = ["run", "--target", "null", "--rate", "max", "--requests", "1000"];

/// The first output that could not be written took all others with it, the table among them.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_for_one_output_spares_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let output = binary()
        .current_dir(directory.path())
        .args(SHORT)
        .args(["--json", "/dev/full", "--html", "page.html", "--csv", "/dev/full"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let line = stderr(&output);
    assert!(line.contains("--json /dev/full: No space left on device"), "{line}");
    assert!(line.contains("; --csv /dev/full: No space left on device"), "{line}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("hit ratio"), "{output:?}");
    let page = fs::read_to_string(directory.path().join("page.html")).unwrap();
    assert!(page.ends_with("</html>"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_table_that_cannot_be_written_costs_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = binary()
        .current_dir(directory.path())
        .args(SHORT)
        .args(["--json", "report.json"])
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("cannot write the report: No space left"), "{output:?}");
    assert_eq!(report(&directory.path().join("report.json"))["requests"], 1000);
}

#[test]
fn a_reader_of_the_table_that_has_left_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("report.json");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = binary().args(SHORT).arg("--json").arg(&json).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(report(&json)["requests"], 1000);
}

/// Beyond `ulimit -f` a write does not fail by itself: SIGXFSZ ends the process before.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_the_size_of_files_is_an_error_like_a_full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .current_dir(directory.path())
        .args(["-c", "ulimit -f 1; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tiny-cache-loadtest")])
        .args(SHORT)
        .args(["--json", "report.json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("--json report.json: File too large"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("hit ratio"), "{output:?}");
}

/// A second Ctrl-C ended the process at once, and what had been measured was lost.
#[test]
fn a_second_interrupt_leaves_the_requests_under_way_and_still_reports() {
    for pace in [&["--rate", "500", "--max-slip", "1h"][..], &["--rate", "max", "--in-flight", "4"]]
    {
        let server = FakeServer::start(Manners { hang_on: Some("0"), ..Manners::default() });
        let directory = tempfile::tempdir().unwrap();
        let json = directory.path().join("report.json");
        let mut command = binary();
        command.args(["run", "--target", &server.target(), "--no-namespace", "--duration", "1h"]);
        command.args(["--mix", "get=1", "--keys", "2", "--key-size", "1", "--timeout", "1h"]);
        command.args(pace).arg("--json").arg(&json);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        server.wait_for_gets(4);
        send("-INT", child.id());
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = said.find(|line| line.as_ref().unwrap().starts_with("interrupted"));
        assert!(line.unwrap().unwrap().contains("Ctrl-C again"));
        send("-INT", child.id());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let report = report(&json);
        assert_eq!(report["ending"], "interrupted");
        assert!(report["abandoned_requests"].as_u64().unwrap() > 0, "{report}");
    }
}
