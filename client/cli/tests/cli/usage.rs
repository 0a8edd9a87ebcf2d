//! The command line itself: help, wrong usage, completions and the manual page.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, process::Command};

use tiny_cache_test_support::process::Run;

use crate::cache::{Cache, command, run};

/// Every command there is.
const COMMANDS: [&str; 16] = [
    "get",
    "set",
    "set-if-absent",
    "compare-and-set",
    "delete",
    "mget",
    "mset",
    "mdelete",
    "stats",
    "what-if",
    "namespaces",
    "ping",
    "health",
    "watch-stats",
    "completions",
    "man",
];

#[test]
fn help_teaches_by_example_and_names_exit_codes_and_environment() {
    let help = run(["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for part in ["Examples:", "Exit codes:", "TINY_CACHE_TARGET", "value_base64", "localhost:50051"]
    {
        assert!(help.text().contains(part), "{part}");
    }
    for command in COMMANDS {
        assert!(help.text().contains(&format!("\n  {command} ")), "{command}");
        let own = run([command, "--help"]);
        assert!(own.code == 0 && own.text().contains("Usage: tiny-cache"), "{own:?}");
    }
    assert!(run(["--version"]).text().starts_with("tiny-cache "));
}

#[test]
fn wrong_usage_is_one_line_with_the_value_and_what_is_allowed() {
    for (args, expected) in [
        (&["get"][..], "arguments were not provided: <KEY>"),
        (&["gett", "k"], "'gett'; tip: some similar subcommands exist"),
        (&["set", "k", "two", "words"], "'words' found; tip: quote a key or value that has spaces"),
        (&[], "requires a subcommand"),
        (&["set", "k", "v", "--tt", "1s"], "'--tt' found; tip: a similar argument exists: '--ttl'"),
        (
            &["set", "k", "v", "--ttl", "30"],
            "'30' for '--ttl <DURATION>': expected a duration with",
        ),
        (&["set", "k", "v", "--ttl", "-1s"], "'-1s' for '--ttl <DURATION>'"),
        (&["set", "k", "v", "--ttl", "100years"], "exceeds 2147483647 seconds"),
        (&["get", "k", "--timeout", "0s"], "'0s' for '--timeout <DURATION>'"),
        (
            &["get", "k", "--retries", "-1"],
            "'-1' for '--retries <N>': expected a whole number from 0 to",
        ),
        (
            &["get", "k", "--output", "xml"],
            "'xml' for '--output <FORM>' [possible values: text, json]",
        ),
        (
            &["get", "k", "--output", "hex"],
            "; tip: the form of values is --format, of get and mget",
        ),
        (&["get", "k", "--output", "a.bin"], "; tip: get writes a value to a file with --file"),
        (&["get", "k", "--target", "cache:no"], "bad address `cache:no`: expected a port"),
        (&["get", "k", "--target", "redis://cache"], "bad address `redis://cache`: expected HOST"),
        (&["ping", "--target", ""], "bad address ``"),
        (&["get", "k", "--request-id", "a\tb\u{7f}"], "for '--request-id <ID>': expected visible"),
        (&["mset", "novalue"], "'novalue' for '[KEY=VALUE]...': expected KEY=VALUE"),
        (&["mset"], "KEY=VALUE"),
        (&["mget"], "KEY"),
        (
            &["watch-stats", "--count", "0"],
            "'0' for '--count <N>': expected a whole number, at least",
        ),
        (&["watch-stats", "--interval", "1"], "'1' for '--interval <DURATION>'"),
        (&["completions", "tcsh"], "'tcsh' for '<SHELL>'"),
        (&["get", ""], "Key cannot be empty"),
    ] {
        let run = command(args).run();
        assert!(run.refusal().contains(expected), "{args:?}: {}", run.stderr);
    }
    let long = "k".repeat(257);
    assert!(run(["get", &long]).error().starts_with("Key is too long (max 256): `kkkk"));
}

/// An alias with an option in it made the same option an error.
#[test]
fn of_an_option_that_is_given_twice_the_last_one_counts() {
    let cache = Cache::start();
    let args = ["--output", "json", "health", "--output", "json", "--output", "text"];
    cache.run(args).ended(0, "serving\n");
    let args = ["health", "--target", "no:where", "--target", cache.address()];
    cache.run(args).ended(0, "serving\n");
}

#[test]
fn an_option_outdoes_the_environment() {
    let cache = Cache::start();
    let mut ping = cache.command(["ping", "--target", cache.address()]);
    assert_eq!(ping.env("TINY_CACHE_TARGET", "not:an:address").run().code, 0);
    let ping = |target: &OsStr| command(["ping"]).env("TINY_CACHE_TARGET", target).run();
    let run = ping(OsStr::new("not:an:address"));
    assert!(run.error().starts_with("TINY_CACHE_TARGET: bad address `not:an:address`"));
    let run = ping(OsStr::from_bytes(b"cache\xff"));
    assert_eq!(run.error(), "TINY_CACHE_TARGET: `cache\u{fffd}` is not UTF-8");
    // Set to nothing is how many scripts unset it.
    let args = ["ping", "--timeout", "1ms"];
    let run = command(args).env("TINY_CACHE_TARGET", "").run();
    assert!(run.text().starts_with("grpc://localhost:50051 "), "{run:?}");
}

#[test]
fn the_namespace_may_come_from_the_environment() {
    let cache = Cache::start();
    let run = |namespace: &str, args: &[&str]| {
        cache.command(args).env("TINY_CACHE_NAMESPACE", namespace).run()
    };
    run("team", &["set", "k", "v"]).ended(0, "");
    cache.run(["get", "k"]).ended(1, "");
    cache.run(["get", "k", "--namespace", "team"]).ended(0, "v");
    run("other", &["get", "k", "--namespace", "team"]).ended(0, "v");
    run("team", &["mget", "k"]).ended(0, "k\tv\n");
    run("", &["get", "k"]).ended(1, "");
    assert!(run("a b", &["get", "k"]).error().starts_with("bad TINY_CACHE_NAMESPACE `a b`: "));
    let blank = run(" ", &["get", "k"]);
    assert_eq!(blank.error(), "TINY_CACHE_NAMESPACE is blank; unset it for the shared keyspace");
    let blank = run("team", &["get", "k", "--namespace", ""]);
    let remedy = "--namespace is blank; leave it out and unset TINY_CACHE_NAMESPACE for the shared";
    assert!(blank.error().starts_with(remedy), "{blank:?}");
    // What needs no server needs no settings of one.
    assert_eq!(run("a b", &["completions", "bash"]).code, 0);
}

#[test]
fn completions_are_made_for_each_shell() {
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef tiny-cache"),
        ("fish", "complete -c tiny-cache"),
    ] {
        let run = run(["completions", shell]);
        assert!(run.code == 0 && run.text().contains(mark), "{shell}");
        for word in ["compare-and-set", "namespace", "expected-file"] {
            assert!(run.text().contains(word), "{shell}: {word}");
        }
    }
}

/// What has a closed set of values offers it in zsh and fish as well.
#[test]
fn zsh_and_fish_complete_the_values_of_options() {
    let zsh = run(["completions", "zsh"]);
    for part in ["'--output=[", "'--format=[", "(bash elvish fish powershell zsh)"] {
        assert!(zsh.text().contains(part), "{part}");
    }
    let fish = run(["completions", "fish"]);
    for (option, values) in [("-l output ", "text\\t"), ("-l format ", "raw\\t")] {
        let line = fish.text().lines().find(|line| line.contains(option)).unwrap();
        assert!(line.contains(values), "{line}");
    }
    // clap_complete leaves out an argument that is no option.
    assert!(fish.text().contains("completions\" -f -a \"bash elvish fish"), "{}", fish.text());
}

/// Nothing was completed after a command: the script spelt the binary's name in two ways.
#[test]
fn bash_completes_commands_and_their_options() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("completions.bash");
    fs::write(&script, run(["completions", "bash"]).stdout).unwrap();
    for (words, completed) in [
        ("tiny-cache comp", "compare-and-set completions"),
        ("tiny-cache get --form", "--format"),
        ("tiny-cache get k --format he", "hex"),
        (
            "tiny-cache compare-and-set k --exp",
            "--expected --expected-file --expected-base64 --expected-hex",
        ),
        ("tiny-cache watch-stats --int", "--interval"),
        ("tiny-cache --output js", "json"),
        ("tiny-cache get k --output ", "text json"),
        ("tiny-cache get k --format ", "raw utf8 hex base64"),
        ("tiny-cache mget k --format ", "escaped hex base64"),
        ("tiny-cache completions po", "powershell"),
        // Bash divides a word at `=`, and nothing was completed behind one.
        ("tiny-cache --output = ", "text json"),
        ("tiny-cache --output = js", "json"),
        ("tiny-cache get k --format = ", "raw utf8 hex base64"),
        ("tiny-cache mget k --format = he", "hex"),
        ("tiny-cache get k --out", "--output"),
        ("tiny-cache wor", ""),
    ] {
        // As bash itself does: the command, the word that is completed, the one before.
        let ask = r#"source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            function=$(complete -p tiny-cache | sed 's/.*-F \([^ ]*\).*/\1/')
            $function tiny-cache "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[@]}""#;
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", ask]).arg(&script).args(words.split(' '));
        let output = bash.output().expect("bash is installed");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), completed, "{output:?}");
    }
}

#[test]
fn there_is_a_manual_page_and_one_for_each_command() {
    let page = run(["man"]);
    assert!(page.code == 0 && page.text().contains(".TH TINY-CACHE 1 \"\" "), "{}", page.text());
    for part in
        ["\n.SH \"EXIT STATUS\"\n.nf\n0  done\n", "\n.SH EXAMPLES\n.nf\n", "compare\\-and\\-set"]
    {
        assert!(page.text().contains(part), "{part}");
    }
    assert!(!page.text().contains("EXTRA") && !page.text().contains("\\-help(1)"));

    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("share/man/man1");
    run(["man", "--dir", dir.to_str().unwrap()]).ended(0, "");
    for command in COMMANDS {
        let page = fs::read_to_string(dir.join(format!("tiny-cache-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains("EXIT STATUS"), "{command}");
    }
    let file = dir.join("tiny-cache.1");
    let run = run(["man", "--dir", file.to_str().unwrap()]);
    assert!(run.error().starts_with("cannot write"), "{run:?}");
}
