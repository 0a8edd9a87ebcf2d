//! A terminal to run the binary in, and what it shows.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    num::NonZeroU16,
    process::Command,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

use crate::cache::{PATIENCE, VARIABLES};

/// Written to the terminal after the binary's end, as a title: what comes before it is all that
/// the binary wrote.
const END: &[u8] = b"\x1b]2;the end\x07";

/// Runs the binary in a terminal that is closed when it has shown a text: the exit code. A panic
/// or a signal has another one than the binary's own.
pub(crate) fn code_without_terminal(args: &[&str], text: &str) -> u32 {
    let size = PtySize { rows: 24, cols: 80, ..PtySize::default() };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tiny-cache"));
    command.args(args);
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).unwrap();
    let (mut shown, mut bytes) = (Parser::new(number(24), number(80), 0), [0; 4096]);
    let mut output = pair.master.try_clone_reader().unwrap();
    while !shown.screen().contents().contains(text) {
        let len = output.read(&mut bytes).unwrap();
        shown.process(&bytes[..len]);
    }
    drop((output, pair));
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), None);
    status.exit_code()
}

/// A pseudo-terminal with the binary in it.
pub(crate) struct Screen {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    parser: Arc<Mutex<Parser>>,
    reader: Option<JoinHandle<Vec<u8>>>,
    /// The binary's side of the terminal. Held open, so that its end does not hang the terminal
    /// up: the last bytes were once missing then.
    terminal: File,
    /// The mode of the terminal before anything ran in it.
    mode: String,
}

impl Screen {
    pub(crate) fn run(size: (u16, u16), args: &[&str], environment: &[(&str, &str)]) -> Self {
        let (rows, cols) = size;
        let size = PtySize { rows, cols, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mode = mode(pair.master.as_ref());
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_tiny-cache"));
        command.args(args);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        let name = pair.master.tty_name().unwrap();
        let terminal = OpenOptions::new().write(true).open(name).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();

        let parser = Arc::new(Mutex::new(Parser::new(number(rows), number(cols), 0)));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&parser);
        let reader = thread::spawn(move || {
            let (mut bytes, mut all) = ([0; 4096], Vec::new());
            while let Ok(len @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..len]);
                all.extend_from_slice(&bytes[..len]);
                if all.ends_with(END) {
                    break;
                }
            }
            all
        });
        let keyboard = pair.master.take_writer().unwrap();
        Self { master: pair.master, keyboard, child, parser, reader: Some(reader), terminal, mode }
    }

    pub(crate) fn shown(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    pub(crate) fn is_coloured(&self) -> bool {
        let parser = self.parser.lock().unwrap();
        let (rows, cols) = parser.screen().size();
        (0..rows.get())
            .flat_map(|row| (0..cols.get()).map(move |col| (row, col)))
            .filter_map(|(row, col)| parser.screen().cell(row, col))
            .any(|cell| cell.fgcolor() != vt100::Color::Default)
    }

    /// Whether the row that begins so is dim in all its figures, and without colours.
    pub(crate) fn is_dimmed(&self, name: &str) -> bool {
        let parser = self.parser.lock().unwrap();
        let screen = parser.screen();
        let row = screen.contents().lines().position(|line| line.starts_with(name));
        let Some(row) = row.and_then(|row| u16::try_from(row).ok()) else { return false };
        let cells = (0..screen.size().1.get()).filter_map(|col| screen.cell(row, col));
        cells
            .filter(|cell| !cell.contents().trim().is_empty())
            .all(|cell| cell.dim() && cell.fgcolor() == vt100::Color::Default)
    }

    /// Waits until the screen is as it should be, doing something in the meantime.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: impl Fn(&str) -> bool, mut meanwhile: impl FnMut()) {
        let start = Instant::now();
        while !what(&self.shown()) {
            assert!(start.elapsed() < PATIENCE, "the screen is still\n{}", self.shown());
            meanwhile();
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        self.parser.lock().unwrap().screen_mut().set_size(number(rows), number(cols));
        self.master.resize(PtySize { rows, cols, ..PtySize::default() }).unwrap();
    }

    pub(crate) fn is_in_use(&self) -> bool {
        let is_alternate = self.parser.lock().unwrap().screen().alternate_screen();
        is_alternate && mode(self.master.as_ref()) != self.mode
    }

    /// Sends a signal, given as `kill` takes it.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for the binary's end: its exit code, and what is on the screen then.
    #[track_caller]
    pub(crate) fn end(mut self) -> (u32, String) {
        let start = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.exit_code();
            }
            assert!(start.elapsed() < PATIENCE, "it goes on:\n{}", self.shown());
            thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(mode(self.master.as_ref()), self.mode, "the terminal's mode was left changed");
        self.terminal.write_all(END).unwrap();
        let all = self.reader.take().unwrap().join().unwrap();
        let written = String::from_utf8_lossy(&all);
        let parser = self.parser.lock().unwrap();
        assert!(!parser.screen().alternate_screen(), "the screen was not given back: {written:?}");
        assert!(!parser.screen().hide_cursor(), "the cursor was left hidden: {written:?}");
        (code, parser.screen().contents())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where a test failed; it has ended otherwise.
        let _ = self.child.kill();
    }
}

fn mode(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

fn number(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).unwrap()
}
