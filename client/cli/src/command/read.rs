//! `read`: one entry with its version and its times.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tiny_cache_client::{Entry, Version};

use super::{Call, Error, Session, Verdict, refusals::Refusals};
use crate::{input, output};

const MORE: &str = "\
Output:
  A line for each fact: version, age_ms, ttl_left_ms (`none`: it never
  expires), and the value with control characters escaped. `get` writes a
  value as it is. JSON is one of
    {\"key\":\"k\",\"found\":true,\"version\":140,\"age_ms\":5,\"ttl_left_ms\":90,
     \"value\":\"text\"}
    {\"key\":\"k\",\"found\":true,\"version\":140,\"age_ms\":5,\"ttl_left_ms\":null,
     \"not_modified\":true}
    {\"key\":\"k\",\"found\":false}
  each in one line. Of several keys each has its own, or its facts behind a
  line with the key, where a miss is `miss`.

Examples:
  tiny-cache read greeting
  tiny-cache read greeting farewell
  tiny-cache read greeting --exists
  tiny-cache read page --unless-version 1403099696287966 --output json

Exit codes:
  0  all were found
  1  a miss
  2  an error
";

/// Reads values with their versions, their ages and the rest of their times to live
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct ReadArgs {
    /// The keys
    #[arg(value_name = "KEY", required = true, value_parser = input::key())]
    keys: Vec<String>,

    /// Leave the value out
    #[arg(long)]
    exists: bool,

    /// Leave the value out if it has this version
    #[arg(long, value_name = "VERSION")]
    unless_version: Option<Version>,
}

impl Call for ReadArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Self { keys, exists, unless_version } = self;
        let request = |key| {
            let mut request = session.client.read(key);
            if exists {
                request = request.without_value();
            }
            match unless_version {
                None => request,
                Some(version) => request.unless_version(version),
            }
        };
        if let [only] = &keys[..] {
            return show(session, only, request(only).await?);
        }
        let results = session.client.batch(keys.iter().map(|key| request(key).into())).await?;
        let mut missed = false;
        for (key, read) in keys.iter().zip(&results) {
            let Ok(read) = read else { continue };
            let (facts, members) = told(key, read.entry());
            missed |= read.entry().is_none();
            let facts = if read.entry().is_none() { "miss\n" } else { &facts };
            session.show(&format!("key {}\n{facts}", output::escaped(key.as_bytes())), members)?;
        }
        Refusals::of(&keys, &results).check(None)?;
        Ok((!missed).into())
    }
}

/// Shows what was read of a key.
pub(super) fn show(session: &Session, key: &str, entry: Option<Entry>) -> Result<Verdict, Error> {
    let (text, members) = told(key, entry.as_ref());
    session.show(&text, members)?;
    Ok(entry.is_some().into())
}

/// What was read of a key, as text and as members of a JSON object.
fn told(key: &str, entry: Option<&Entry>) -> (String, Vec<(&'static str, Value)>) {
    let mut members = vec![("key", key.into()), ("found", entry.is_some().into())];
    let Some(entry) = entry else { return (String::new(), members) };
    let (version, age) = (entry.version.get(), milliseconds(entry.age));
    let left = entry.ttl_left.map(milliseconds);
    let shown = left.map_or_else(|| "none".to_owned(), |left| left.to_string());
    let mut text = format!("version {version}\nage_ms {age}\nttl_left_ms {shown}\n");
    members.extend([
        ("version", version.into()),
        ("age_ms", age.into()),
        ("ttl_left_ms", left.map_or(Value::Null, Value::from)),
    ]);
    if entry.is_known {
        text.push_str("not_modified\n");
        members.push(("not_modified", true.into()));
    }
    if let Some(value) = &entry.value {
        text.extend(["value ", &output::escaped(value), "\n"]);
        members.push(output::member(value, None));
    }
    (text, members)
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
