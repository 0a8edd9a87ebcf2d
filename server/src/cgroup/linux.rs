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

use super::MemoryLimit;

/// Version 1 has no word for "no limit": it shows the largest number of pages that it can
/// count, in bytes, which depends on the size of a page and is above this everywhere.
const UNLIMITED: u64 = 1 << 62;

/// Files of a group that bound what the process can use. Above `memory.max` and
/// `memory.limit_in_bytes` the kernel kills it; above `memory.high` it puts it to sleep at each
/// allocation until enough was taken back, which a cache that keeps its entries never reaches.
const HARD: Files = Files { v2: &["memory.max", "memory.high"], v1: &["memory.limit_in_bytes"] };

const SOFT: Files = Files { v2: &[], v1: &["memory.soft_limit_in_bytes"] };

struct Files {
    v2: &'static [&'static str],
    v1: &'static [&'static str],
}

/// Reads everything below `root`, which tests fill.
pub(super) fn memory_limit(root: &Path) -> Option<MemoryLimit> {
    let mut limits = limits(root, &HARD);
    if !limits.is_empty() {
        // A limit above the machine's memory would never be reached.
        limits.extend(machine(root));
    }
    limits.into_iter().min_by_key(|limit| limit.bytes)
}

pub(super) fn soft_limit(root: &Path) -> Option<MemoryLimit> {
    limits(root, &SOFT).into_iter().min_by_key(|limit| limit.bytes)
}

/// What `files` say in the process's groups and in those around them.
fn limits(root: &Path, files: &Files) -> Vec<MemoryLimit> {
    let Ok(groups) = ProcessCGroups::from_file(root.join("proc/self/cgroup")) else {
        return Vec::new();
    };
    let Ok(mounts) = MountInfos::from_file(root.join("proc/self/mountinfo")) else {
        return Vec::new();
    };
    // A hybrid system has groups of both versions; memory is limited in one of them.
    groups.0.iter().flat_map(|group| around(root, group, &mounts, files)).collect()
}

/// The limits of a group and of the groups around it.
fn around(
    root: &Path,
    group: &ProcessCGroup,
    mounts: &MountInfos,
    files: &Files,
) -> Vec<MemoryLimit> {
    let unified = group.hierarchy == 0;
    if !unified && !group.controllers.iter().any(|controller| controller == "memory") {
        return Vec::new();
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
    let files = if unified { files.v2 } else { files.v1 };
    places.iter().flat_map(|(mount, path)| upwards(root, mount, path, files)).collect()
}

/// Where a mount shows the group; `None`: it does not. A container often sees no more of
/// the hierarchy than its own group, mounted as if it were the root.
fn inside(mount: &MountInfo, group: &ProcessCGroup) -> Option<PathBuf> {
    let path = Path::new(&group.pathname).strip_prefix(&mount.root).ok()?;
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| path.to_owned())
}

/// The limits from `path` up to where the hierarchy is mounted.
fn upwards(root: &Path, mount: &MountInfo, path: &Path, files: &[&str]) -> Vec<MemoryLimit> {
    let Ok(top) = mount.mount_point.strip_prefix("/") else { return Vec::new() };
    let limit =
        |file: PathBuf, bytes: u64| MemoryLimit { bytes, source: Some(Path::new("/").join(file)) };
    let mut limits: Vec<_> = path
        .ancestors()
        .flat_map(|group| files.iter().map(move |file| top.join(group).join(file)))
        .filter_map(|file| {
            // `max` is no number, and a group without the controller has no file.
            let bytes = fs::read_to_string(root.join(&file)).ok()?.trim().parse().ok()?;
            Some(limit(file, bytes))
        })
        .collect();
    if files.contains(&"memory.limit_in_bytes") {
        // Version 1 also shows what groups impose that lie above the mount.
        let file = top.join(path).join("memory.stat");
        let stat = fs::read_to_string(root.join(&file)).unwrap_or_default();
        let imposed = stat.lines().find_map(|line| line.strip_prefix("hierarchical_memory_limit "));
        limits.extend(imposed.and_then(|text| Some(limit(file, text.trim().parse().ok()?))));
    }
    limits.retain(|limit| limit.bytes < UNLIMITED);
    limits
}

