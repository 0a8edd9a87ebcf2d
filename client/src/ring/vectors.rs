//! The golden vectors: which server Envoy's own binary chose for 1,000 keys and 5 sets of servers.
//! `server/tests/field/ring.py` makes them, and `make test-field` makes them again and compares.

use serde_json::Value;
use tiny_cache_proto::key::Namespace;

use super::{Ring, RingSize, hash};
use crate::ring_key::ring_key;

#[test]
fn the_ring_chooses_the_servers_that_envoy_chooses() {
    let vectors = include_str!("../../testdata/ring.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let rings: Vec<_> = vectors["sets"].as_array().unwrap().iter().map(ring).collect();
    let keys = vectors["keys"].as_array().unwrap();
    assert_eq!((rings.len(), keys.len()), (5, 1000));
    for row in keys {
        let [namespace, key, text] = [0, 1, 2].map(|column| row[column].as_str().unwrap());
        assert_eq!(ring_key(Namespace::parse(namespace).unwrap(), key), text);
        let owners: Vec<_> = rings.iter().map(|ring| ring.owner(hash(text)).unwrap()).collect();
        let expected = row[3].as_array().unwrap().iter();
        let expected: Vec<_> = expected.map(|place| place.as_u64().unwrap() as usize).collect();
        assert_eq!(owners, expected, "{namespace}: {key}");
    }
}

fn ring(set: &Value) -> Ring {
    let servers = set["servers"].as_array().unwrap().iter();
    let servers: Vec<_> = servers
        .map(|server| {
            (server[0].as_str().unwrap(), u32::try_from(server[1].as_u64().unwrap()).unwrap())
        })
        .collect();
    let [min, max] = ["min", "max"].map(|name| set[name].as_u64().unwrap());
    Ring::new(&servers, RingSize { min, max, each: None })
}
