//! `watch-stats`, drawn and in lines; and what other commands do on a terminal.

use std::time::SystemTime;

use serde_json::Value;
use tiny_cache_test_support::{
    process::Run,
    screen::{Screen, Terminal, USUAL},
};

use crate::{
    cache::{Cache, command, nowhere},
    link::Link,
};

/// What sparklines are made of.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Three hits and a miss.
fn read(cache: &Cache) {
    cache.with_client(async |client| {
        client.get_many(["k", "k", "none", "k"]).await.unwrap();
    });
}

fn view(target: &str, size: (u16, u16)) -> Screen {
    Screen::run(size, &command(["watch-stats", "--interval", "50ms", "--target", target]))
}

/// The lines of a figure's row: the one with its name, and the next.
fn row(shown: &str, name: &str) -> String {
    let lines: Vec<_> = shown.lines().skip_while(|line| !line.starts_with(name)).take(2).collect();
    lines.join("\n")
}

#[test]
fn the_view_shows_rates_ratio_and_sparklines_and_q_ends_it() {
    let cache = Cache::start_with(&[("CACHE_MAX_MEMORY_MB", "16")]);
    cache.run(["set", "k", "v"]).ended(0, "");
    let mut screen = view(cache.address(), USUAL);
    let is_drawn = |shown: &str| {
        ["hits", "misses", "hit ratio"].iter().all(|name| {
            let row = row(shown, name);
            row.contains(|c| BARS.contains(&c)) && row.contains("total")
        })
    };
    screen.wait_for(|shown| {
        read(&cache);
        is_drawn(shown)
    });
    screen.wait_for(|shown| shown.contains("live"));

    let shown = screen.shown();
    assert!(shown.contains(&format!("grpc://{}, every 50ms", cache.address())), "{shown}");
    assert!(row(&shown, "hits").contains("/s"), "{shown}");
    assert!(row(&shown, "hit ratio").contains("75.0 % total"), "{shown}");
    assert!(row(&shown, "entries").contains('1'), "{shown}");
    assert!(row(&shown, "memory").contains("of 16.0 MiB"), "{shown}");
    assert!(row(&shown, "evictions").contains("0 total"), "{shown}");
    assert!(shown.contains("q quits") && shown.contains("full height 16.0 MiB"), "{shown}");
    assert!(screen.is_coloured() && screen.is_in_use());

    screen.press("q");
    let (code, left) = screen.end();
    assert!(code == 0 && untimed(&left).starts_with("hits/s="), "{left}");
}

#[test]
fn escape_control_c_and_a_signal_end_the_view_and_restore_the_terminal() {
    let cache = Cache::start();
    for keys in ["\u{1b}", "\u{3}"] {
        let mut screen = view(cache.address(), USUAL);
        screen.wait_for(|shown| shown.contains("live"));
        screen.press("x");
        screen.press(keys);
        let (code, left) = screen.end();
        assert!(code == 0 && untimed(&left).starts_with("hits/s="), "{keys:?}: {left}");
    }
    let screen = view(cache.address(), USUAL);
    screen.wait_for(|shown| shown.contains("live"));
    screen.signal("-TERM");
    assert_eq!(screen.end().0, 0);
}

/// The view's last words were an error that the terminal could not take, and that was a panic.
#[test]
fn a_lost_terminal_ends_the_view_without_a_panic() {
    let cache = Cache::start();
    let terminal = Terminal::open(USUAL);
    let mut view = terminal.spawn(&cache.command(["watch-stats", "--interval", "50ms"]));
    terminal.wait_for("live");
    drop(terminal);
    let ended = view.wait().unwrap();
    assert!([0, 2].contains(&ended.exit_code()) && ended.signal().is_none(), "{ended:?}");
}

#[test]
fn an_outage_is_shown_and_the_view_goes_on_after_it() {
    let cache = Cache::start();
    let link = Link::to(cache.address());
    let mut screen = view(link.address(), USUAL);
    screen.wait_for(|shown| shown.contains("live"));
    link.cut();
    screen.wait_for(|shown| shown.contains("no answer for") && shown.contains("q quits  "));
    // Gaps in the sparklines, where there was no answer.
    screen.wait_for(|shown| row(shown, "entries").contains("·"));
    link.mend();
    screen.wait_for(|shown| shown.contains("live"));
    screen.press("q");
    assert_eq!(screen.end().0, 0);
}

