//! The binary's command lines, and the reports that its runs write.

#![allow(dead_code, unused_imports, reason = "each test binary uses what it needs")]

use std::{fs, path::Path, process::Command};

use tiny_cache_loadtest::report::Report;
use tiny_cache_test_support::process::program;
pub(crate) use tiny_cache_test_support::process::{Ended, Run, signal};

/// The binary with these arguments, which are separated by blanks.
pub(crate) fn loadtest(arguments: &str) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_tiny-cache-loadtest"));
    command.env_remove("NO_COLOR").env_remove("COLORTERM").with(arguments);
    command
}

/// The same in a shell that first does something else, such as `ulimit -n 100`.
pub(crate) fn loadtest_after(first: &str, arguments: &str) -> Command {
    let mut command = program("sh");
    command.args(["-c", &format!("{first}; exec \"$0\" \"$@\"")]);
    command.arg(env!("CARGO_BIN_EXE_tiny-cache-loadtest")).with(arguments);
    command
}

/// The report in a file.
pub(crate) fn read(json: impl AsRef<Path>) -> Report {
    serde_json::from_slice(&fs::read(json).unwrap()).unwrap()
}

/// What a load test has besides other programs: a target and a report.
pub(crate) trait Load: Run {
    fn against(&mut self, target: impl AsRef<str>) -> &mut Self;

    /// Runs the binary, expects this exit code, and returns the report.
    #[track_caller]
    fn report(&mut self, code: i32) -> Report {
        self.reported(code).1
    }

    /// The same, with what the binary printed.
    #[track_caller]
    fn reported(&mut self, code: i32) -> (Ended, Report);
}

impl Load for Command {
    fn against(&mut self, target: impl AsRef<str>) -> &mut Self {
        self.args(["--target", target.as_ref()])
    }

    #[track_caller]
    fn reported(&mut self, code: i32) -> (Ended, Report) {
        let directory = tempfile::tempdir().unwrap();
        let json = directory.path().join("report.json");
        let ended = self.arg("--json").arg(&json).run().exited(code);
        (ended, read(json))
    }
}
