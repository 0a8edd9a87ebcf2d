//! How the load tester works: its threads, the way of one request, the end of a run, and what
//! each room must never know. Documentation only; rustdoc checks the links.
//!
//! # Threads
//!
//! ```text
//!  main thread                        worker threads, one runtime each
//!  ┌──────────────────────────┐       ┌─────────────────────────────────────┐
//!  │ cli -> spec -> session   │ task  │ worker: connections, operations,    │
//!  │   crew ──────────────────┼──────>│   values and a tally of its own     │
//!  │   watchers (screen, CSV, │<──────┼── a second, when it has passed      │
//!  │   Prometheus), Ctrl-C    │<──────┼── the tally, when the course ends   │
//!  └──────▲───────────────────┘       └───────┬─────────────────────▲───────┘
//!         │ counters, read 5 times a second   │                     │ chunks
//!         └────── live ◄──────────────────────┘             ┌───────┴───────┐
//!                                                           │ trace-reader  │
//!  writers of --csv and --hdr: a thread each                │ (replay only) │
//!                                                           └───────────────┘
//! ```
//!
//! The system shows the workers as `loadtest` and the writers as `files`. On the way of a request
//! workers share no lock but those named here. What they share is the brake
//! ([`Control`](crate::engine)), one padded line of counters each ([`Seen`](crate::engine::Seen)
//! is their sum), the bits of keys that were written, the [`Ledger`](crate::verify::Ledger) if
//! values are verified, and in a replay the [`Feed`](crate::engine::Feed), whose lock is held for
//! the move of one access: the order of a trace cannot be kept otherwise. The ledger has a lock for
//! each of its parts, and a failed request takes one for the text of its error.
//!
//! # One request of an open loop
//!
//! 1. **Plan.** [`Arrivals`](crate::engine::Arrivals) gives the next instant of this thread,
//!    before anything is sent and whatever the server does. In a replay with `--speed` the
//!    instant is the [`Access`](crate::access::Access)'s own.
//! 2. **Source.** [`Workload`](crate::workload::Workload) draws an
//!    [`Operation`](crate::workload::Operation), or the feed hands out an access. Both happen
//!    before the instant, so that drawing delays nothing.
//! 3. **Pace.** [`Course::run`](crate::engine::Course) sleeps until the instant, on a kernel timer
//!    that is exact to some ten microseconds on Linux. It notes when it woke: the difference is the slip.
//! 4. **Lane.** With room on the wire the request goes out; otherwise it waits here, and its
//!    response time goes on counting from its instant. Beyond `--max-in-flight` the pace stops the run.
//! 5. **Peer.** [`peers`](crate::peers) turns the operation into one RPC or, where a protocol
//!    needs several, their commands: a file for each operation in `peers/operation/`, a way for each system. A call is made once. The
//!    exceptions are a call that a tiny-cache server hands back unprocessed, and several servers,
//!    which are driven by the client library: one client for all threads, with its retries and its
//!    failover, so that the ring is the one that applications use.
//! 6. **Tally.** The [`Answer`](crate::peers::Answer) or the
//!    [`CallError`](crate::peers::CallError) goes into the thread's
//!    [`Tally`](crate::engine::Tally) with its [`Times`](crate::engine::Times): response from
//!    the instant, service from the sending. After a cache-aside miss the same lane waits for the
//!    origin and writes; no user waits for that, so it is counted apart.
//! 7. **Second.** The thread's [`Second`](crate::engine::Second) goes to the crew when the next
//!    one begins. Once every thread has passed it, watchers and the report get the sum.
//! 8. **Report.** [`Figures`](crate::report::Figures) sums up the merged tallies, and a
//!    [`Verdict`](crate::outcome::Verdict) becomes the exit code.
//!
//! A closed loop differs in 1, 3 and 4: each slot sends when its last request was answered, and
//! there is no instant to count from.
//!
//! # The end of a run
//!
//! 1. The course ends: at its time, its number of requests or the end of the trace; or
//!    [`Stopped`](crate::engine::Stopped) says why it was stopped. Stopped, it drops
//!    requests that wait for the wire and counts them as unsent; else they are sent.
//! 2. Replies under way are waited for. A second Ctrl-C stops that: those requests count as
//!    abandoned. A third one ends the process, after it gave the terminal back.
//! 3. CPU time and memory of the server are read a second time ([`usage`](crate::usage)), before
//!    anything else is asked of it, then its Stats.
//! 4. If the namespace was made up for this run, the keys that may be there are removed, 500 in a
//!    call. What cannot be removed is named in a warning.
//! 5. The watchers give the terminal back and finish their files; a pipe that nobody reads is
//!    left by another Ctrl-C.
//! 6. `--json` and `--html` are written, then the table goes to stdout, then the warning and the
//!    error line to stderr. One output that fails does not keep the others from being written.
//!
//! # What each room must never know
//!
//! | room | owns | never knows |
//! |---|---|---|
//! | [`cli`](crate::cli) | options and their defaults | connections, files of results; only `main` imports it |
//! | [`spec`](crate::spec) | what is to be done, as plain data | options |
//! | [`workload`](crate::workload), [`trace`](crate::trace) | which operation is next | clocks, servers |
//! | [`engine`](crate::engine) | instants, threads, counters | options, reports, what a protocol sends |
//! | [`peers`](crate::peers) | addresses, connections, protocols | options, planned instants, the engine's counters |
//! | [`verify`](crate::verify) | what may be read | connections |
//! | [`usage`](crate::usage) | CPU and memory of the server | what is spoken on its port |
//! | [`report`](crate::report), [`compare`](crate::compare), [`html`](crate::html) | figures, tables, pages | options, connections, threads |
//! | [`error`](crate::error) | the rooms' errors and refused options, for the commands | anything that returns it |
//!
//! No import runs in a circle.
