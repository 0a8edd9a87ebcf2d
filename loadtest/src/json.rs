//! How results are laid out as JSON: indented down to the third level, below which an object is
//! one line, so that each second of a run is a line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

/// Levels that have lines of their own.
const OPEN: usize = 2;

/// The formatter.
#[derive(Default)]
pub(crate) struct Lines {
    depth: usize,
    /// Whether the innermost array or object holds something.
    has_value: bool,
}

impl Lines {
    /// Writes a value and a line feed.
    pub(crate) fn write(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
        value.serialize(&mut Serializer::with_formatter(&mut *out, Self::default()))?;
        out.write_all(b"\n")
    }

    fn begin<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        out.write_all(bracket)
    }

    /// Goes to the place of the next value or key.
    fn next<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        match (self.depth <= OPEN, first) {
            (true, _) => self.line(out, if first { "" } else { "," }),
            (false, true) => Ok(()),
            (false, false) => out.write_all(b", "),
        }
    }

    fn end<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.depth < OPEN && self.has_value {
            self.line(out, "")?;
        }
        self.has_value = true;
        out.write_all(bracket)
    }

    fn line<W: ?Sized + Write>(&self, out: &mut W, before: &str) -> io::Result<()> {
        write!(out, "{before}\n{:width$}", "", width = 2 * self.depth)
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_lies_deep_is_one_line_and_nothing_is_lost() {
        let value = json!({
            "empty": {}, "none": [], "settings": {"workload": {"keys": 1, "mix": {"get": 1}}},
            "seconds": [{"step": 0, "list": [1, 2, []]}, {"step": 1}],
        });
        let mut json = Vec::new();
        Lines::write(&mut json, &value).unwrap();
        let text = String::from_utf8(json).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        let expected = "\
{
  \"empty\": {},
  \"none\": [],
  \"seconds\": [
    {\"list\": [1, 2, []], \"step\": 0},
    {\"step\": 1}
  ],
  \"settings\": {
    \"workload\": {\"keys\": 1, \"mix\": {\"get\": 1}}
  }
}
";
        assert_eq!(text, expected);
    }
}
