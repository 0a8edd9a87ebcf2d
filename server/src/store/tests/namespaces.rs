//! The figures of namespaces.

use std::time::Duration;

use tiny_cache_proto::key::{Key, Namespace};

use super::{MIB, advance, handle_of, key, seconds, store, sweep};
use crate::store::{EvictionPolicy, StoreHandle, Ttl};

/// Hits, misses, entries and bytes of a namespace.
fn of_namespace(handle: &StoreHandle, name: &str) -> Option<[u64; 4]> {
    let namespaces = handle.store().detail().namespaces;
    let found = namespaces.into_iter().find(|namespace| namespace.name == name)?;
    Some([found.hits, found.misses, found.entries, found.memory_bytes])
}

#[test]
fn each_namespace_has_its_figures() {
    let store = store(64 * MIB, 0, 8, EvictionPolicy::Window);
    let handle = handle_of(&store);
    let within = |name, text| Key::parse(Namespace::parse(name).unwrap(), text).unwrap();
    handle.get(within("made-up", "k"));
    assert_eq!(of_namespace(&handle, "made-up"), None);
    assert_eq!(of_namespace(&handle, "_other"), Some([0, 1, 0, 0]));

    handle.set(within("team", "k"), b"value", seconds(10)).unwrap();
    handle.set(key("k"), b"value", Ttl::Forever).unwrap();
    handle.get(within("team", "k"));
    handle.get(within("team", "none"));
    handle.get(key("k"));
    let whole = store.stats();
    let [.., team] = of_namespace(&handle, "team").unwrap();
    let [.., shared] = of_namespace(&handle, "_shared").unwrap();
    assert_eq!(of_namespace(&handle, "team"), Some([1, 1, 1, team]));
    assert_eq!(of_namespace(&handle, "_shared"), Some([1, 0, 1, shared]));
    // Both take a block of 64 bytes, and the one with a TTL the place of its deadline.
    assert_eq!((team - shared, team + shared), (32, whole.memory_bytes));
    assert_eq!((whole.hits, whole.misses), (2, 2));

    // It counts its own bytes off, however it leaves, and keeps its name.
    handle.set(within("team", "k"), &[7; 1000], seconds(10)).unwrap();
    assert_eq!(of_namespace(&handle, "team").unwrap()[2..], [1, team - 64 + 1280]);
    advance(&handle, Duration::from_secs(10));
    sweep(&store);
    assert_eq!(of_namespace(&handle, "team"), Some([1, 1, 0, 0]));
    assert_eq!(of_namespace(&handle, "_shared"), Some([1, 0, 1, shared]));
}
