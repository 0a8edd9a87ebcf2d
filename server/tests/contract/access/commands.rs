//! What the program says about rules and tokens.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use crate::support::process::command;

use super::callers::Files;

fn run(vars: &[(&str, &str)], arguments: &[&str], input: &str) -> Output {
    let mut command = command(vars.iter().copied());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn check_access_says_which_rights_by_which_rule() {
    let files = Files::new();
    let path = files.path("rules.toml");
    let check = |arguments: &[&str]| {
        let all = [&["check-access"], arguments].concat();
        said(&run(&[("CACHE_ACCESS_RULES_PATH", &path)], &all, ""))
    };
    let (code, text, _) = check(&["--identity", "token:both", "--namespace", "shop"]);
    assert_eq!(code, Some(0));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "token:both in namespace shop: read, write".to_owned(),
            format!("  {path}:11: read in shop"),
            format!("  {path}:16: write in sh*"),
        ]
    );
    for (identity, namespace, right, code, verdict) in [
        ("token:both", "shop", "write", 0, "allowed"),
        ("token:both", "shop", "administer", 1, "refused"),
        ("token:both", "shoe", "read", 1, "refused"),
        ("token:shared", "_shared", "write", 0, "allowed"),
        ("token:shared", "", "write", 0, "allowed"),
        ("token:nobody", "shop", "read", 1, "refused"),
        ("jwt:both", "shop", "read", 1, "refused"),
        ("token:ops", "anything", "administer", 0, "allowed"),
    ] {
        let arguments = ["--identity", identity, "--namespace", namespace, "--right", right];
        let (got, text, _) = check(&arguments);
        assert_eq!(
            (got, text.lines().next()),
            (Some(code), Some(verdict)),
            "{arguments:?}: {text}"
        );
    }
    let (code, text, _) = check(&[]);
    assert_eq!((code, &*text), (Some(0), &*format!("{path}: valid, rules: 11\n")));
}

#[test]
fn check_access_refuses_what_it_cannot_use_with_one_line() {
    let files = Files::new();
    files.write("broken.toml", "[[rule]]\nidentity = \"web\"\nnamespaces = [\"a\"]\nrights = []\n");
    let (good, broken) = (files.path("rules.toml"), files.path("broken.toml"));
    let place = format!("{broken}:2: ");
    for (arguments, named) in [
        (&["--rules", &*broken][..], ["--rules: ", &*place]),
        (&["--rules", "/absent.toml"], ["--rules: /absent.toml: ", "No such file"]),
        (&["--rules", &good, "--identity", "web"], ["--identity: ", "token:NAME"]),
        (
            &["--rules", &good, "--identity", "token:a", "--namespace", "a b"],
            ["--namespace: ", "_shared"],
        ),
    ] {
        let all = [&["check-access"], arguments].concat();
        let (code, out, error) = said(&run(&[], &all, ""));
        assert_eq!((code, &*out, error.lines().count()), (Some(2), "", 1), "{all:?}: {error}");
        for text in named {
            assert!(error.contains(text), "{text} is not in {error}");
        }
    }
}

#[test]
fn tokens_are_made_and_hashed_and_never_repeated() {
    let (code, token, _) = said(&run(&[], &["token", "new"], ""));
    assert_eq!(code, Some(0));
    assert_eq!(token.trim_end().len(), 43);
    let (code, line, _) = said(&run(&[], &["token", "hash", "web"], &token));
    assert_eq!((code, line), (Some(0), super::callers::line("web", token.trim_end())));
    let (code, out, error) = said(&run(&[], &["token", "hash", "web"], "hunter2\n"));
    assert_eq!((code, &*out), (Some(2), ""));
    assert!(error.contains("can be guessed") && !error.contains("hunter2"), "{error}");
}
