//! Bearer tokens, and what a caller without the right one is told.

use std::fs;

use crate::cache::{Cache, command};
use tiny_cache_test_support::process::Run;

const TOKEN: &str = "the-first-token-of-web";
const LINE: &str = "web 26c89352d9091b45cfe8df21a5bde6b797bcdd7493ec5f6ffb0c0352186cd07b";

#[test]
fn a_token_comes_from_a_file_or_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (rules, tokens, token) = (file("rules.toml"), file("tokens"), file("token"));
    let rule =
        "[[rule]]\nidentity = \"token:web\"\nnamespaces = [\"shop\"]\nrights = [\"write\"]\n";
    fs::write(&rules, rule).unwrap();
    fs::write(&tokens, LINE).unwrap();
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let cache = Cache::start_with(&[
        ("CACHE_ACCESS_RULES_PATH", &rules),
        ("CACHE_ACCESS_TOKENS_PATH", &tokens),
    ]);
    let target = format!("127.0.0.1:{}", cache.port());
    let set = |args: &[&str], vars: &[(&str, &str)]| {
        let mut command = command(["set", "k", "v", "--namespace", "shop", "--target", &target]);
        command.args(args).envs(vars.iter().copied()).run()
    };
    for ended in [
        set(&["--token-file", &token], &[]),
        set(&[], &[("TINY_CACHE_TOKEN_FILE", &token)]),
        set(&[], &[("TINY_CACHE_TOKEN", TOKEN)]),
        set(&["--token-file", &token], &[("TINY_CACHE_TOKEN", "another")]),
    ] {
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    for (ended, words) in [
        (set(&[], &[]), "no credential"),
        (set(&[], &[]), "--token-file, TINY_CACHE_TOKEN"),
        (set(&[], &[("TINY_CACHE_TOKEN", "another")]), "not known"),
        (set(&["--token-file", "/absent"], &[]), "token file /absent"),
        (
            set(&[], &[("TINY_CACHE_TOKEN", TOKEN), ("TINY_CACHE_TOKEN_FILE", &token)]),
            "are both set",
        ),
    ] {
        assert_ne!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        assert!(!ended.stderr.contains(TOKEN), "{ended:?}");
    }
    let mut get = command(["get", "k", "--namespace", "shop", "--target", &target]);
    let ended = get.env("TINY_CACHE_TOKEN", TOKEN).run();
    let told = "token:web has no right to read in the namespace shop";
    assert!(ended.stderr.contains(told), "{ended:?}");
    assert!(ended.stderr.contains("check-access"), "{ended:?}");
}

#[test]
fn the_page_of_namespaces_is_asked_for_with_a_token_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (tokens, token) = (file("tokens"), file("token"));
    fs::write(&tokens, LINE).unwrap();
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let cache = Cache::start_with(&[("CACHE_HEALTH_TOKENS_PATH", &tokens)]);
    let http = cache.http_address();
    let ask = |args: &[&str]| {
        let mut command = cache.command(["namespaces", "--http", &http]);
        command.args(args).env("TINY_CACHE_TOKEN", TOKEN).run()
    };
    let refused = ask(&[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("401 Unauthorized (--http-token-file): "), "{refused:?}");
    let shown = ask(&["--http-token-file", &token]);
    assert_eq!(shown.code, 0, "{shown:?}");
}
