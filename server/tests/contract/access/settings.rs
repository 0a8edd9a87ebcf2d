//! What the start refuses, and what it warns about.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::{
    certificates::Certificates,
    process::{Process, output},
};

use super::callers::{Files, line};

fn refused(vars: &[(&str, &str)], named: &[&str]) {
    let output = output(vars.iter().copied());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{vars:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for text in named {
        assert!(said.contains(text), "{text} is not in {said}");
    }
}

#[test]
fn settings_that_would_guard_nothing_or_everything_are_refused() {
    let files = Files::new();
    let vars = files.vars();
    let get = |name: &str| vars.iter().find(|(known, _)| *known == name).unwrap().1.as_str();
    let rules = ("CACHE_ACCESS_RULES_PATH", get("CACHE_ACCESS_RULES_PATH"));
    let tokens = ("CACHE_ACCESS_TOKENS_PATH", get("CACHE_ACCESS_TOKENS_PATH"));
    let keys = ("CACHE_ACCESS_JWT_KEYS_PATH", get("CACHE_ACCESS_JWT_KEYS_PATH"));
    let issuer = ("CACHE_ACCESS_JWT_ISSUER", "i");
    let certificate = ("CACHE_ACCESS_CERTIFICATE_IDENTITY", "uri");
    refused(&[rules], &["CACHE_ACCESS_RULES_PATH", "CACHE_ACCESS_TOKENS_PATH"]);
    refused(&[tokens], &["CACHE_ACCESS_TOKENS_PATH", "needs CACHE_ACCESS_RULES_PATH"]);
    refused(&[certificate], &["CACHE_ACCESS_CERTIFICATE_IDENTITY", "CACHE_ACCESS_RULES_PATH"]);
    refused(&[rules, certificate], &["CACHE_TLS_REQUIRE_CLIENT_AUTH=true"]);
    refused(&[rules, keys], &["CACHE_ACCESS_JWT_ISSUER", "required"]);
    refused(&[rules, keys, issuer], &["CACHE_ACCESS_JWT_AUDIENCE", "required"]);
    refused(&[rules, tokens, issuer], &["CACHE_ACCESS_JWT_ISSUER", "CACHE_ACCESS_JWT_KEYS_PATH"]);
    let claim = ("CACHE_ACCESS_JWT_IDENTITY_CLAIM", "email");
    refused(&[rules, tokens, claim], &["CACHE_ACCESS_JWT_IDENTITY_CLAIM"]);

    let made = Certificates::of_this_process();
    let (chain, key, ca) = (made.server_certificate(), made.server_key(), made.client_authority());
    let mutual = [
        rules,
        ("CACHE_TLS_ENABLED", "true"),
        ("CACHE_TLS_CERT_PATH", &*chain),
        ("CACHE_TLS_KEY_PATH", &key),
        ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true"),
        ("CACHE_TLS_CLIENT_CA_PATH", &ca),
        ("CACHE_ACCESS_CERTIFICATE_IDENTITY", "email"),
    ];
    refused(&mutual, &["CACHE_ACCESS_CERTIFICATE_IDENTITY", "\"email\"", "uri, dns, cn"]);
}

#[test]
fn files_that_cannot_be_used_are_refused_with_their_line() {
    let files = Files::new();
    let good = files.vars();
    let with = |changed: &str, path: &str, named: &[&str]| {
        let mut vars: Vec<_> = good.iter().map(|(name, value)| (*name, value.as_str())).collect();
        vars.retain(|(name, _)| *name != changed);
        vars.push((changed, path));
        refused(&vars, &[&[changed, path], named].concat());
    };
    for name in
        ["CACHE_ACCESS_RULES_PATH", "CACHE_ACCESS_TOKENS_PATH", "CACHE_ACCESS_JWT_KEYS_PATH"]
    {
        with(name, "/absent", &["No such file"]);
        with(name, "/", &["directory"]);
    }
    files.write("bad", &format!("{}web abc\n", line("a", "b")));
    with("CACHE_ACCESS_TOKENS_PATH", &files.path("bad"), &["bad:2: ", "64 hexadecimal digits"]);
    files.write("bad", "# nobody\n");
    with("CACHE_ACCESS_TOKENS_PATH", &files.path("bad"), &["names no token"]);
    files.write(
        "bad",
        "[[rule]]\nidentity = \"token:a\"\nnamespaces = [\"a*b\"]\nrights = [\"read\"]",
    );
    with("CACHE_ACCESS_RULES_PATH", &files.path("bad"), &["bad:3: ", "only at the end"]);
    for (text, why) in [
        ("{\n\"keys\":", "bad:2: "),
        ("{\"keys\": []}", "0 keys"),
        (r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#, "symmetric"),
        (r#"{"keys": [{"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}]}"#, "P521"),
        (r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}"#, "wrong length"),
    ] {
        files.write("bad", text);
        with("CACHE_ACCESS_JWT_KEYS_PATH", &files.path("bad"), &[why]);
    }
    fs::write(files.path("bad"), b"[[rule]]\n\xff").unwrap();
    with("CACHE_ACCESS_RULES_PATH", &files.path("bad"), &["bad:2: ", "UTF-8"]);
    refused(&[("CACHE_HEALTH_TOKENS_PATH", "/absent")], &["CACHE_HEALTH_TOKENS_PATH", "/absent"]);

    // Root may read everything.
    let secret = files.path("rules.toml");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&secret).is_err() {
        with("CACHE_ACCESS_RULES_PATH", &secret, &["let the user"]);
    }
}

#[test]
fn rules_and_tokens_that_miss_one_another_are_warned_about() {
    let files = Files::new();
    files.write("tokens", &(line("reader", "a-token") + &line("nobody", "another-token")));
    let vars = files.vars();
    let vars: Vec<_> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut server = Process::start(&vars);
    let warned = format!("{:?}", server.logged());
    for text in [
        "tokens:2: no rule names token:nobody",
        "nobody is token:writer: CACHE_ACCESS_TOKENS_PATH has no token of this name",
        "nobody is certificate:Web: CACHE_ACCESS_CERTIFICATE_IDENTITY is not set",
        "without CACHE_TLS_ENABLED: tokens cross the network in clear text",
    ] {
        assert!(warned.contains(text), "{text} is not in {warned}");
    }
}
