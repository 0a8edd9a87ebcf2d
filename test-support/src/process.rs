//! Runs a program, waits for its end within a bound, and keeps what it wrote.
#![expect(clippy::unwrap_used, reason = "a test fails where a program cannot be run")]

use std::{
    ffi::OsStr,
    fmt,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long to wait for what is sure to come, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The longest that a program may run. Some of those that take a minute are run on machines
/// that are busy.
const LONGEST: Duration = Duration::from_secs(300);

/// A program with no input, and with pipes for its output. A test that needs other streams
/// replaces them.
pub fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Sends a signal, given as `kill` takes it.
pub fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Command lines as they are typed, and runs of them.
pub trait Run {
    /// Adds arguments that are separated by blanks.
    fn with(&mut self, arguments: &str) -> &mut Self;

    /// Starts the program.
    fn start(&mut self) -> Running;

    /// Runs the program to its end.
    #[track_caller]
    fn run(&mut self) -> Ended {
        self.start().end()
    }

    /// Runs the program to its end with this input.
    fn run_with_stdin(&mut self, stdin: impl AsRef<[u8]>) -> Ended;
}

impl Run for Command {
    fn with(&mut self, arguments: &str) -> &mut Self {
        self.args(arguments.split_whitespace())
    }

    fn start(&mut self) -> Running {
        let mut child = self.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().map(read), child.stderr.take().map(read));
        Running { child, stdout, stderr }
    }

    #[track_caller]
    fn run_with_stdin(&mut self, stdin: impl AsRef<[u8]>) -> Ended {
        let mut running = self.stdin(Stdio::piped()).start();
        let (mut pipe, bytes) = (running.child.stdin.take().unwrap(), stdin.as_ref().to_vec());
        // A program that reads no further closes the pipe.
        thread::spawn(move || pipe.write_all(&bytes));
        running.end()
    }
}

/// A program that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Sends a signal, given as `kill` takes it.
    pub fn signal(&self, signal: &str) {
        self::signal(self.child.id(), signal);
    }

    /// Whether the program has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// If the program runs for longer than five minutes, or a signal ended it.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        while self.is_running() {
            if start.elapsed() > LONGEST {
                self.child.kill().unwrap();
                let (stdout, stderr) = self.written();
                panic!("it does not end; it wrote {:?} and {stderr}", stdout.escape_ascii());
            }
            thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait().unwrap();
        let (stdout, stderr) = self.written();
        let code = status.code().unwrap_or_else(|| panic!("{status}: {stderr}"));
        Ended { code, stdout, stderr }
    }

    fn written(&mut self) -> (Vec<u8>, String) {
        let [stdout, stderr] = [&mut self.stdout, &mut self.stderr]
            .map(|pipe| pipe.take().map(|pipe| pipe.join().unwrap()).unwrap_or_default());
        (stdout, String::from_utf8(stderr).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// What a program left behind.
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// The bytes on stdout, if stdout was a pipe.
    pub stdout: Vec<u8>,
    /// The text on stderr, if stderr was a pipe.
    pub stderr: String,
}

impl fmt::Debug for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr } = self;
        let stdout = String::from_utf8_lossy(stdout);
        write!(out, "exit code {code}, stdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

impl Ended {
    /// Asserts the exit code.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use, reason = "often nothing else is to be asserted")]
    pub fn exited(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Asserts the exit code and stdout, and that stderr is empty.
    #[track_caller]
    pub fn ended(&self, code: i32, stdout: impl AsRef<[u8]>) {
        let expected = String::from_utf8_lossy(stdout.as_ref());
        assert_eq!(String::from_utf8_lossy(&self.stdout), expected, "{self:?}");
        assert_eq!((self.code, self.stderr.as_str()), (code, ""));
    }

    /// Asserts that it failed with one line on stderr. Returns the line without `error: `.
    #[track_caller]
    pub fn error(&self) -> &str {
        assert_eq!(self.code, 2, "{self:?}");
        let line = self.stderr.strip_prefix("error: ").expect("an error line");
        let line = line.strip_suffix('\n').expect("a whole line");
        assert!(!line.contains('\n'), "more than one line: {line}");
        line
    }

    /// Asserts that it failed with one line on stderr and nothing on stdout. Returns the line
    /// without `error: `.
    #[track_caller]
    pub fn refusal(&self) -> &str {
        assert_eq!(self.text(), "");
        self.error()
    }

    /// What it wrote to stdout, which is text.
    #[track_caller]
    #[must_use]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    /// The one JSON value, in one line, that it wrote to stdout.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        let line = self.text().strip_suffix('\n').expect("a whole line");
        assert!(!line.contains('\n'), "more than one line: {line}");
        serde_json::from_str(line).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_given_its_input_and_heard_to_its_end() {
        let large = vec![b'x'; 1 << 20];
        program("cat").run_with_stdin(&large).ended(0, &large);
        let ended = program("sh").arg("-c").arg("echo out; echo error: no >&2; exit 2").run();
        assert_eq!((ended.text(), ended.error()), ("out\n", "no"));
    }

    #[test]
    fn a_program_that_runs_is_told_from_one_that_was_stopped() {
        // Without input, a shell that reads would end by itself.
        let mut running = program("sleep").arg("60").start();
        assert!(running.is_running());
        running.signal("-KILL");
        running.child.wait().unwrap();
        assert!(!running.is_running());
    }
}
