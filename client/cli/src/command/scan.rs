//! `scan`: the keys of a namespace.

use std::{iter, time::Duration};

use bytesize::ByteSize;
use clap::Args;
use serde_json::{Value, to_string};
use tiny_cache_client::{Listed, ScanPage};

use super::{Call, Error, Session, Verdict, table::aligned};
use crate::output::{self, Object, escaped};

const MORE: &str = "\
Output:
  A line for each key, in no order: the key, a tab, the bytes of its value, a
  tab and the milliseconds until it expires, or `none`. Of several servers, a
  tab and the server's name follow. A terminal gets a table. JSON is
    {\"items\":[{\"key\":\"a\",\"value_bytes\":5,\"version\":140,\"ttl_left_ms\":null}]}
  in one line, with a `server` in each item where there are several.

  A key that is there during the whole scan is listed once, whatever is
  written meanwhile. A scan uses no entry, and counts no hit or miss.
  --timeout holds for each page of 1,000 keys.

Examples:
  tiny-cache scan
  tiny-cache scan user: --limit 100
  tiny-cache --namespace sessions scan | cut -f 1

Exit codes:
  0  listed, even if there was no key
  2  an error; what was listed before it is no whole scan
";

/// Lists the keys of a namespace
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct ScanArgs {
    /// List only keys that begin so
    #[arg(default_value = "")]
    prefix: String,

    /// Stop after so many keys
    #[arg(long, value_name = "KEYS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Keys of a page.
const PAGE: u32 = 1000;

impl Call for ScanArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut writer = Writer { is_json: session.is_json(), items: 0 };
        let mut next = None;
        loop {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page = session.client.scan(&self.prefix).after(next).limit(limit).await?;
            left -= page.entries.len() as u64;
            writer.write(&page)?;
            next = page.next;
            if next.is_none() || left == 0 {
                writer.end()?;
                return Ok(Verdict::Done);
            }
        }
    }
}

/// Writes keys page by page: there may be millions.
struct Writer {
    is_json: bool,
    items: usize,
}

impl Writer {
    fn write(&mut self, page: &ScanPage) -> Result<(), Error> {
        let server = page.server.as_deref();
        if self.is_json {
            let mut text = String::new();
            for entry in &page.entries {
                text.push_str(if self.items == 0 { "{\"items\":[" } else { "," });
                text.push_str(
                    &to_string(&item(entry, server))
                        .map_err(|cause| Error::Stdout(cause.into()))?,
                );
                self.items += 1;
            }
            return output::text(&text);
        }
        let text = if output::is_terminal() {
            table(page, self.items == 0)
        } else {
            page.entries.iter().map(|entry| line(entry, server)).collect()
        };
        self.items += page.entries.len();
        output::text(&text)
    }

    fn end(self) -> Result<(), Error> {
        match (self.is_json, self.items) {
            (false, _) => Ok(()),
            (true, 0) => output::line("{\"items\":[]}"),
            (true, _) => output::line("]}"),
        }
    }
}

fn item(entry: &Listed, server: Option<&str>) -> Object {
    let mut members = vec![
        ("key", entry.key.as_str().into()),
        ("value_bytes", entry.value_bytes.into()),
        ("version", entry.version.get().into()),
        ("ttl_left_ms", entry.ttl_left.map_or(Value::Null, |left| milliseconds(left).into())),
    ];
    members.extend(server.map(|server| ("server", server.into())));
    Object(members)
}

fn line(entry: &Listed, server: Option<&str>) -> String {
    let left = entry.ttl_left.map(|left| milliseconds(left).to_string());
    let left = left.unwrap_or_else(|| "none".to_owned());
    let server = server.map(|server| format!("\t{server}")).unwrap_or_default();
    format!("{}\t{}\t{left}{server}\n", escaped(entry.key.as_bytes()), entry.value_bytes)
}

fn table(page: &ScanPage, with_head: bool) -> String {
    let server = page.server.as_deref().unwrap_or_default();
    let head = ["key", "value", "expires in", if server.is_empty() { "" } else { "server" }];
    let head = iter::once(head.map(str::to_owned)).filter(|_| with_head);
    let rows = page.entries.iter().map(|entry| {
        let left =
            entry.ttl_left.map(rounded).map(|left| humantime::format_duration(left).to_string());
        [
            escaped(entry.key.as_bytes()),
            ByteSize::b(entry.value_bytes).display().iec().to_string(),
            left.unwrap_or_else(|| "never".to_owned()),
            server.to_owned(),
        ]
    });
    aligned(head.chain(rows))
}

/// A span as people read it: without milliseconds, if it has seconds.
fn rounded(span: Duration) -> Duration {
    if span.as_secs() > 0 { Duration::from_secs(span.as_secs()) } else { span }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
