//! memcached's meta commands, which it answers together when they arrive together; it sends the
//! reply of each classic `get` by itself. A batch of keys is a classic `get` of many.

use super::{Fault, Request, lines::Lines, pipeline::Text};
use crate::work::{BATCH, KEY_BYTES, Operation, Value};

/// The texts of a work.
#[derive(Debug)]
pub(crate) struct Memcached {
    value: Value,
    content: Vec<u8>,
    /// What is before a value: in the reply of `mg`, and in that of `get` behind the key.
    lone: Vec<u8>,
    batched: Vec<u8>,
    /// The end of the line of `ms`.
    length: Vec<u8>,
}

impl Memcached {
    pub(crate) fn new(value: Value) -> Self {
        let content = value.content();
        let bytes = content.len();
        let text = |text: String| text.into_bytes();
        let (lone, batched) = (text(format!("VA {bytes}")), text(format!(" 0 {bytes}")));
        Self { value, content, lone, batched, length: text(format!(" {bytes}\r\n")) }
    }

    fn value(&self, right: bool, compare: bool, lines: &mut Lines<'_>) -> Result<bool, Fault> {
        if !right {
            return Err(lines.unexpected("a value of the work's size"));
        }
        let Some(value) = lines.value(self.content.len())? else { return Ok(false) };
        if compare && value != self.content {
            return Err(Fault::unexpected("the value that was written", value));
        }
        Ok(true)
    }

    fn batch(&self, compare: bool, lines: &mut Lines<'_>) -> Result<bool, Fault> {
        for _ in 0..BATCH {
            let Some(line) = lines.line()? else { return Ok(false) };
            let behind_key = line.strip_prefix(b"VALUE ").and_then(|line| line.get(KEY_BYTES..));
            if !self.value(behind_key == Some(&self.batched), compare, lines)? {
                return Ok(false);
            }
        }
        literally(b"END", lines)
    }
}

/// Takes the one line that a reply can be.
fn literally(expected: &[u8], lines: &mut Lines<'_>) -> Result<bool, Fault> {
    match lines.line()? {
        Some(line) if line != expected => Err(Fault::unexpected("that it was done", line)),
        line => Ok(line.is_some()),
    }
}

impl Text for Memcached {
    fn request(&self, request: Request<'_>, out: &mut Vec<u8>) {
        let verb: &[u8] = match request.operation {
            Operation::Get => b"mg",
            Operation::Set => b"ms",
            Operation::MultiGet => b"get",
        };
        out.extend_from_slice(verb);
        for &key in request.keys {
            out.push(b' ');
            out.extend_from_slice(&self.value.key(key));
        }
        match request.operation {
            // With the value.
            Operation::Get => out.extend_from_slice(b" v"),
            Operation::Set => {
                out.extend_from_slice(&self.length);
                out.extend_from_slice(&self.content);
            }
            Operation::MultiGet => {}
        }
        out.extend_from_slice(b"\r\n");
    }

    fn reply(
        &self,
        operation: Operation,
        compare: bool,
        lines: &mut Lines<'_>,
    ) -> Result<bool, Fault> {
        match operation {
            Operation::Get => {
                let Some(line) = lines.line()? else { return Ok(false) };
                self.value(line == self.lone, compare, lines)
            }
            Operation::Set => literally(b"HD", lines),
            Operation::MultiGet => self.batch(compare, lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Protocol, pipeline::Pipeline};

    fn exchange(operation: Operation, reply: &str) -> Result<(usize, usize), Fault> {
        let mut memcached = Pipeline::new(Memcached::new(Value::Small));
        let mut answered = Vec::new();
        memcached.send(Request { operation, keys: &[7], due: 0 }, &mut Vec::new());
        let taken = memcached.receive(reply.as_bytes(), &mut Vec::new(), &mut answered)?;
        Ok((taken, answered.len()))
    }

    #[test]
    fn requests_are_those_of_the_manual() {
        let memcached = Memcached::new(Value::Small);
        let mut out = Vec::new();
        let batch = Request { operation: Operation::MultiGet, keys: &[1, 2], due: 0 };
        memcached.request(batch, &mut out);
        assert_eq!(out, b"get s000000000000001 s000000000000002\r\n");
        out.clear();
        memcached.request(Request { operation: Operation::Get, keys: &[1], due: 0 }, &mut out);
        assert_eq!(out, b"mg s000000000000001 v\r\n");
        out.clear();
        memcached.request(Request { operation: Operation::Set, keys: &[1], due: 0 }, &mut out);
        let expected = format!("ms s000000000000001 64\r\n{}\r\n", "v".repeat(64));
        assert_eq!(out, expected.as_bytes());
    }

    #[test]
    fn a_reply_counts_once_it_is_complete() {
        let reply = format!("VA 64\r\n{}\r\n", "v".repeat(64));
        for end in 0..reply.len() {
            assert_eq!(exchange(Operation::Get, &reply[..end]), Ok((0, 0)));
        }
        assert_eq!(exchange(Operation::Get, &reply), Ok((reply.len(), 1)));
        assert_eq!(exchange(Operation::Set, "HD\r\n"), Ok((4, 1)));
    }

    #[test]
    fn a_miss_an_error_and_a_foreign_value_are_faults() {
        let foreign = format!("VA 64\r\n{}\r\n", "w".repeat(64));
        for reply in ["EN\r\n", "ERROR\r\n", "SERVER_ERROR out of memory\r\n", &foreign] {
            assert!(exchange(Operation::Get, reply).is_err(), "{reply}");
        }
        assert!(exchange(Operation::Set, "NS\r\n").is_err());
    }

    #[test]
    fn a_batch_ends_with_its_last_line() {
        let value = format!("VALUE s000000000000007 0 64\r\n{}\r\n", "v".repeat(64));
        let reply = format!("{}END\r\n", value.repeat(100));
        assert_eq!(exchange(Operation::MultiGet, &reply), Ok((reply.len(), 1)));
        assert_eq!(exchange(Operation::MultiGet, &reply[..reply.len() - 1]), Ok((0, 0)));
        let missed = format!("{}END\r\n", value.repeat(99));
        assert!(exchange(Operation::MultiGet, &missed).is_err());
    }
}
