//! The screen and the keys. Restores the terminal however the view ends.

use std::{io, mem::ManuallyDrop, panic, time::Duration};

use crossterm::{
    cursor::Show,
    event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use futures::StreamExt;
use ratatui::{DefaultTerminal, Terminal, backend::CrosstermBackend};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use super::{history::History, source::Source, view::View};
use crate::{
    error::{Error, Target, refused},
    output,
};

/// Longest time between two drawings: the screen counts the seconds of a silence.
const REDRAW: Duration = Duration::from_secs(1);

/// Restores the terminal when it is dropped, by a return or a panic.
///
/// Does not drop `DefaultTerminal` nor call ratatui's `init` and `restore`: these report a failure
/// by `eprintln!`, which panics if the terminal is gone.
struct Screen(ManuallyDrop<DefaultTerminal>);

impl Screen {
    fn enter() -> io::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        let enter = || {
            enable_raw_mode()?;
            execute!(io::stdout(), EnterAlternateScreen)?;
            Terminal::new(CrosstermBackend::new(io::stdout()))
        };
        enter().map(ManuallyDrop::new).map(Self).inspect_err(|_| give_back())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Restores the terminal. Ignores errors: it may be gone.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
}

/// Shows the view until a key, a signal or the last sample ends it.
pub(super) async fn run(interval: Duration, target: Target, source: Source) -> Result<(), Error> {
    let mut history = History::new(target);
    show(&View::new(interval), &mut history, source)
        .await
        .map_err(|cause| refused!("cannot use the terminal: {cause}"))?;
    // Keeps the last figures after the screen is gone.
    history.last_line().into_iter().chain(history.outage()).try_for_each(output::line)
}

async fn show(view: &View, history: &mut History, mut source: Source) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut screen = Screen::enter()?;
    let mut events = EventStream::new();
    let mut redraw = interval(REDRAW);
    loop {
        screen.0.draw(|frame| view.draw(frame, history))?;
        tokio::select! {
            news = source.next() => match news {
                Some(news) => history.record(news),
                None => return Ok(()),
            },
            _ = redraw.tick() => {}
            event = events.next() => match event {
                Some(Ok(event)) if ends(&event) => return Ok(()),
                // Redraws: the event may be a new size.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
        }
    }
}

/// Whether a key ends the view. In raw mode Ctrl-C is a key.
fn ends(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => true,
            KeyCode::Char('c') => control,
            _ => false,
        }
}
