//! Finds the program of each server, and says why one is left out.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::peer::{Origin, Peer, TRANSPORT};

/// A program, and its version.
#[derive(Clone, Debug)]
pub struct Program {
    /// What is started.
    pub path: PathBuf,
    /// What it says of itself.
    pub version: String,
}

/// Where programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Our own server.
    pub server: PathBuf,
    /// The same of another state of the repository.
    pub baseline: Option<PathBuf>,
    /// What `prepare.sh` filled.
    pub prepared: PathBuf,
}

impl Programs {
    /// Finds a server's program.
    ///
    /// # Errors
    ///
    /// There is none here; the error says why.
    pub fn find(&self, peer: &Peer) -> Result<Program> {
        let path = match peer.origin {
            Origin::Transport(transport) => {
                let help = says(&self.server, "--help")?;
                if !help.contains(TRANSPORT) && transport != "hyper" {
                    bail!("this build of the server has no {TRANSPORT}");
                }
                self.server.clone()
            }
            Origin::Access => self.server.clone(),
            Origin::Baseline => self.baseline.clone().context("BENCH_BASELINE is not set")?,
            Origin::Built(name) => std::env::current_exe()?.with_file_name(name),
            Origin::Prepared => {
                let reason = self.prepared.join(peer.name).join("missing");
                if let Ok(reason) = std::fs::read_to_string(reason) {
                    bail!("{}", reason.trim());
                }
                self.prepared.join(peer.name).join("run")
            }
        };
        let version = says(&path, "--version")?;
        Ok(Program { path, version: first_words(&version) })
    }
}

fn says(program: &Path, argument: &str) -> Result<String> {
    let output = Command::new(program).arg(argument).output();
    let output = output.with_context(|| format!("{} does not start", program.display()))?;
    if !output.status.success() {
        bail!("{} {argument} fails with {}", program.display(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first line, without what Redis says of its build there.
fn first_words(version: &str) -> String {
    let line = version.lines().next().unwrap_or_default();
    line.split(" sha=").next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs() -> Programs {
        Programs { server: "/none".into(), baseline: None, prepared: "/none".into() }
    }

    #[test]
    fn a_version_is_short() {
        assert_eq!(first_words("Redis server v=7.0.15 sha=0:0 bits=64\n"), "Redis server v=7.0.15");
        assert_eq!(first_words("memcached 1.6.18\n"), "memcached 1.6.18");
    }

    #[test]
    fn what_is_not_here_is_told() {
        for peer in Peer::parse("engine baseline redis").expect("they are known") {
            let error = programs().find(&peer).unwrap_err().to_string();
            let named = ["/none does not start", "BENCH_BASELINE", "/none/redis/run"];
            assert!(named.iter().any(|name| error.contains(name)), "{error}");
        }
    }
}
