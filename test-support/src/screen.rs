//! A pseudo-terminal with a program in it, and what it shows.
#![expect(clippy::unwrap_used, reason = "a test fails where a terminal cannot be used")]

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{Read, Write},
    num::NonZeroU16,
    process::Command,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtyPair, PtySize, native_pty_system};
use vt100::Parser;

use crate::process::{self, PATIENCE};

/// The size of most terminals: rows and columns.
pub const USUAL: (u16, u16) = (24, 80);

/// Written to the terminal after the program's end, as a title: what comes before it is all that
/// the program wrote.
const END: &[u8] = b"\x1b]2;the end\x07";

/// A terminal that is closed when it is dropped.
pub struct Terminal(PtyPair);

impl fmt::Debug for Terminal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Terminal")
    }
}

impl Terminal {
    /// Opens a terminal of this many rows and columns.
    #[must_use]
    pub fn open((rows, cols): (u16, u16)) -> Self {
        let size = PtySize { rows, cols, ..PtySize::default() };
        Self(native_pty_system().openpty(size).unwrap())
    }

    /// A program's side of the terminal.
    #[must_use]
    pub fn file(&self) -> File {
        let name = self.0.master.tty_name().unwrap();
        OpenOptions::new().read(true).write(true).open(name).unwrap()
    }

    /// Starts a program that has this terminal as its own, with the command's arguments,
    /// directory and environment.
    #[must_use]
    pub fn spawn(&self, command: &Command) -> Box<dyn Child + Send + Sync> {
        let mut inside = CommandBuilder::new(command.get_program());
        inside.args(command.get_args());
        if let Some(directory) = command.get_current_dir() {
            inside.cwd(directory);
        }
        inside.env("TERM", "xterm-256color");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            }
        }
        self.0.slave.spawn_command(inside).unwrap()
    }

    /// Waits until the terminal has shown a text.
    pub fn wait_for(&self, text: &str) {
        let size = self.0.master.get_size().unwrap();
        let (mut shown, mut bytes) = (parser(size.rows, size.cols), [0; 4096]);
        let mut output = self.0.master.try_clone_reader().unwrap();
        while !shown.screen().contents().contains(text) {
            let len = output.read(&mut bytes).unwrap();
            shown.process(&bytes[..len]);
        }
    }
}

/// A terminal with a program in it, and what it shows. Dropping it kills the program.
pub struct Screen {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    parser: Arc<Mutex<Parser>>,
    reader: Option<JoinHandle<Vec<u8>>>,
    /// The program's side of the terminal. Held open, so that the program's end does not hang
    /// the terminal up: the last bytes were once missing then.
    terminal: File,
    /// The mode of the terminal before anything ran in it.
    mode: String,
}

impl fmt::Debug for Screen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.shown())
    }
}

impl Screen {
    /// Runs a program in a terminal of this many rows and columns.
    #[must_use]
    pub fn run(size: (u16, u16), command: &Command) -> Self {
        let pty = Terminal::open(size);
        let (mode, terminal) = (mode(pty.0.master.as_ref()), pty.file());
        let child = pty.spawn(command);
        let parser = Arc::new(Mutex::new(parser(size.0, size.1)));
        let mut output = pty.0.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&parser);
        let reader = thread::spawn(move || {
            let (mut bytes, mut all) = ([0; 4096], Vec::new());
            while let Ok(len @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..len]);
                all.extend_from_slice(&bytes[..len]);
                if let Some(written) = all.strip_suffix(END) {
                    return written.to_vec();
                }
            }
            all
        });
        let master = pty.0.master;
        let keyboard = master.take_writer().unwrap();
        Self { master, keyboard, child, parser, reader: Some(reader), terminal, mode }
    }

    /// The text on the screen.
    #[must_use]
    pub fn shown(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// Whether anything on the screen has a colour.
    #[must_use]
    pub fn is_coloured(&self) -> bool {
        let parser = self.parser.lock().unwrap();
        let (rows, cols) = parser.screen().size();
        (0..rows.get())
            .flat_map(|row| (0..cols.get()).map(move |col| (row, col)))
            .filter_map(|(row, col)| parser.screen().cell(row, col))
            .any(|cell| cell.fgcolor() != vt100::Color::Default)
    }

    /// Whether the row that begins with this name is dim in all its figures, and has no colours.
    #[must_use]
    pub fn is_dimmed(&self, name: &str) -> bool {
        let parser = self.parser.lock().unwrap();
        let screen = parser.screen();
        let row = screen.contents().lines().position(|line| line.starts_with(name));
        let Some(row) = row.and_then(|row| u16::try_from(row).ok()) else { return false };
        let cells = (0..screen.size().1.get()).filter_map(|col| screen.cell(row, col));
        cells
            .filter(|cell| !cell.contents().trim().is_empty())
            .all(|cell| cell.dim() && cell.fgcolor() == vt100::Color::Default)
    }

    /// Waits until the screen is as it should be.
    ///
    /// # Panics
    ///
    /// If the screen is not so within [`PATIENCE`].
    #[track_caller]
    pub fn wait_for(&self, is_so: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_so(&self.shown()) {
            assert!(start.elapsed() < PATIENCE, "the screen is still\n{}", self.shown());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, cols: u16) {
        self.parser.lock().unwrap().screen_mut().set_size(number(rows), number(cols));
        self.master.resize(PtySize { rows, cols, ..PtySize::default() }).unwrap();
    }

    /// Whether the program draws on the whole screen and reads single keys.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        let is_alternate = self.parser.lock().unwrap().screen().alternate_screen();
        is_alternate && mode(self.master.as_ref()) != self.mode
    }

    /// Sends a signal, given as `kill` takes it.
    pub fn signal(&self, signal: &str) {
        process::signal(self.child.process_id().unwrap(), signal);
    }

    /// Waits for the program's end. Returns its exit code and what is on the screen then.
    #[track_caller]
    pub fn end(self) -> (u32, String) {
        let (code, shown, _) = self.end_with_all();
        (code, shown)
    }

    /// Waits for the program's end. Returns its exit code, what is on the screen then, and all
    /// that was ever written to it.
    ///
    /// # Panics
    ///
    /// If the program does not end within [`PATIENCE`] or leaves the terminal changed.
    #[track_caller]
    pub fn end_with_all(mut self) -> (u32, String, String) {
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
        (code, parser.screen().contents(), written.into_owned())
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

fn parser(rows: u16, cols: u16) -> Parser {
    Parser::new(number(rows), number(cols), 0)
}

fn number(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).unwrap()
}
