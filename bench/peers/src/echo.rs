//! What the echo servers share: their arguments, and the values that they answer with.

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use crate::work::Value;

/// The value of each size, made once.
#[derive(Debug)]
pub struct Values {
    small: Bytes,
    large: Bytes,
}

impl Default for Values {
    fn default() -> Self {
        Self { small: Value::Small.content().into(), large: Value::Large.content().into() }
    }
}

impl Values {
    /// The value that a key stands for.
    pub fn of(&self, key: &str) -> Bytes {
        match Value::of_key(key.as_bytes()) {
            Value::Small => self.small.clone(),
            Value::Large => self.large.clone(),
        }
    }
}

/// The port that an echo server is told with `--port`. None: it was asked for its version, which
/// is that of the library it is built on.
///
/// # Errors
///
/// The arguments are others.
pub fn port(library: &str) -> Result<Option<u16>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--version"] => {
            let version = locked(include_str!("../Cargo.lock"), library);
            #[expect(clippy::print_stdout, reason = "this is what was asked for")]
            {
                println!("{library} {}", version.context("the library is not locked")?);
            }
            Ok(None)
        }
        ["--port", port] => Ok(Some(port.parse().context("--port wants a port")?)),
        _ => bail!("usage: --port PORT, or --version"),
    }
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"tonic\"\nversion = \"0.14.9\"\n";
        assert_eq!(locked(lock, "tonic"), Some("0.14.9"));
        assert_eq!(locked(lock, "toni"), None);
        assert!(locked(include_str!("../Cargo.lock"), "pajamax").is_some());
    }
}
