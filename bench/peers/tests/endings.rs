//! The program ends what it started, however it ends itself.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until something is there.
fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(10));
    }
}

/// The server that a process has started.
fn server_of(process: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find(|child: &u32| {
        let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        name.trim() == "peer-tonic"
    })
}

/// Whether a process has ended, be it that nobody has asked for its exit code yet.
fn has_ended(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_signal_ends_the_servers_too() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("endings");
    fs::create_dir_all(&out).unwrap();
    for signal in ["-INT", "-KILL"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bench-peers"))
            .args(["--server", "/none", "--prepared", "/none", "--peers", "tonic"])
            .args(["--work", "get-64@1x1", "--seconds", "60", "--out"])
            .arg(&out)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = wait("no server was started", || server_of(program.id()));
        let killed = Command::new("kill").args([signal, &program.id().to_string()]).status();
        assert!(killed.unwrap().success());
        program.wait().unwrap();
        wait("the server goes on", || has_ended(server).then_some(()));
    }
}
