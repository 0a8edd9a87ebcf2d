//! `describe`: what the server knows of one entry beside its value.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tiny_cache_client::{Description, Place};

use super::{Call, Error, Session, Verdict};
use crate::input;

const MORE: &str = "\
Output:
  A line for each fact:
    state                fresh, or stale: expired, and kept to be served
                         while it is made anew
    version, age_ms      of the write that the entry is from
    ttl_left_ms          until it expires; `none`: it never does
    stale_left_ms        how long it is kept beyond that
    value_bytes          the bytes of its value
    memory_bytes         what it counts as, key and overhead included
    place                window, or resident: it has proved itself
    window_reads         reads in the window; 2 stands for more, too
    residents_since_use  at most so many others have become residents
                         since a use of this one was noted
    tag                  a line for each; JSON has them as `tags`
  JSON is one object with the same names, `key` and `found`, in one line.

  The server keeps no time of the last use. Nothing here counts as a use.

Exit codes:
  0  found
  1  a miss
  2  an error
";

/// Shows the size, the times and the place of an entry
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct DescribeArgs {
    /// The key
    #[arg(value_parser = input::key())]
    key: String,
}

impl Call for DescribeArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let Some(entry) = session.client.describe(&self.key).await? else {
            session.show("", vec![("key", self.key.into()), ("found", false.into())])?;
            return Ok(Verdict::Unmet);
        };
        let facts = facts(&entry);
        let tags: String = entry.tags.iter().map(|tag| format!("tag {tag}\n")).collect();
        let line = |(name, value): &(_, Value)| match value {
            Value::String(text) => format!("{name} {text}\n"),
            Value::Null => format!("{name} none\n"),
            number => format!("{name} {number}\n"),
        };
        let text = facts.iter().map(line).collect::<String>() + &tags;
        let mut members = vec![("key", self.key.into()), ("found", true.into())];
        members.extend(facts);
        members.push(("tags", entry.tags.into()));
        session.show(&text, members)?;
        Ok(Verdict::Done)
    }
}

fn facts(entry: &Description) -> Vec<(&'static str, Value)> {
    let mut facts = vec![
        ("state", if entry.is_stale { "stale" } else { "fresh" }.into()),
        ("version", entry.version.get().into()),
        ("age_ms", milliseconds(entry.age)),
        ("ttl_left_ms", entry.ttl_left.map_or(Value::Null, milliseconds)),
        ("stale_left_ms", milliseconds(entry.stale_left)),
        ("value_bytes", entry.value_bytes.into()),
        ("memory_bytes", entry.memory_bytes.into()),
    ];
    match entry.place {
        Place::Window { reads } => {
            facts.extend([("place", "window".into()), ("window_reads", reads.into())]);
        }
        Place::Resident { since_use } => {
            facts.push(("place", "resident".into()));
            facts.extend(since_use.map(|since| ("residents_since_use", since.into())));
        }
        _ => {}
    }
    facts
}

fn milliseconds(span: Duration) -> Value {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).into()
}
