//! Reads control groups of version 1 and 2. Where a file cannot be read, no limit is known.
//!
//! The files: [cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html),
//! [v1](https://docs.kernel.org/admin-guide/cgroup-v1/memory.html),
//! [proc_pid_cgroup(5)](https://man7.org/linux/man-pages/man5/proc_pid_cgroup.5.html),
//! [proc_pid_mountinfo(5)](https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html).

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use procfs::{
    FromRead, ProcessCGroup, ProcessCGroups,
    process::{MountInfo, MountInfos},
};

/// Version 1 has no word for "no limit": it shows the largest number of pages that it can
/// count, in bytes, which depends on the size of a page and is above this everywhere.
const UNLIMITED: u64 = 1 << 62;

/// Reads everything below `root`, which tests fill.
pub(super) fn memory_limit(root: &Path) -> Option<u64> {
    let groups = ProcessCGroups::from_file(root.join("proc/self/cgroup")).ok()?;
    let mounts = MountInfos::from_file(root.join("proc/self/mountinfo")).ok()?;
    // A hybrid system has groups of both versions; memory is limited in one of them.
    let limit = groups.0.iter().filter_map(|group| least(root, group, &mounts)).min()?;
    Some(machine(root).map_or(limit, |memory| memory.min(limit)))
}

/// The least limit of a group and of the groups around it.
fn least(root: &Path, group: &ProcessCGroup, mounts: &MountInfos) -> Option<u64> {
    let unified = group.hierarchy == 0;
    if !unified && !group.controllers.iter().any(|controller| controller == "memory") {
        return None;
    }
    let shows = |mount: &&MountInfo| match mount.fs_type.as_str() {
        "cgroup2" => unified,
        "cgroup" => !unified && mount.super_options.contains_key("memory"),
        _ => false,
    };
    let mounts: Vec<_> = mounts.iter().filter(shows).collect();
    let places = mounts.iter().filter_map(|mount| Some((*mount, inside(mount, group)?)));
    let mut places: Vec<_> = places.collect();
    if places.is_empty() {
        // The group's path is one of another namespace, so what a runtime mounted for this
        // container is taken for its group.
        places = mounts.into_iter().map(|mount| (mount, PathBuf::new())).collect();
    }
    places.iter().filter_map(|(mount, path)| least_below(root, mount, path)).min()
}

/// Where a mount shows the group; `None`: it does not. A container often sees no more of
/// the hierarchy than its own group, mounted as if it were the root.
fn inside(mount: &MountInfo, group: &ProcessCGroup) -> Option<PathBuf> {
    let path = Path::new(&group.pathname).strip_prefix(&mount.root).ok()?;
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| path.to_owned())
}

/// The least limit from `path` up to where the hierarchy is mounted.
fn least_below(root: &Path, mount: &MountInfo, path: &Path) -> Option<u64> {
    let top = root.join(mount.mount_point.strip_prefix("/").ok()?);
    let file = if mount.fs_type == "cgroup2" { "memory.max" } else { "memory.limit_in_bytes" };
    // `max` is no number, and a group without the controller has no file.
    let limits = path.ancestors().filter_map(|group| {
        fs::read_to_string(top.join(group).join(file)).ok()?.trim().parse().ok()
    });
    // Version 1 also tells what groups impose that lie above the mount.
    let stat = fs::read_to_string(top.join(path).join("memory.stat")).unwrap_or_default();
    let imposed = stat
        .lines()
        .filter_map(|line| line.strip_prefix("hierarchical_memory_limit ")?.parse().ok());
    limits.chain(imposed).filter(|limit| *limit < UNLIMITED).min()
}

