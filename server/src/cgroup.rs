//! The container's limit on memory, as the kernel's control groups have it, version 1 or 2
//! (<https://docs.kernel.org/admin-guide/cgroup-v2.html>,
//! <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>).

use std::{fs, path::Path};

/// Where every distribution and container runtime mounts the groups.
const MOUNT: &str = "/sys/fs/cgroup";

/// Version 1 writes the largest number of whole pages for no limit; nobody has so much.
const UNLIMITED: u64 = 1 << 62;

/// The most memory that this process may take before the kernel ends it: the least limit of
/// its group and those above it. None where there is none, or where it cannot be read.
pub(crate) fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    least_limit(Path::new(MOUNT), &groups)
}

/// `groups` has lines of `number:controllers:path`.
fn least_limit(mount: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        if controllers.is_empty() {
            // Beside version 1, version 2 has a mount of its own.
            let own = mount.join("unified");
            let root = if own.is_dir() { own } else { mount.to_owned() };
            least_above(&root, path, "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            least_above(&mount.join("memory"), path, "memory.limit_in_bytes")
        } else {
            None
        }
    });
    limits.min()
}

/// The least limit from the group at `path` up to the mount. A container may see the host's
/// path and have its own group at the mount: what is not there is passed over.
fn least_above(root: &Path, path: &str, file: &str) -> Option<u64> {
    let path = Path::new(path.trim_start_matches('/'));
    let limits = path.ancestors().filter_map(|group| {
        let text = fs::read_to_string(root.join(group).join(file)).ok()?;
        // "max" is no number.
        text.trim().parse().ok().filter(|limit| *limit < UNLIMITED)
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn mounted(files: &[(&str, &str)]) -> TempDir {
        let mount = TempDir::new().unwrap();
        for (path, text) in files {
            let path = mount.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        mount
    }

    #[test]
    fn the_least_limit_of_a_group_and_its_ancestors_holds() {
        let mount = mounted(&[
            ("pods/memory.max", "1000\n"),
            ("pods/one/memory.max", "max\n"),
            ("pods/one/cache/memory.max", "3000\n"),
            ("pods/two/memory.max", "500\n"),
        ]);
        let limit = |groups| least_limit(mount.path(), groups);
        assert_eq!(limit("0::/pods/one/cache\n"), Some(1000));
        assert_eq!(limit("0::/pods/two\n"), Some(500));
        assert_eq!(limit("0::/\n"), None);
    }

    #[test]
    fn a_container_that_sees_the_hosts_path_has_its_limit_at_the_mount() {
        let mount = mounted(&[
            ("memory/memory.limit_in_bytes", "2000\n"),
            ("cpu/memory.limit_in_bytes", "1\n"),
        ]);
        let groups = "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n1:name=systemd:/\n0::/\n";
        assert_eq!(least_limit(mount.path(), groups), Some(2000));
    }

    #[test]
    fn version_2_beside_version_1_has_a_mount_of_its_own() {
        let mount = mounted(&[
            ("unified/a/memory.max", "700\n"),
            ("memory/a/memory.limit_in_bytes", "900\n"),
        ]);
        assert_eq!(least_limit(mount.path(), "4:memory:/a\n0::/a\n"), Some(700));
    }

    #[test]
    fn no_limit_is_none_in_either_spelling() {
        let mount = mounted(&[
            ("memory/a/memory.limit_in_bytes", "9223372036854771712\n"),
            ("a/memory.max", "max\n"),
        ]);
        assert_eq!(least_limit(mount.path(), "4:memory:/a\n"), None);
        assert_eq!(least_limit(mount.path(), "0::/a\n"), None);
        assert_eq!(least_limit(mount.path(), "0::/absent\nrubbish\n"), None);
    }
}
