//! The process behind a port of this machine. Only Linux reports which one it is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod listener;
#[cfg(not(target_os = "linux"))]
mod elsewhere;

#[cfg(not(target_os = "linux"))]
pub use self::elsewhere::ServerProcess;
#[cfg(target_os = "linux")]
pub use self::linux::ServerProcess;
