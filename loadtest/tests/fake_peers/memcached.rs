//! What memcached answers, as its `doc/protocol.txt` has it.

use std::io::BufRead;

use super::{Next, Shelf, block, line};

pub(super) fn answer(shelf: &Shelf, input: &mut impl BufRead) -> Option<Next> {
    let line = line(input)?;
    let words: Vec<&str> = line.split(' ').collect();
    let reply = match words.as_slice() {
        ["version"] => "VERSION 1.6.99\r\n".into(),
        [command @ ("get" | "gets"), keys @ ..] => {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            if let Some(next) = shelf.balk(&keys) {
                return Some(next);
            }
            let mut reply: Vec<u8> =
                keys.iter().flat_map(|key| found(shelf, key, *command == "gets")).collect();
            reply.extend_from_slice(b"END\r\n");
            reply
        }
        ["delete", key] if shelf.remove(key) => "DELETED\r\n".into(),
        ["delete", _] => "NOT_FOUND\r\n".into(),
        [command @ ("set" | "add" | "cas"), key, "0", expiry, bytes, version @ ..] => {
            let value = block(input, bytes.parse().unwrap())?;
            let expiry = expiry.parse().unwrap();
            match (*command, shelf.manners.refuse_writes) {
                (_, Some(line)) => line.into(),
                ("set", _) => answer_to(shelf.put(key, &value, expiry, |_| true), ""),
                ("add", _) => {
                    answer_to(shelf.put(key, &value, expiry, |there| there.is_none()), "NOT_STORED")
                }
                _ if shelf.get(key).is_none() => "NOT_FOUND\r\n".into(),
                _ => {
                    let version: u64 = version[0].parse().unwrap();
                    let unchanged = shelf.put(key, &value, expiry, |there| {
                        there.is_some_and(|entry| entry.version == version)
                    });
                    answer_to(unchanged, "EXISTS")
                }
            }
        }
        _ => "ERROR\r\n".into(),
    };
    Some(Next::Reply(reply))
}

fn answer_to(stored: bool, otherwise: &str) -> Vec<u8> {
    format!("{}\r\n", if stored { "STORED" } else { otherwise }).into()
}

fn found(shelf: &Shelf, key: &str, with_version: bool) -> Vec<u8> {
    let Some(entry) = shelf.get(key) else { return Vec::new() };
    let version = if with_version { format!(" {}", entry.version) } else { String::new() };
    let header = format!("VALUE {key} 0 {}{version}\r\n", entry.value.len());
    [header.as_bytes(), &entry.value, b"\r\n"].concat()
}
