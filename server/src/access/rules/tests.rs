use proptest::prelude::*;
use tiny_cache_proto::key::Namespace;

use super::*;

const RULES: &str = r#"
[[rule]]
identity = "token:web"
namespaces = ["shop", "shop-*"]
rights = ["read", "write"]

[[rule]]
identity = "token:web"
namespaces = ["_shared", "team*"]
rights = ["read"]

[[rule]]
identity = "certificate:ops"
namespaces = ["*"]
rights = ["read", "administer"]
"#;

fn rights(identity: &str, namespace: &str) -> String {
    let rules = Rules::parse(RULES).unwrap();
    rules.grants(&identity.parse().unwrap()).within(namespace).to_string()
}

#[test]
fn rights_are_those_of_the_rules_that_match() {
    for (identity, namespace, held) in [
        ("token:web", "shop", "read, write"),
        ("token:web", "shop-", "read, write"),
        ("token:web", "shop-eu", "read, write"),
        ("token:web", "shopping", "nothing"),
        ("token:web", "sho", "nothing"),
        ("token:web", "SHOP", "nothing"),
        ("token:web", "", "read"),
        ("token:web", "team", "read"),
        ("token:web", "team7", "read"),
        ("certificate:ops", "", "read, administer"),
        ("certificate:ops", "shop", "read, administer"),
        ("certificate:web", "shop", "nothing"),
        ("jwt:web", "shop", "nothing"),
        ("token:ops", "shop", "nothing"),
    ] {
        assert_eq!(rights(identity, namespace), held, "{identity} in {namespace:?}");
    }
}

#[test]
fn the_right_to_administer_is_held_everywhere_or_nowhere() {
    let rules = Rules::parse(RULES).unwrap();
    let administers =
        |identity: &str| rules.grants(&identity.parse().unwrap()).everywhere(Right::Administer);
    assert!(administers("certificate:ops"));
    assert!(!administers("token:web"));
}

#[test]
fn a_mistake_is_refused_with_its_line_and_a_remedy() {
    let rule = |identity: &str, namespaces: &str, rights: &str| {
        format!("[[rule]]\nidentity = {identity}\nnamespaces = {namespaces}\nrights = {rights}\n")
    };
    let good = rule("\"token:a\"", "[\"a\"]", "[\"read\"]");
    let cases = [
        (String::new(), None, "no [[rule]]"),
        ("# nothing\n".to_owned(), None, "no [[rule]]"),
        ("[[rules]]\n".to_owned(), Some(1), "unknown field `rules`"),
        (format!("{good}right = [\"read\"]\n"), Some(5), "unknown field `right`"),
        (format!("{good}rights = [\"read\"]\n"), Some(5), "duplicate key"),
        ("[[rule]]\nidentity = \"token:a\"\n".to_owned(), Some(1), "missing field `namespaces`"),
        (rule("\"a\"", "[\"a\"]", "[\"read\"]"), Some(2), "certificate:NAME, token:NAME"),
        (rule("\"token:\"", "[\"a\"]", "[\"read\"]"), Some(2), "no valid name"),
        (rule("7", "[\"a\"]", "[\"read\"]"), Some(2), "invalid type"),
        (rule("\"token:a\"", "[]", "[\"read\"]"), Some(3), "namespaces is empty"),
        (rule("\"token:a\"", "[\"a\"]", "[]"), Some(4), "rights is empty"),
        (rule("\"token:a\"", "[\"\"]", "[\"read\"]"), Some(3), "_shared"),
        (rule("\"token:a\"", "[\"a*b\"]", "[\"read\"]"), Some(3), "only at the end"),
        (rule("\"token:a\"", "[\" a\"]", "[\"read\"]"), Some(3), "names no namespace"),
        (rule("\"token:a\"", "[\"-a*\"]", "[\"read\"]"), Some(3), "names no namespace"),
        (rule("\"token:a\"", "[\"**\"]", "[\"read\"]"), Some(3), "names no namespace"),
        (rule("\"token:a\"", "[\"_shared*\"]", "[\"read\"]"), Some(3), "without the *"),
        (rule("\"token:a\"", "[\n\"a\",\n\"a\"\n]", "[\"read\"]"), Some(5), "twice"),
        (rule("\"token:a\"", "[\"a\"]", "[\"read\", \"read\"]"), Some(4), "twice"),
        (rule("\"token:a\"", "[\"a\"]", "[\"Read\"]"), Some(4), "read, write and administer"),
        (rule("\"token:a\"", "[\"a\"]", "[\"administer\"]"), Some(4), "whole server"),
        (rule("\"token:a\"", "[\"*\", \"a\"]", "[\"administer\"]"), Some(4), "whole server"),
        (format!("{good}{good}"), Some(7), "on line 3 already"),
        ("[[rule]\n".to_owned(), Some(1), "[[rule]] with identity"),
    ];
    for (text, line, why) in cases {
        let problem = Rules::parse(&text).expect_err(&text);
        assert_eq!(problem.line, line, "{text}: {problem:?}");
        assert!(problem.text.contains(why), "{text}: {problem:?}");
        assert!(!problem.text.contains('\n'), "{problem:?}");
    }
}

fn names() -> impl Strategy<Value = String> {
    // Few letters, so that names and prefixes meet.
    prop_oneof![Just(String::new()), "[ab][ab.-]{0,3}".prop_map(|name| name)]
}

proptest! {
    #[test]
    fn the_matcher_agrees_with_the_plain_reading_of_each_rule(
        rules in prop::collection::vec((names(), any::<bool>(), any::<bool>()), 1..6),
        namespace in names(),
    ) {
        let mut text = String::new();
        let mut seen = Vec::new();
        let mut expected = Rights::NONE;
        for (name, is_prefix, writes) in rules {
            let pattern = match (&*name, is_prefix) {
                ("", false) => "_shared".to_owned(),
                (name, false) => name.to_owned(),
                (name, true) => format!("{name}*"),
            };
            if seen.contains(&pattern) {
                continue;
            }
            let right = if writes { Right::Write } else { Right::Read };
            text += "[[rule]]\nidentity = \"token:x\"\nnamespaces = [\"";
            text += &pattern;
            text += "\"]\nrights = [\"";
            text += right.name();
            text += "\"]\n";
            seen.push(pattern);
            let matches = if is_prefix { namespace.starts_with(&name) } else { namespace == name };
            if matches {
                expected = expected.and([right].into_iter().collect());
            }
        }
        let rules = Rules::parse(&text).unwrap();
        let identity = "token:x".parse().unwrap();
        prop_assert_eq!(rules.grants(&identity).within(&namespace), expected);
        let explained = rules.of(&identity, &namespace).fold(Rights::NONE, |held, rule| {
            held.and(rule.rights)
        });
        prop_assert_eq!(explained, expected);
    }

    #[test]
    fn no_text_is_taken_for_more_than_it_says(text in "\\PC{0,8}") {
        // What is taken as one name is a namespace, and that one alone.
        if let Ok(Pattern::Exact(name)) = Pattern::parse(&text)
            && !name.is_empty()
        {
            prop_assert_eq!(Namespace::parse(&text).unwrap().as_str(), &text);
        }
    }

    #[test]
    fn no_file_makes_the_parser_panic(text in "(\\[\\[rule\\]\\]|[a-z\"=\\[\\]*\\n é]){0,40}") {
        let _ = Rules::parse(&text);
    }
}
