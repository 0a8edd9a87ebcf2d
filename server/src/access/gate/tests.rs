use std::{
    fs,
    time::{Duration, Instant},
};

use super::*;
use crate::access::{audit::Audit, files::AccessFiles, problem::digest_of, right::Right};
use crate::reload::Change;

const RULES: &str = r#"
[[rule]]
identity = "token:web"
namespaces = ["shop", "shop-*"]
rights = ["read"]

[[rule]]
identity = "token:ops"
namespaces = ["*"]
rights = ["read", "write", "administer"]
"#;

/// Access control by two tokens, `web-token` and `ops-token`.
struct Site {
    access: Arc<Access>,
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let files = AccessFiles {
            rules: path("rules.toml"),
            tokens: Some(path("tokens")),
            certificate: None,
            jwt: None,
        };
        let hash = |token: &str| hex::encode(digest_of(token.as_bytes()));
        let tokens = format!("web {}\nops {}\n", hash("web-token"), hash("ops-token"));
        fs::write(&files.rules, RULES).unwrap();
        fs::write(files.tokens.as_ref().unwrap(), tokens).unwrap();
        let (access, warnings) = Access::load(files, Audit::default()).unwrap();
        assert_eq!(warnings, [""; 0]);
        Self { access, directory }
    }
}

fn asked<'a>(token: Option<&'a str>, namespace: &'a str, right: Right) -> Asked<'a> {
    Asked {
        need: Need::Namespace(right),
        authorization: token.map(str::as_bytes),
        namespace: Some(namespace.as_bytes()),
        at: Instant::now(),
    }
}

fn says(gate: &Gate, asked: &Asked<'_>) -> String {
    gate.check(asked).map_or_else(|why| why.to_string(), |_| "let in".to_owned())
}

#[test]
fn an_empty_gate_lets_everything_in() {
    assert_eq!(says(&Gate::default(), &asked(None, "not a namespace", Right::Write)), "let in");
}

#[test]
fn what_is_remembered_of_one_call_is_not_taken_for_another() {
    let site = Site::new();
    let gate = Gate::new(site.access.clone(), None);
    let (web, ops) = (Some("Bearer web-token"), Some("Bearer ops-token"));
    let unknown = "The token is not known to this server";
    let none = "The call has no credential: send the metadata authorization: Bearer TOKEN";
    let calls = [
        (web, "shop", Right::Read, "let in"),
        (web, " shop ", Right::Read, "let in"),
        (web, "shop", Right::Write, "token:web has no right to write in the namespace shop"),
        (web, "shop-eu", Right::Read, "let in"),
        (web, "other", Right::Read, "token:web has no right to read in the namespace other"),
        (web, "", Right::Read, "token:web has no right to read in the shared keyspace"),
        (web, " \t", Right::Read, "token:web has no right to read in the shared keyspace"),
        (ops, "", Right::Write, "let in"),
        (ops, "other", Right::Write, "let in"),
        (None, "shop", Right::Read, none),
        (Some("Bearer web-tokem"), "shop", Right::Read, unknown),
        (Some("Bearer web-toke"), "shop", Right::Read, unknown),
        (Some("Bearer web-tokenn"), "shop", Right::Read, unknown),
        (Some("web-token"), "shop", Right::Read, "The metadata authorization is not Bearer TOKEN"),
        (Some(""), "shop", Right::Read, "The metadata authorization is not Bearer TOKEN"),
    ];
    // Each call after each other one.
    for (before, _, _, _) in [calls[0], calls[7], calls[9], calls[10]] {
        for (token, namespace, right, expected) in calls {
            let _ = gate.check(&asked(before, "shop", Right::Read));
            assert_eq!(says(&gate, &asked(token, namespace, right)), expected);
            assert_eq!(says(&gate, &asked(token, namespace, right)), expected, "again");
        }
    }
}

#[test]
fn what_is_no_namespace_is_in_nobodys_rights() {
    let site = Site::new();
    let gate = Gate::new(site.access.clone(), None);
    let ops = Some("Bearer ops-token");
    let long = "n".repeat(65);
    for namespace in ["-a", "a b", "ä", "a:b", &long, &" ".repeat(1000)] {
        let call = asked(ops, namespace, Right::Read);
        if namespace.trim().is_empty() {
            assert_eq!(says(&gate, &call), "let in", "it is blank");
        } else {
            assert!(matches!(gate.check(&call), Err(Refusal::Namespace(_))), "{namespace}");
        }
        let unknown = gate.check(&asked(None, namespace, Right::Read));
        assert!(matches!(unknown, Err(Refusal::Denied(_))), "{namespace}");
    }
}

#[test]
fn a_reload_is_seen_by_the_next_call_and_a_broken_file_changes_nothing() {
    let site = Site::new();
    let gate = Gate::new(site.access.clone(), None);
    let read = asked(Some("Bearer web-token"), "shop", Right::Read);
    assert_eq!(says(&gate, &read), "let in");
    let rules = site.directory.path().join("rules.toml");
    fs::write(&rules, RULES.replace("\"shop\", ", "")).unwrap();
    assert_eq!(says(&gate, &read), "let in", "nobody has read the file again");
    assert_eq!(site.access.reload(), Ok(Change::Changed));
    assert_eq!(site.access.reload(), Ok(Change::Same));
    let refused = "token:web has no right to read in the namespace shop";
    assert_eq!(says(&gate, &read), refused);
    fs::write(&rules, "[[rule]").unwrap();
    let error = site.access.reload().unwrap_err();
    assert!(error.starts_with("CACHE_ACCESS_RULES_PATH: ") && error.contains(":1: "), "{error}");
    assert_eq!(says(&gate, &read), refused);
    fs::write(&rules, RULES).unwrap();
    site.access.reload().unwrap();
    assert_eq!(says(&gate, &read), "let in");
}

#[test]
fn a_verdict_is_remembered_until_its_time() {
    let site = Site::new();
    let gate = Gate::new(site.access.clone(), None);
    let call = asked(Some("Bearer web-token"), "shop", Right::Read);
    gate.check(&call).unwrap();
    let guarded = gate.0.as_ref().unwrap();
    let until = call.at + Duration::from_secs(1);
    guarded.memo.borrow_mut().until = Some(until);
    guarded.memo.borrow_mut().rights = Rights::NONE;
    assert!(gate.check(&Asked { at: until - Duration::from_millis(1), ..call }).is_err());
    assert!(gate.check(&Asked { at: until, ..call }).is_ok(), "it was judged anew");
}

#[test]
fn only_equal_credentials_are_the_same() {
    for (a, b, equal) in [
        ("", "", true),
        ("a", "a", true),
        ("a", "b", false),
        ("ab", "a", false),
        ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyz", true),
        ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyZ", false),
    ] {
        assert_eq!(same(a.as_bytes(), b.as_bytes()), equal, "{a} {b}");
    }
}