/// The machine's memory: a limit above it would never be reached.
fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::memory_limit;

    const V2: &str = "0 0 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    const V1: &str = "0 0 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory";
    const ROOT: &str = "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw";

    /// A machine of 8 GiB with these files; those of cgroups are named below /sys/fs/cgroup.
    fn machine(cgroup: &str, mounts: &[&str], files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        let write = |path: String, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/self/cgroup".to_owned(), cgroup);
        write("proc/self/mountinfo".to_owned(), &format!("{ROOT}\n{}\n", mounts.join("\n")));
        write("proc/meminfo".to_owned(), "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
        for (name, text) in files {
            write(format!("sys/fs/cgroup/{name}"), text);
        }
        root
    }

    fn limit(cgroup: &str, mounts: &[&str], files: &[(&str, &str)]) -> Option<u64> {
        memory_limit(machine(cgroup, mounts, files).path())
    }

    #[test]
    fn v2_in_a_container_is_the_root_that_it_sees() {
        let files = [("memory.max", "134217728\n")];
        assert_eq!(limit("0::/\n", &[V2], &files), Some(128 << 20));
    }

    #[test]
    fn v2_takes_the_least_of_the_group_and_those_around_it() {
        let files = [
            ("kubepods.slice/memory.max", "4294967296\n"),
            ("kubepods.slice/pod1/memory.max", "268435456\n"),
            ("kubepods.slice/pod1/c1/memory.max", "536870912\n"),
            ("kubepods.slice/other/memory.max", "1048576\n"),
        ];
        let limit = limit("0::/kubepods.slice/pod1/c1\n", &[V2], &files);
        assert_eq!(limit, Some(256 << 20));
    }

    #[test]
    fn max_is_no_limit_and_hides_none() {
        let own = [("a/memory.max", "max\n")];
        assert_eq!(limit("0::/a\n", &[V2], &own), None);
        let around = [("a/b/memory.max", "max\n"), ("a/memory.max", "1073741824\n")];
        assert_eq!(limit("0::/a/b\n", &[V2], &around), Some(1 << 30));
    }

    const V1_GROUPS: &str = "9:name=systemd:/docker/c1\n4:cpu,cpuacct:/docker/c1\n\
                             3:blkio,memory:/docker/c1\n";

    #[test]
    fn v1_takes_the_least_of_the_group_and_those_around_it() {
        let files = [
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/memory.limit_in_bytes", "1073741824\n"),
            ("memory/docker/c1/memory.limit_in_bytes", "2147483648\n"),
        ];
        assert_eq!(limit(V1_GROUPS, &[V1], &files), Some(1 << 30));
    }

    #[test]
    fn v1_in_a_container_is_mounted_from_its_own_group() {
        let mount = "0 0 0:32 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let files = [("memory/memory.limit_in_bytes", "67108864\n")];
        assert_eq!(limit(V1_GROUPS, &[mount], &files), Some(64 << 20));
    }

    #[test]
    fn v1_tells_of_limits_above_what_is_mounted() {
        let mount = "0 0 0:32 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let files = [
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/memory.stat", "cache 0\nhierarchical_memory_limit 33554432\nrss 1\n"),
        ];
        assert_eq!(limit(V1_GROUPS, &[mount], &files), Some(32 << 20));
    }

    #[test]
    fn the_unlimited_of_v1_is_no_limit_whatever_the_size_of_a_page() {
        for unlimited in ["9223372036854771712", "9223372036854710272", "9223372036854775807"] {
            let files = [("memory/docker/c1/memory.limit_in_bytes", unlimited)];
            assert_eq!(limit(V1_GROUPS, &[V1], &files), None);
        }
    }

    #[test]
    fn a_hybrid_system_limits_memory_in_v1() {
        let unified = "0 0 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let files = [
            ("memory/docker/c1/memory.limit_in_bytes", "67108864\n"),
            ("unified/docker/c1/cgroup.procs", "1\n"),
        ];
        let groups = format!("{V1_GROUPS}0::/docker/c1\n");
        assert_eq!(limit(&groups, &[V1, unified], &files), Some(64 << 20));
    }

    #[test]
    fn another_controllers_mount_is_not_read() {
        let cpu = "0 0 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct";
        let files = [("cpu/docker/c1/memory.limit_in_bytes", "67108864\n")];
        assert_eq!(limit(V1_GROUPS, &[cpu], &files), None);
    }

    #[test]
    fn a_path_of_another_namespace_is_read_where_the_hierarchy_is_mounted() {
        let outside = "0 0 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        let files = [("memory.max", "134217728\n")];
        assert_eq!(limit("0::/\n", &[outside], &files), Some(128 << 20));
        assert_eq!(limit("0::/../../else\n", &[V2], &files), Some(128 << 20));
    }

    #[test]
    fn a_mount_that_shows_the_group_goes_before_one_that_does_not() {
        let other = "0 0 0:26 /other /sys/fs/cgroup/other rw - cgroup2 cgroup2 rw";
        let files = [("a/memory.max", "134217728\n"), ("other/memory.max", "1048576\n")];
        assert_eq!(limit("0::/a\n", &[V2, other], &files), Some(128 << 20));
    }

    #[test]
    fn a_limit_above_the_machines_memory_is_the_machines_memory() {
        let files = [("memory.max", "1099511627776\n")];
        assert_eq!(limit("0::/\n", &[V2], &files), Some(8 << 30));
    }

    #[test]
    fn missing_and_broken_files_tell_of_no_limit() {
        assert_eq!(memory_limit(TempDir::new().unwrap().path()), None);
        assert_eq!(limit("0::/a\n", &[V2], &[]), None);
        assert_eq!(limit("0::/a\n", &[], &[("a/memory.max", "1\n")]), None);
        assert_eq!(limit("nonsense\n", &[V2], &[("memory.max", "1048576\n")]), None);
        assert_eq!(limit("0::/\n", &[V2], &[("memory.max", "much\n")]), None);
        // The limit counts where the machine's memory is not known.
        let root = machine("0::/\n", &[V2], &[("memory.max", "1048576\n")]);
        fs::remove_file(root.path().join("proc/meminfo")).unwrap();
        assert_eq!(memory_limit(root.path()), Some(1 << 20));
    }
}
