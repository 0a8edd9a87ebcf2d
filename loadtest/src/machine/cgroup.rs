//! How much CPU the cgroup of this process may use, in either version of cgroups.
//!
//! The files: `cpu.max` in <https://docs.kernel.org/admin-guide/cgroup-v2.html>, and
//! `cpu.cfs_quota_us` in <https://docs.kernel.org/scheduler/sched-bwc.html>.

use std::{
    fs,
    path::{Path, PathBuf},
};

use procfs::{
    ProcessCGroup,
    process::{MountInfo, Process},
};

/// The tightest limit of the cgroup and those above it, in cores; none without a limit, or if
/// nothing is readable.
pub(super) fn cpu_cores() -> Option<f64> {
    let process = Process::myself().ok()?;
    let mounts = process.mountinfo().ok()?;
    let groups = process.cgroups().ok()?;
    let limits = groups.0.iter().filter_map(|group| {
        let mount = mounts.iter().find(|mount| carries_cpu(mount, group))?;
        tightest(&mount.mount_point, &below(mount, group))
    });
    limits.reduce(f64::min)
}

/// Whether the CPU's files of a cgroup are below a mount.
fn carries_cpu(mount: &MountInfo, group: &ProcessCGroup) -> bool {
    if group.hierarchy == 0 {
        mount.fs_type == "cgroup2"
    } else {
        let cpu = group.controllers.iter().any(|controller| controller == "cpu");
        cpu && mount.fs_type == "cgroup" && mount.super_options.contains_key("cpu")
    }
}

/// The path of a cgroup below its mount. In a container the mount may begin further down
/// than the path.
fn below(mount: &MountInfo, group: &ProcessCGroup) -> PathBuf {
    let path = Path::new(&group.pathname);
    let path = path.strip_prefix(&mount.root).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
    path.to_owned()
}

fn tightest(mount_point: &Path, below: &Path) -> Option<f64> {
    below.ancestors().filter_map(|part| limit(&mount_point.join(part))).reduce(f64::min)
}

/// The limit of one cgroup.
fn limit(directory: &Path) -> Option<f64> {
    let read = |file| fs::read_to_string(directory.join(file)).ok();
    let (quota, period) = match read("cpu.max") {
        Some(text) => {
            let (quota, period) = text.split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        }
        None => (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?),
    };
    // `max` in version 2, and -1 in version 1: no limit.
    let quota: u64 = quota.trim().parse().ok()?;
    let period: u64 = period.trim().parse().ok().filter(|period| *period > 0)?;
    Some(quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(directory).unwrap();
        for (name, text) in files {
            fs::write(directory.join(name), text).unwrap();
        }
    }

    #[test]
    fn the_tightest_limit_on_the_way_up_holds() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("a"), &[("cpu.max", "150000 100000\n")]);
        write(&root.path().join("a/b"), &[("cpu.max", "400000 100000\n")]);
        write(&root.path().join("a/b/c"), &[("cpu.max", "max 100000\n")]);
        assert_eq!(tightest(root.path(), Path::new("a/b/c")), Some(1.5));
        assert_eq!(limit(&root.path().join("a/b")), Some(4.0));
    }

    #[test]
    fn a_limit_of_version_1_is_read() {
        let root = tempfile::tempdir().unwrap();
        let files = [("cpu.cfs_quota_us", "50000\n"), ("cpu.cfs_period_us", "100000\n")];
        write(root.path(), &files);
        assert_eq!(tightest(root.path(), Path::new("")), Some(0.5));
    }

    #[test]
    fn no_limit_is_none() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(tightest(root.path(), Path::new("gone")), None);
        let unlimited = [("cpu.cfs_quota_us", "-1\n"), ("cpu.cfs_period_us", "100000\n")];
        write(root.path(), &unlimited);
        assert_eq!(tightest(root.path(), Path::new("")), None);
        for strange in ["", "max", "5 0", "x y"] {
            write(root.path(), &[("cpu.max", strange)]);
            assert_eq!(tightest(root.path(), Path::new("")), None, "{strange}");
        }
    }
}
