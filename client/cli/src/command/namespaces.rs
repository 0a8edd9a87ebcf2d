//! `namespaces`: what each namespace holds, and its quotas. They stand on the server's HTTP port.

use std::{
    fs, iter,
    path::{Path, PathBuf},
};

use bytesize::ByteSize;
use clap::{Args, ValueHint};
use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{Verdict, table::aligned};
use crate::{
    connection::ConnectionArgs,
    error::{Error, refused},
    http::Http,
    output::{self, Output},
};

const MORE: &str = "\
Output:
  A line for each namespace with what it holds, and behind a slash what its
  quota allows. `_shared` are the keys without a namespace, `_other` the
  namespaces that have no figures of their own. `own evicted` are the entries
  that it evicted to keep within its quota; `refused` are its calls and values
  that were refused, for its quota or otherwise. JSON has exact figures, and
  null for no quota:
    {\"namespaces\":[{\"namespace\":\"shop\",\"entries\":3,…,\"quota\":{…}}]}

Exit codes:
  0  done
  2  an error

Examples:
  tiny-cache namespaces
  tiny-cache namespaces --http cache.internal:8080
  tiny-cache namespaces --http https://cache.internal:8080 --ca ca.pem
";

/// The HTTP port of a server, unless it is set.
const PORT: u16 = 8080;

const PATH: &str = "/namespaces";

/// Shows what each namespace holds, and its quotas
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct NamespacesArgs {
    /// The server's HTTP port: HOST:PORT, or https://HOST:PORT where it has TLS; --ca, --cert,
    /// --key and --server-name are for it too [default: that of --target's host, 8080]
    #[arg(long, value_name = "ADDR", value_hint = ValueHint::Hostname)]
    http: Option<String>,

    /// File with the token that the HTTP port wants, if it does (CACHE_HEALTH_TOKENS_PATH of the
    /// server). That of --token-file is not sent there: the port may be plain
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    http_token_file: Option<PathBuf>,
}

/// The page `/namespaces`.
#[derive(Debug, Deserialize, Serialize)]
struct Page {
    namespaces: Vec<Namespace>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Namespace {
    namespace: String,
    entries: u64,
    memory_usage_bytes: u64,
    hits: u64,
    misses: u64,
    writes: u64,
    evictions: u64,
    refusals: u64,
    quota: Quota,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Quota {
    max_bytes: Option<u64>,
    max_entries: Option<u64>,
    requests_per_second: Option<u64>,
    burst: Option<u64>,
    evictions: u64,
    refused_requests: u64,
    refused_entries: u64,
}

impl NamespacesArgs {
    /// Asks the HTTP port, and shows what it says.
    pub(crate) async fn call(
        self,
        connection: &ConnectionArgs,
        output: Output,
    ) -> Result<Verdict, Error> {
        let address = match self.http {
            Some(address) => address,
            None => format!("{}:{PORT}", connection.host()?),
        };
        let http = Http::new(&address, connection)?;
        let token = self.http_token_file.as_deref().map(bearer).transpose()?;
        let limit = connection.timeout;
        let page: Page = timeout(limit, http.page(PATH, token)).await.map_err(|_elapsed| {
            let limit = humantime::format_duration(limit);
            http.failed(PATH, &format!("no reply within {limit}"))
        })??;
        match output {
            Output::Text => output::text(&table(&page))?,
            Output::Json => output::json(&page)?,
        }
        Ok(Verdict::Done)
    }
}

/// The header for the token in a file.
fn bearer(file: &Path) -> Result<HeaderValue, Error> {
    let name = file.display();
    let token = fs::read_to_string(file)
        .map_err(|cause| Error::Read { name: format!("--http-token-file {name}"), cause })?;
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_| {
        refused!("--http-token-file {name} holds no token; expected one line of visible ASCII")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn table(page: &Page) -> String {
    const HEAD: [&str; 7] =
        ["namespace", "entries", "memory", "requests/s", "hit ratio", "own evicted", "refused"];
    let rows = page.namespaces.iter().map(row);
    aligned(iter::once(HEAD.map(str::to_owned)).chain(rows))
}

fn row(of: &Namespace) -> [String; 7] {
    let Quota { max_bytes, max_entries, requests_per_second, evictions, .. } = of.quota;
    let size = |bytes: u64| ByteSize::b(bytes).display().iec().to_string();
    let limited = |held: String, most: Option<String>| match most {
        Some(most) => format!("{held} / {most}"),
        None => held,
    };
    let reads = of.hits + of.misses;
    let hit_ratio = match reads {
        0 => "-".to_owned(),
        reads => format!("{:.1} %", of.hits as f64 / reads as f64 * 100.0),
    };
    [
        of.namespace.clone(),
        limited(of.entries.to_string(), max_entries.map(|most| most.to_string())),
        limited(size(of.memory_usage_bytes), max_bytes.map(size)),
        requests_per_second.map_or_else(|| "-".to_owned(), |most| format!("up to {most}")),
        hit_ratio,
        evictions.to_string(),
        of.refusals.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_is_held_and_what_the_quota_allows() {
        let namespace = |name: &str, hits, quota| Namespace {
            namespace: name.to_owned(),
            entries: 3,
            memory_usage_bytes: 2048,
            hits,
            misses: 1,
            writes: 9,
            evictions: 6,
            refusals: 2,
            quota,
        };
        let quota = Quota {
            max_bytes: Some(1 << 20),
            max_entries: Some(3),
            requests_per_second: Some(500),
            evictions: 6,
            ..Quota::default()
        };
        let namespaces = vec![namespace("_shared", 2, Quota::default()), namespace("a", 0, quota)];
        assert_eq!(
            table(&Page { namespaces }),
            "namespace  entries  memory             requests/s  hit ratio  own evicted  refused\n\
             _shared    3        2.0 KiB            -           66.7 %     0            2\n\
             a          3 / 3    2.0 KiB / 1.0 MiB  up to 500   0.0 %      6            2\n"
        );
    }
}