/// The last figures and their sparklines kept their colours, and looked like those of now.
#[test]
fn the_last_figures_of_a_server_that_is_away_are_dimmed_and_the_reason_stays() {
    let cache = Cache::start();
    cache.run(["set", "k", "v"]).ended(0, "");
    let link = Link::to(cache.address());
    let mut screen = view(link.address(), (24, 100));
    screen.wait_for(|shown| row(shown, "entries").contains(|c| BARS.contains(&c)));
    let names = ["hits", "misses", "hit ratio", "entries", "memory", "evictions"];
    assert!(names.iter().all(|name| !screen.is_dimmed(name)), "{}", screen.shown());
    link.cut();
    let target = format!("grpc://{}", link.address());
    let foot = |shown: &str| {
        let foot = shown.lines().find_map(|line| line.strip_prefix("q quits  "));
        foot.is_some_and(|reason| reason.contains(&target))
    };
    screen.wait_for(|shown| foot(shown) && shown.contains("no answer"));
    screen.wait_for(|_| names.iter().all(|name| screen.is_dimmed(name)));
    link.mend();
    screen.wait_for(|shown| shown.contains("live"));
    link.cut();
    screen.wait_for(|shown| foot(shown) && shown.contains("no answer for"));
    screen.press("q");
    // What was last seen, and why there is no more.
    let (code, left) = screen.end();
    let left = left.replace('\n', " ");
    assert!(code == 0 && left.contains("hits/s=") && left.contains(" error: "), "{left}");
}

#[test]
fn request_ids_have_no_place_in_the_view_but_beside_lines() {
    let cache = Cache::start();
    let watch = cache.command(["watch-stats", "--show-request-id"]);
    let (code, shown) = Screen::run((5, 200), &watch).end();
    assert!(code == 2 && shown.contains("leave it out, or pipe the samples"), "{shown}");
    let args = ["watch-stats", "--show-request-id", "--interval", "10ms", "--count", "2"];
    let run = cache.run(args);
    let ids = run.stderr.lines().filter(|line| line.starts_with("x-request-id="));
    assert_eq!((run.code, ids.count(), run.text().lines().count()), (0, 2, 2), "{run:?}");
}

/// A server that took a call and then did nothing was called live.
#[test]
fn a_server_that_hangs_is_not_called_live() {
    let target = crate::server::mute();
    let mut screen = view(&target, (24, 100));
    let told = format!("no reply from grpc://{target} within 1s");
    screen.wait_for(|shown| shown.contains(&told) && shown.contains("no answer for"));
    assert!(!screen.shown().contains("live"));
    screen.press("q");
    let (code, left) = screen.end();
    assert!(code == 0 && untimed(&left).starts_with("error: no reply from grpc://"), "{left}");
}

#[test]
fn a_server_that_is_not_there_yet_does_not_end_the_view() {
    let nowhere = nowhere();
    let target = nowhere.address();
    let mut screen = view(target, (24, 100));
    let told = format!("cannot connect to grpc://{target}: Connection refused");
    screen.wait_for(|shown| shown.contains(&told));
    screen.press("q");
    assert_eq!(screen.end().0, 0);
}

/// The reason stands at the end of an error, and was beyond the edge of the window.
#[test]
fn an_error_that_is_longer_than_a_line_is_shown_in_full() {
    let nowhere = nowhere();
    let mut screen = view(nowhere.address(), (12, 30));
    screen.wait_for(|shown| shown.contains("q quits") && shown.contains("refused"));
    screen.press("q");
    let (code, left) = screen.end();
    assert!(code == 0 && left.replace('\n', "").contains("refused"), "{left}");
}

#[test]
fn a_terminal_that_cannot_draw_gets_lines() {
    let cache = Cache::start();
    let mut watch = cache.command(["watch-stats", "--interval", "10ms", "--count", "2"]);
    let (code, shown) = Screen::run((24, 200), watch.env("TERM", "dumb")).end();
    assert!(code == 0 && shown.lines().map(untimed).count() == 2, "{shown}");
}

