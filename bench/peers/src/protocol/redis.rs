//! RESP 2, as Redis and Valkey speak it.

use super::{Fault, Request, lines::Lines, pipeline::Text};
use crate::work::{BATCH, KEY_BYTES, Operation, Value};

/// The texts of a work.
#[derive(Debug)]
pub(crate) struct Redis {
    value: Value,
    content: Vec<u8>,
    /// The line before each value.
    length: Vec<u8>,
}

impl Redis {
    pub(crate) fn new(value: Value) -> Self {
        let content = value.content();
        let length = format!("${}", content.len()).into_bytes();
        Self { value, content, length }
    }

    fn value(&self, line: &[u8], compare: bool, lines: &mut Lines<'_>) -> Result<bool, Fault> {
        if line != self.length {
            return Err(Fault::unexpected("a value of the work's size", line));
        }
        let Some(value) = lines.value(self.content.len())? else { return Ok(false) };
        if compare && value != self.content {
            return Err(Fault::unexpected("the value that was written", value));
        }
        Ok(true)
    }
}

impl Text for Redis {
    fn request(&self, request: Request<'_>, out: &mut Vec<u8>) {
        let head: &[u8] = match request.operation {
            Operation::Get => b"*2\r\n$3\r\nGET\r\n",
            Operation::Set => b"*3\r\n$3\r\nSET\r\n",
            // BATCH and the command.
            Operation::MultiGet => b"*101\r\n$4\r\nMGET\r\n",
        };
        out.extend_from_slice(head);
        for &key in request.keys {
            const { assert!(KEY_BYTES == 16 && BATCH == 100) };
            out.extend_from_slice(b"$16\r\n");
            out.extend_from_slice(&self.value.key(key));
            out.extend_from_slice(b"\r\n");
        }
        if request.operation == Operation::Set {
            out.extend_from_slice(&self.length);
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&self.content);
            out.extend_from_slice(b"\r\n");
        }
    }

    fn reply(
        &self,
        operation: Operation,
        compare: bool,
        lines: &mut Lines<'_>,
    ) -> Result<bool, Fault> {
        let Some(line) = lines.line()? else { return Ok(false) };
        match operation {
            Operation::Set if line == b"+OK" => Ok(true),
            Operation::Set => Err(Fault::unexpected("+OK", line)),
            Operation::Get => self.value(line, compare, lines),
            Operation::MultiGet => {
                if line != format!("*{BATCH}").as_bytes() {
                    return Err(Fault::unexpected("a batch of values", line));
                }
                for _ in 0..BATCH {
                    let Some(line) = lines.line()? else { return Ok(false) };
                    if !self.value(line, compare, lines)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Protocol, pipeline::Pipeline};

    fn ask(operation: Operation) -> Pipeline<Redis> {
        let mut redis = Pipeline::new(Redis::new(Value::Small));
        let keys: Vec<_> = (0..if operation == Operation::MultiGet { 100 } else { 1 }).collect();
        redis.send(Request { operation, keys: &keys, due: 9 }, &mut Vec::new());
        redis
    }

    fn receive(redis: &mut Pipeline<Redis>, input: &[u8]) -> Result<(usize, Vec<u64>), Fault> {
        let mut answered = Vec::new();
        let taken = redis.receive(input, &mut Vec::new(), &mut answered)?;
        Ok((taken, answered))
    }

    #[test]
    fn a_reply_counts_once_it_is_complete() {
        let reply = format!("$64\r\n{}\r\n", "v".repeat(64));
        for end in 0..reply.len() {
            let cut = &reply.as_bytes()[..end];
            assert_eq!(receive(&mut ask(Operation::Get), cut), Ok((0, vec![])));
        }
        assert_eq!(receive(&mut ask(Operation::Get), reply.as_bytes()), Ok((reply.len(), vec![9])));
    }

    #[test]
    fn a_miss_an_error_and_a_foreign_value_are_faults() {
        let foreign = format!("$64\r\n{}\r\n", "w".repeat(64));
        for reply in ["$-1\r\n", "-ERR no\r\n", "$63\r\n", &foreign] {
            assert!(receive(&mut ask(Operation::Get), reply.as_bytes()).is_err(), "{reply}");
        }
        assert!(receive(&mut ask(Operation::Set), b"-OOM\r\n").is_err());
    }

    #[test]
    fn a_batch_counts_once() {
        let reply = format!("*100\r\n{}", format!("$64\r\n{}\r\n", "v".repeat(64)).repeat(100));
        assert_eq!(
            receive(&mut ask(Operation::MultiGet), reply.as_bytes()),
            Ok((reply.len(), vec![9]))
        );
        let missed = reply.replacen("$64", "$-1", 1);
        assert!(receive(&mut ask(Operation::MultiGet), missed.as_bytes()).is_err());
    }

    #[test]
    fn a_reply_that_nobody_asked_for_is_a_fault() {
        assert!(receive(&mut Pipeline::new(Redis::new(Value::Small)), b"+OK\r\n").is_err());
    }
}
