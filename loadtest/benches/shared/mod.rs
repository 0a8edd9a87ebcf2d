//! What the benches that put tool and server on a core each share.

use std::process::Command;

/// A program that is kept on one core by util-linux's taskset, where that is there.
pub(crate) fn on_core(core: usize, program: &str) -> Command {
    let probe = Command::new("taskset").args(["-c", &core.to_string(), "true"]).output();
    if probe.is_ok_and(|probe| probe.status.success()) {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string(), program]);
        return command;
    }
    println!("no taskset with core {core}: the scheduler decides");
    Command::new(program)
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
