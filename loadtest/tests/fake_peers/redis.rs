//! What Redis answers, as its protocol RESP2 has it: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use std::io::BufRead;

use super::{Next, Shelf, block, line};

/// What a connection has been told.
#[derive(Default)]
pub(super) struct Client {
    is_known: bool,
    database: String,
}

pub(super) fn answer(shelf: &Shelf, client: &mut Client, input: &mut impl BufRead) -> Option<Next> {
    let words = words(input)?;
    let text = |at: usize| String::from_utf8_lossy(&words[at]).into_owned();
    let keys = |from: usize| (from..words.len()).map(text).collect::<Vec<_>>();
    let command = text(0).to_uppercase();
    if let (Some(login), false) = (shelf.manners.login, client.is_known) {
        client.is_known = command == "AUTH" && keys(1) == login;
        return Some(Next::Reply(match (client.is_known, command.as_str()) {
            (true, _) => "+OK\r\n".into(),
            (_, "AUTH") => {
                "-WRONGPASS invalid username-password pair or user is disabled.\r\n".into()
            }
            _ => "-NOAUTH Authentication required.\r\n".into(),
        }));
    }
    let full = |key: String| match client.database.as_str() {
        "" => key,
        database => format!("{database}/{key}"),
    };
    let text_of_key = |at: usize| full(text(at));
    let reply = match (command.as_str(), shelf.manners.refuse_writes) {
        ("PING", _) => "+PONG\r\n".into(),
        ("SELECT", _) => {
            client.database = text(1);
            "+OK\r\n".into()
        }
        ("INFO", _) => bulk(b"# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.0\r\n"),
        ("GET", _) => match shelf.balk(&keys(1)) {
            Some(next) => return Some(next),
            None => found(shelf, &text_of_key(1)),
        },
        ("MGET", _) => {
            let mut reply = format!("*{}\r\n", words.len() - 1).into_bytes();
            reply.extend(keys(1).iter().flat_map(|key| found(shelf, key)));
            reply
        }
        ("DEL", _) => format!(":{}\r\n", u8::from(shelf.remove(&text(1)))).into(),
        ("SET", Some(line)) => line.into(),
        ("SET", None) => {
            let options = keys(3);
            let expiry = options.iter().position(|option| option == "EX");
            let expiry = expiry.map_or(0, |at| options[at + 1].parse().unwrap());
            let absent = options.iter().any(|option| option == "NX");
            let stored =
                shelf.put(&text_of_key(1), &words[2], expiry, |there| !absent || there.is_none());
            if stored { "+OK\r\n".into() } else { "$-1\r\n".into() }
        }
        // The only script there is: compare-and-set.
        ("EVAL", _) => {
            assert_eq!((text(2), words.len()), ("1".to_owned(), 7));
            let expiry = text(6).parse().unwrap();
            let stored = shelf.put(&text(3), &words[5], expiry, |there| {
                there.is_some_and(|entry| entry.value == words[4])
            });
            format!(":{}\r\n", u8::from(stored)).into()
        }
        _ => format!("-ERR unknown command '{command}'\r\n").into(),
    };
    Some(Next::Reply(reply))
}

/// A request: an array of strings.
fn words(input: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    let count: usize = line(input)?.strip_prefix('*').unwrap().parse().unwrap();
    let word = |_| {
        let bytes = line(input)?.strip_prefix('$').unwrap().parse().unwrap();
        block(input, bytes)
    };
    (0..count).map(word).collect()
}

fn found(shelf: &Shelf, key: &str) -> Vec<u8> {
    shelf.get(key).map_or_else(|| "$-1\r\n".into(), |entry| bulk(&entry.value))
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
