//! `where`: the server that holds a key.

use clap::Args;
use serde::Serialize;
use tiny_cache_client::ServerInfo;

use super::{Call, Error, Session, Verdict, input};
use crate::output::{self, Object};

const MORE: &str = "\
Output:
  One line for each key, in the order asked: the key, a tab, the server's name
  on the ring, a tab and its address. JSON is one object:
    {\"items\":[{\"key\":\"a\",\"server\":\"n\",\"address\":\"grpc://n:50051\"}]}
  Without calls to the servers: the names and weights alone decide. A name of
  dns:/// is looked up.

Examples:
  tiny-cache --target cache-0,cache-1,cache-2 where user:7
  tiny-cache --target dns:///tiny-cache-nodes --namespace team where a b c

Exit codes:
  0  done
  2  an error
";

/// Shows which of several servers holds a key
#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct WhereArgs {
    /// Keys; - takes those of stdin, one in a line, without its line end; blank lines are
    /// skipped
    #[arg(required = true, value_name = "KEY", value_parser = input::key())]
    keys: Vec<String>,
}

#[derive(Default, Serialize)]
struct Places {
    items: Vec<Object>,
}

impl Call for WhereArgs {
    async fn run(self, session: &Session) -> Result<Verdict, Error> {
        let (mut text, mut places) = (String::new(), Places::default());
        for key in input::keys(self.keys)? {
            let server = session.client.server_of(&key).await?;
            text.push_str(&line(&key, &server));
            places.items.push(Object(vec![
                ("key", key.into()),
                ("server", server.name().into()),
                ("address", server.address().to_string().into()),
            ]));
        }
        if session.is_json() { output::json(&places) } else { output::text(&text) }?;
        Ok(Verdict::Done)
    }
}

fn line(key: &str, server: &ServerInfo) -> String {
    format!("{}\t{}\t{}\n", output::escaped(key.as_bytes()), server.name(), server.address())
}
