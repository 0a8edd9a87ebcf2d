//! What replies hold of values that the store no longer has.

use super::*;
use crate::pinned;

// Larger than what all other tests of this process hold together.
const LARGE: usize = 96 << 20;

fn store() -> StoreHandle {
    let limits = StoreLimits { max_bytes: 1 << 30, max_items: None, max_value_bytes: 200 << 20 };
    let one = NonZeroUsize::MIN;
    handle_of(&Store::new(limits, EvictionPolicy::Lru, one, one))
}

fn lend(store: &StoreHandle, name: &str) -> bytes::Bytes {
    let Lookup::Hit(value) = store.get(key(name)) else {
        panic!("{name} is there");
    };
    value.lend()
}

/// Whether values of so many times the size are held.
fn held(times: usize) -> bool {
    // Another test of this process counts in these units.
    (times * LARGE..(times + 1) * LARGE).contains(&(pinned::held() % (1 << 40)))
}

#[test]
fn a_value_counts_once_when_it_has_left_the_store_and_a_reply_holds_it() {
    let store = store();
    let large = vec![7; LARGE];
    for leaves in [0, 1, 2] {
        store.set(key("k"), &large, Ttl::Forever).unwrap();
        let replies = [lend(&store, "k"), lend(&store, "k")];
        assert!(held(0), "it is stored: the replies cost nothing more");
        match leaves {
            0 => store.set(key("k"), b"small", Ttl::Forever).unwrap(),
            1 => store.delete(key("k")),
            // Read before it leaves, lent afterwards.
            _ => {
                let Lookup::Hit(value) = store.get(key("k")) else { panic!() };
                drop(replies.clone());
                store.delete(key("k"));
                let late = value.lend();
                assert!(held(1));
                drop(late);
            }
        }
        assert!(held(1), "{leaves}");
        let [first, second] = replies;
        drop(first);
        assert!(held(1), "one is left");
        drop(second);
        assert!(held(0), "{leaves}");
    }
    // One that no reply holds leaves nothing behind.
    store.set(key("k"), &large, Ttl::Forever).unwrap();
    drop(lend(&store, "k"));
    store.delete(key("k"));
    assert!(held(0));
}
