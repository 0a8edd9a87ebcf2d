//! One core for the server, another one for the load.

use anyhow::{Result, bail};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

const MYSELF: Pid = Pid::from_raw(0);

/// The numbers of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// Every server's.
    pub server: usize,
    /// This program's.
    pub load: usize,
}

impl Cores {
    /// Takes the first and the last core that this program may use: neighbours can be two threads
    /// of one core.
    ///
    /// # Errors
    ///
    /// There is one core only.
    pub fn choose() -> Result<Self> {
        let allowed = sched_getaffinity(MYSELF)?;
        let may_use = |&core: &usize| allowed.is_set(core).unwrap_or(false);
        let allowed: Vec<_> = (0..CpuSet::count()).filter(may_use).collect();
        match allowed[..] {
            [server, .., load] => Ok(Self { server, load }),
            _ => bail!("two cores are needed, one for the server and one for the load"),
        }
    }

    /// Binds the calling thread to the load's core.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn pin_load(&self) -> Result<()> {
        let mut set = CpuSet::new();
        set.set(self.load)?;
        Ok(sched_setaffinity(MYSELF, &set)?)
    }
}
