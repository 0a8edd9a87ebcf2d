//! `hot`: the keys that were asked for most, and those with the largest values.

use bytesize::ByteSize;
use clap::Args;
use serde::Serialize;
use tiny_cache_client::{HotKey, HotKeys, LargeKey};

use super::{Call, Error, Session, Verdict, table::aligned};
use crate::output::{self, Object, escaped};

const MORE: &str = "\
Output:
  The keys of all namespaces with most reads and writes in the last minute,
  and how far the number may be off; then those with the largest values that
  were read or written in it. `_shared` are the keys without a namespace. Of
  several servers, each line names the one that has the key. JSON is one
  object in one line, with exact figures:
    {\"span_ms\":61250,\"requests\":90210,
     \"hottest\":[{\"namespace\":\"\",\"key\":\"k\",\"requests\":812,\"error\":9}],
     \"largest\":[{\"namespace\":\"\",\"key\":\"k\",\"value_bytes\":4096}]}

  The server looks at all requests while there are few, and at some thousand
  in a second else; only values above 4 KiB are all seen.

Exit codes:
  0  done
  2  an error, such as a lack of the right to administer
";

/// Shows the keys that were asked for most in the last minute, and the largest
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct HotArgs {
    /// Show so many keys of each kind
    #[arg(
        long,
        value_name = "KEYS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=50)
    )]
    limit: u32,
}

impl Call for HotArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let hot = session.client.hot_keys().limit(self.limit).await?;
        if session.is_json() {
            output::json(&Page {
                span_ms: u64::try_from(hot.span.as_millis()).unwrap_or(u64::MAX),
                requests: hot.requests,
                hottest: hot.hottest.iter().map(hot_member).collect(),
                largest: hot.largest.iter().map(large_member).collect(),
            })?;
        } else {
            output::text(&text(&hot))?;
        }
        Ok(Verdict::Done)
    }
}

/// The report as JSON.
#[derive(Serialize)]
struct Page {
    span_ms: u64,
    requests: u64,
    hottest: Vec<Object>,
    largest: Vec<Object>,
}

fn hot_member(hot: &HotKey) -> Object {
    let mut members = vec![
        ("namespace", hot.namespace.as_str().into()),
        ("key", hot.key.as_str().into()),
        ("requests", hot.requests.into()),
        ("error", hot.error.into()),
    ];
    members.extend(hot.server.as_deref().map(|server| ("server", server.into())));
    Object(members)
}

fn large_member(large: &LargeKey) -> Object {
    let mut members = vec![
        ("namespace", large.namespace.as_str().into()),
        ("key", large.key.as_str().into()),
        ("value_bytes", large.value_bytes.into()),
    ];
    members.extend(large.server.as_deref().map(|server| ("server", server.into())));
    Object(members)
}

fn text(hot: &HotKeys) -> String {
    let HotKeys { span, requests, hottest, largest, .. } = hot;
    let head = ["requests", "off by up to", "namespace", "key", "server"].map(str::to_owned);
    let rows = hottest.iter().map(|hot| {
        [
            hot.requests.to_string(),
            hot.error.to_string(),
            shown(&hot.namespace),
            escaped(hot.key.as_bytes()),
            hot.server.as_deref().unwrap_or_default().to_owned(),
        ]
    });
    let hottest = aligned(std::iter::once(without_server(head, hot)).chain(rows));
    let head = ["value", "namespace", "key", "server"].map(str::to_owned);
    let rows = largest.iter().map(|large| {
        [
            ByteSize::b(large.value_bytes).display().iec().to_string(),
            shown(&large.namespace),
            escaped(large.key.as_bytes()),
            large.server.as_deref().unwrap_or_default().to_owned(),
        ]
    });
    let largest = aligned(std::iter::once(without_server(head, hot)).chain(rows));
    let seconds = span.as_secs();
    format!("{requests} requests in {seconds} s\n\n{hottest}\n{largest}")
}

/// The head of a table, whose last column is for the names of several servers.
fn without_server<const N: usize>(mut head: [String; N], hot: &HotKeys) -> [String; N] {
    let named = hot.hottest.iter().any(|hot| hot.server.is_some());
    if !named {
        head[N - 1].clear();
    }
    head
}

fn shown(namespace: &str) -> String {
    if namespace.is_empty() { "_shared".to_owned() } else { namespace.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_two_tables() {
        let hot = HotKeys::default();
        assert_eq!(
            text(&hot),
            "0 requests in 0 s\n\n\
             requests  off by up to  namespace  key\n\n\
             value  namespace  key\n"
        );
    }
}
