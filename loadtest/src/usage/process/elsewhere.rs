//! A system that does not report which process listens on a port.

use std::{convert::Infallible, fmt, net::SocketAddr};

use crate::usage::{Usage, UsageError};

/// There is none.
#[derive(Debug)]
pub struct ServerProcess(Infallible);

impl ServerProcess {
    /// Refuses.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn find(_address: SocketAddr) -> Result<Self, UsageError> {
        Err(UsageError::Unsupported)
    }

    /// Cannot be called, for want of a process.
    ///
    /// # Errors
    ///
    /// None.
    pub fn sample(&self) -> Result<Usage, UsageError> {
        match self.0 {}
    }
}

impl fmt::Display for ServerProcess {
    fn fmt(&self, _out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}