#[test]
fn the_view_fits_any_window_and_follows_its_size() {
    let cache = Cache::start();
    let mut screen = view(cache.address(), (1, 1));
    screen.resize(8, 30);
    screen.wait_for(|shown| shown.contains("evictions") && shown.contains("live"));
    screen.resize(40, 120);
    screen.wait_for(|shown| shown.lines().count() == 40 && shown.contains("no limit"));
    screen.resize(2, 5);
    screen.wait_for(|shown| shown.starts_with("tiny-"));
    screen.press("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn the_view_has_no_colours_where_none_are_wanted() {
    let cache = Cache::start();
    let mut watch = cache.command(["watch-stats", "--interval", "50ms"]);
    let mut screen = Screen::run(USUAL, watch.env("NO_COLOR", "1"));
    screen.wait_for(|shown| shown.contains("live"));
    assert!(!screen.is_coloured());
    screen.press("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn the_view_ends_after_as_many_samples_as_were_asked_for() {
    let cache = Cache::start();
    let watch = cache.command(["watch-stats", "--interval", "10ms", "--count", "3"]);
    assert_eq!(Screen::run(USUAL, &watch).end().0, 0);
}

fn time(text: &str) -> SystemTime {
    humantime::parse_rfc3339(text).unwrap()
}

/// A line without its time, which has to be one.
fn untimed(line: &str) -> &str {
    let (at, rest) = line.strip_prefix("time=").unwrap().split_once(' ').unwrap();
    time(at);
    rest
}

#[test]
fn without_a_terminal_there_is_a_line_for_each_sample() {
    let cache = Cache::start();
    cache.run(["set", "k", "v"]).ended(0, "");
    let run = cache.run(["watch-stats", "--interval", "20ms", "--count", "3"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let lines: Vec<_> = run.text().lines().map(untimed).collect();
    assert_eq!(lines.len(), 3);
    let first = "hits/s=- misses/s=- hit_ratio=- entries=1 memory_bytes=";
    assert!(lines[0].starts_with(first) && lines[0].ends_with(" evictions/s=-"), "{lines:?}");
    let next = "hits/s=0.0 misses/s=0.0 hit_ratio=- entries=1 memory_bytes=";
    assert!(lines[1].starts_with(next) && lines[1].ends_with(" evictions/s=0.0"), "{lines:?}");

    let json = cache.run(["watch-stats", "--interval", "20ms", "--count", "2", "--output", "json"]);
    let lines: Vec<Value> =
        json.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["entries"], &lines[0]["hits_per_second"]), (&1.into(), &Value::Null));
    assert_eq!(lines[1]["hits_per_second"], 0.0);
    let times = lines.iter().map(|line| time(line["time"].as_str().unwrap()));
    assert!(times.is_sorted(), "{lines:?}");
}

#[test]
fn lines_tell_of_a_server_that_is_not_there() {
    let args = ["watch-stats", "--interval", "10ms", "--count", "2"];
    let nowhere = nowhere();
    let run = command(args).args(["--target", nowhere.address()]).run();
    assert!(run.error().starts_with("cannot connect to"));
    let errors = run.text().lines().map(untimed).filter(|line| line.starts_with("error: cannot"));
    assert_eq!(errors.count(), 2);
}

/// The error named the --timeout, which was not what had ended the wait.
#[test]
fn a_sample_that_is_late_names_the_option_that_gives_it_more() {
    let target = crate::server::mute();
    let watch = |option: &str, time: &str| {
        let mut command = command(["watch-stats", "--count", "1", "--target", &target]);
        command.args([option, time]).run().error().to_owned()
    };
    for (option, time) in [("--interval", "10ms"), ("--timeout", "1s")] {
        let line = watch(option, time);
        let remedy = format!(" within 1s; check the server, or allow more with {option}");
        assert!(line.ends_with(&remedy), "{line}");
    }
}

#[test]
fn on_a_terminal_a_value_ends_its_line_and_bytes_are_kept_away() {
    let cache = Cache::start();
    cache.run(["set", "text", "hello"]).ended(0, "");
    cache.run_with_stdin(["set", "bytes"], b"\x1b[31m\xff").ended(0, "");
    let get = |args: &[&str]| Screen::run((5, 200), cache.command(["get"]).args(args)).end();
    assert_eq!(get(&["text"]), (0, "hello".to_owned()));
    let (code, shown) = get(&["bytes"]);
    assert!(code == 2 && shown.contains("6 bytes that are not plain text"), "{shown}");
    assert_eq!(get(&["bytes", "--format", "hex"]), (0, "1b5b33316dff".to_owned()));
}

#[test]
fn set_does_not_wait_for_a_person_to_type_the_value() {
    let cache = Cache::start();
    let (code, shown) = Screen::run((5, 200), &cache.command(["set", "k"])).end();
    assert!(code == 2 && shown.starts_with("error: no value: give it after the key"), "{shown}");
}