/// The machine's memory.
fn machine(root: &Path) -> Option<MemoryLimit> {
    const FILE: &str = "proc/meminfo";
    let text = fs::read_to_string(root.join(FILE)).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(MemoryLimit { bytes: kib.checked_mul(1024)?, source: Some(Path::new("/").join(FILE)) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::{memory_limit, soft_limit};

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
        memory_limit(machine(cgroup, mounts, files).path()).map(|limit| limit.bytes)
    }

    /// The limit as the refusal of a cache that does not fit shows it.
    fn shown(cgroup: &str, mounts: &[&str], files: &[(&str, &str)]) -> String {
        memory_limit(machine(cgroup, mounts, files).path()).unwrap().to_string()
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

    /// `auto` took 716 MiB where the group was throttled at 200 MiB.
    #[test]
    fn v2_counts_the_throttle_as_it_counts_the_limit() {
        let own = [("a/memory.max", "1073741824\n"), ("a/memory.high", "209715200\n")];
        assert_eq!(limit("0::/a\n", &[V2], &own), Some(200 << 20));
        assert_eq!(shown("0::/a\n", &[V2], &own), "/sys/fs/cgroup/a/memory.high: 209715200");
        // One without the other, one above the other, and neither.
        let alone = [("a/memory.max", "max\n"), ("a/memory.high", "209715200\n")];
        assert_eq!(limit("0::/a\n", &[V2], &alone), Some(200 << 20));
        let above = [("a/memory.max", "134217728\n"), ("a/memory.high", "209715200\n")];
        assert_eq!(shown("0::/a\n", &[V2], &above), "/sys/fs/cgroup/a/memory.max: 134217728");
        let neither = [("a/memory.max", "max\n"), ("a/memory.high", "max\n")];
        assert_eq!(limit("0::/a\n", &[V2], &neither), None);
        // No memory at all is a limit too.
        let none = [("a/memory.max", "max\n"), ("a/memory.high", "0\n")];
        assert_eq!(limit("0::/a\n", &[V2], &none), Some(0));
    }

    #[test]
    fn v2_counts_the_throttles_of_the_groups_around() {
        let group = "0::/a.slice/b.slice/c.scope\n";
        let files = [
            ("a.slice/memory.high", "1073741824\n"),
            ("a.slice/memory.max", "max\n"),
            ("a.slice/b.slice/memory.high", "268435456\n"),
            ("a.slice/b.slice/memory.max", "536870912\n"),
            ("a.slice/b.slice/c.scope/memory.max", "2147483648\n"),
            ("a.slice/b.slice/c.scope/memory.high", "max\n"),
            ("a.slice/other/memory.high", "1048576\n"),
        ];
        let shown = shown(group, &[V2], &files);
        assert_eq!(shown, "/sys/fs/cgroup/a.slice/b.slice/memory.high: 268435456");
    }

    #[test]
    fn v2_in_a_container_counts_the_throttle_of_the_root_that_it_sees() {
        let files = [("memory.max", "1073741824\n"), ("memory.high", "67108864\n")];
        assert_eq!(shown("0::/\n", &[V2], &files), "/sys/fs/cgroup/memory.high: 67108864");
    }

    #[test]
    fn v1_shows_the_soft_limit_and_does_not_count_it() {
        let files = [
            ("memory/docker/memory.soft_limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/c1/memory.soft_limit_in_bytes", "67108864\n"),
            ("memory/docker/c1/memory.limit_in_bytes", "134217728\n"),
        ];
        assert_eq!(limit(V1_GROUPS, &[V1], &files), Some(128 << 20));
        let soft = soft_limit(machine(V1_GROUPS, &[V1], &files).path()).unwrap();
        let file = "/sys/fs/cgroup/memory/docker/c1/memory.soft_limit_in_bytes";
        assert_eq!(soft.to_string(), format!("{file}: 67108864"));
        // Alone it is no limit, and version 2 has none.
        assert_eq!(limit(V1_GROUPS, &[V1], &files[..2]), None);
        let v2 = [("a/memory.high", "1048576\n"), ("a/memory.low", "1\n")];
        assert_eq!(soft_limit(machine("0::/a\n", &[V2], &v2).path()), None);
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
        let file = "/sys/fs/cgroup/memory/memory.stat";
        assert_eq!(shown(V1_GROUPS, &[mount], &files), format!("{file}: 33554432"));
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
        // The other way round: version 1 for the rest, memory in version 2.
        let files = [("unified/docker/c1/memory.high", "67108864\n")];
        let groups = "4:cpu,cpuacct:/docker/c1\n0::/docker/c1\n";
        assert_eq!(limit(groups, &[unified], &files), Some(64 << 20));
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
        assert_eq!(shown("0::/\n", &[V2], &files), "/proc/meminfo: 8589934592");
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
        assert_eq!(memory_limit(root.path()).map(|limit| limit.bytes), Some(1 << 20));
    }
}
