//! The terminal on stderr: whether it can be drawn on, and giving it back as it was, however
//! the run ends.
//!
//! The keyboard is left to the terminal, so that Ctrl-C stays the signal that it is without a
//! view, even where this process is too busy for keys. Only what would spoil the screen is off:
//! the echo, and Ctrl-Z.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Stderr},
    mem::ManuallyDrop,
    panic,
    sync::Once,
};

use crossterm::{
    cursor::{Hide, Show},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen},
};
use parking_lot::Mutex;
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

use self::mode::Mode;

/// How the terminal was before it was taken; none while it is not.
static TAKEN: Mutex<Option<Mode>> = Mutex::new(None);

/// Whether the terminal can be drawn on, or why not.
pub(super) fn drawable() -> Result<(), &'static str> {
    if !io::stderr().is_terminal() {
        return Err("stderr is no terminal");
    }
    if env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
        return Err("TERM names no terminal that can move its cursor");
    }
    if !mode::is_foreground() {
        return Err("this process is not in the foreground of its terminal");
    }
    Ok(())
}

/// Gives the terminal back, if it was taken. Whoever ends the process calls this before.
pub(crate) fn give_back() {
    if let Some(mode) = TAKEN.lock().take() {
        // A terminal that is gone needs nothing back.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
        mode.restore();
    }
}

/// The terminal, taken until the value is dropped.
///
/// `Terminal` is not dropped: its drop shows the cursor, which [`give_back`] has done, and
/// reports a failure by `eprintln!`, which panics where the terminal is gone.
pub(super) struct Screen(ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stderr>>>>);

impl Screen {
    /// Takes the terminal.
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        *TAKEN.lock() = Some(Mode::quiet()?);
        let enter = || {
            let mut stderr = BufWriter::new(io::stderr());
            execute!(stderr, EnterAlternateScreen, Hide)?;
            Terminal::new(CrosstermBackend::new(stderr))
        };
        enter().map(ManuallyDrop::new).map(Self).inspect_err(|_| give_back())
    }

    /// Draws, in the size that the terminal has now.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) {
        // A thread that panicked has given the terminal back.
        if TAKEN.lock().is_some() {
            let drawn = self.0.draw(render);
            // Without a terminal to ask, each drawing would start `tput` for its size.
            if drawn.is_err() && mode::is_gone() {
                give_back();
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

mod mode {
    //! What the terminal does with keys.

    use std::io;

    use rustix::{
        process::getpgrp,
        stdio::stderr,
        termios::{
            LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
        },
    };

    /// The mode as it was.
    pub(super) struct Mode(Termios);

    /// Whether the terminal lets this process change its mode: it stops one that runs in the
    /// background.
    pub(super) fn is_foreground() -> bool {
        // A terminal that is not the process's own has no jobs.
        tcgetpgrp(stderr()).map_or(true, |group| group == getpgrp())
    }

    /// Whether the terminal was closed. Other failures to draw pass.
    pub(super) fn is_gone() -> bool {
        tcgetattr(stderr()).is_err()
    }

    impl Mode {
        /// Turns echo and Ctrl-Z off.
        pub(super) fn quiet() -> io::Result<Self> {
            /// The key that no key is.
            const DISABLED: u8 = 0;
            let before = tcgetattr(stderr())?;
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
            quiet.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
            tcsetattr(stderr(), OptionalActions::Now, &quiet)?;
            Ok(Self(before))
        }

        pub(super) fn restore(&self) {
            // A terminal that is gone needs nothing back.
            let _ = tcsetattr(stderr(), OptionalActions::Now, &self.0);
        }
    }
}
