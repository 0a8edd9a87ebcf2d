//! A consistent-hash ring, point for point that of gRPC's `ring_hash` policy (gRFC A42) and of
//! Envoy's. Knows the names and weights of servers; never sees addresses, connections or calls.
//!
//! A server has points at `XXH64("{name}_{i}")` with seed 0, for `i` from 0. A key belongs to the
//! server of the first point at or behind the key's own hash.

use twox_hash::XxHash64;

/// How many points a ring has, all servers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RingSize {
    /// At least about as many. More points divide the keys more evenly.
    pub(crate) min: u64,
    /// At most as many, if servers have very different weights, or are many.
    pub(crate) max: u64,
    /// The points of the server with the least weight, in place of both limits. A ring of limited
    /// size takes points from all servers when one is added, which moves keys between them.
    pub(crate) each: Option<u64>,
}

impl RingSize {
    /// gRPC's defaults. Envoy's minimum is the same; its maximum has to be set.
    pub(crate) const DEFAULT: Self = Self { min: 1024, max: 4096, each: None };

    /// Most points that a server can be given: more divide the keys no better.
    pub(crate) const MOST_EACH: u64 = 10_000;

    /// The limit of gRPC and Envoy.
    pub(crate) const LARGEST: u64 = 8 << 20;
}

/// The hash of a name or a key's text.
pub(crate) fn hash(text: &str) -> u64 {
    XxHash64::oneshot(0, text.as_bytes())
}

/// The ring. Servers are named by their places in the list that it was made of.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// In ascending order. Apart from the owners, so that a search touches less memory.
    points: Vec<u64>,
    /// The owner of each point.
    owners: Vec<u32>,
    servers: usize,
}

impl Ring {
    /// A ring of servers with these names and weights, each weight at least 1. The names must be
    /// in ascending order, as grpc-go sorts them: where the points do not divide evenly, the order
    /// decides who gets one more.
    pub(crate) fn new(servers: &[(&str, u32)], size: RingSize) -> Self {
        let sum: u64 = servers.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let share = |weight: u32| f64::from(weight) / sum as f64;
        let least = servers.iter().map(|(_, weight)| share(*weight)).fold(1.0, f64::min);
        // The server with the least weight gets a whole number of points.
        let scale = match size.each {
            None => ((least * size.min as f64).ceil() / least).min(size.max as f64),
            Some(each) => (each as f64 / least).min(RingSize::LARGEST as f64),
        };

        let mut points: Vec<(u64, u32)> = Vec::with_capacity(scale.ceil() as usize);
        let mut target = 0.0;
        for (place, (name, weight)) in servers.iter().enumerate() {
            target += scale * share(*weight);
            let mut n = 0;
            while (points.len() as f64) < target {
                points.push((hash(&format!("{name}_{n}")), place as u32));
                n += 1;
            }
        }
        points.sort_unstable();
        let (points, owners) = points.into_iter().unzip();
        Self { points, owners, servers: servers.len() }
    }

    /// The owner of a hash; none if there is no server.
    pub(crate) fn owner(&self, hash: u64) -> Option<usize> {
        self.owners.get(self.place(hash)).map(|owner| *owner as usize)
    }

    /// Every server with a point, in the order in which they inherit the keys of a hash: its owner
    /// first, then the owners of the points that follow.
    pub(crate) fn heirs(&self, hash: u64) -> impl Iterator<Item = usize> {
        let (before, behind) = self.owners.split_at(self.place(hash));
        let owners = behind.iter().chain(before);
        let mut seen = vec![false; self.servers];
        owners
            .map(|owner| *owner as usize)
            .filter(move |owner| !std::mem::replace(&mut seen[*owner], true))
    }

    /// The place of the first point at or behind a hash. The ring closes behind the last point.
    fn place(&self, hash: u64) -> usize {
        let place = self.points.partition_point(|point| *point < hash);
        if place == self.points.len() { 0 } else { place }
    }
}

#[cfg(test)]
mod vectors; // what Envoy chooses

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("tiny-cache-{n}.tiny-cache-nodes")).collect()
    }

    fn ring(names: &[String]) -> Ring {
        let servers: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        Ring::new(&servers, RingSize::DEFAULT)
    }

    fn points(ring: &Ring) -> Vec<usize> {
        let mut counts = vec![0; ring.servers];
        ring.owners.iter().for_each(|owner| counts[*owner as usize] += 1);
        counts
    }

    #[test]
    fn a_hash_is_xxh64_with_seed_0() {
        // The vectors of the algorithm's own specification.
        assert_eq!(hash(""), 0xef46_db37_51d8_e999);
        assert_eq!(hash("a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(hash("abc"), 0x44bc_2cf5_ad77_0999);
    }

    #[test]
    fn servers_of_one_weight_have_as_many_points_each() {
        assert_eq!(points(&ring(&names(1))), [1024]);
        assert_eq!(points(&ring(&names(3))), [342; 3]);
        assert_eq!(points(&ring(&names(10))), [103; 10]);
    }

    #[test]
    fn points_follow_the_weights_between_the_sizes() {
        let of = |weights: [u32; 3], min, max| {
            let servers: Vec<_> = ["a", "b", "c"].into_iter().zip(weights).collect();
            points(&Ring::new(&servers, RingSize { min, max, each: None }))
        };
        // The example of grpc-go's `ring.go`: the scale is 6.66.
        assert_eq!(of([3, 3, 4], 6, 1024), [2, 2, 3]);
        assert_eq!(of([1, 2, 1], 8, 8), [2, 4, 2]);
        assert_eq!(of([1, 1000, 1], 1024, 100).iter().sum::<usize>(), 100);
    }

    #[test]
    fn a_hash_behind_the_last_point_belongs_to_the_first() {
        let ring = ring(&names(4));
        let (first, last) = (ring.points[0], ring.points[ring.points.len() - 1]);
        assert_eq!(ring.owner(last + 1), ring.owner(0));
        assert_eq!(ring.owner(first), ring.owner(0));
        assert_eq!(ring.owner(last), Some(ring.owners[ring.owners.len() - 1] as usize));
        assert_eq!(Ring::default().owner(7), None);
    }

    #[test]
    fn heirs_are_all_servers_once_and_the_first_is_the_owner() {
        let ring = ring(&names(5));
        for n in 0..1000 {
            let hash = hash(&format!("key-{n}"));
            let heirs: Vec<_> = ring.heirs(hash).collect();
            assert_eq!(heirs.first().copied(), ring.owner(hash));
            let mut sorted = heirs.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4]);
        }
        assert_eq!(Ring::default().heirs(7).count(), 0);
    }

    #[test]
    fn without_a_server_its_keys_go_to_their_heirs_and_no_other_key_moves() {
        let names = names(5);
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let size = RingSize { each: Some(200), ..RingSize::DEFAULT };
        let (whole, rest) = (Ring::new(&all, size), Ring::new(&all[..4], size));
        for n in 0..1000 {
            let hash = hash(&format!("key-{n}"));
            assert_eq!(rest.owner(hash), whole.heirs(hash).find(|server| *server != 4));
        }
    }

    /// The shares of 100,000 keys that move to an eleventh server and between the others, in
    /// elevenths.
    fn moves(size: RingSize) -> (f64, f64) {
        let place = |count| -> Vec<String> {
            let mut sorted = names(count);
            sorted.sort();
            let servers: Vec<_> = sorted.iter().map(|name| (name.as_str(), 1)).collect();
            let ring = Ring::new(&servers, size);
            let owner = |n| sorted[ring.owner(hash(&format!("key-{n}"))).unwrap()].clone();
            (0..100_000).map(owner).collect()
        };
        let (before, after) = (place(10), place(11));
        let moved = before.iter().zip(&after).filter(|(from, to)| from != to);
        let (to_new, others): (Vec<_>, Vec<_>) = moved.partition(|(_, to)| to.contains("-10."));
        let share = |count: usize| count as f64 / 100_000.0 * 11.0;
        (share(to_new.len()), share(others.len()))
    }

    #[test]
    fn an_eleventh_server_takes_about_an_eleventh_of_the_keys() {
        let (to_new, others) = moves(RingSize { each: Some(100), ..RingSize::DEFAULT });
        assert!((0.8..=1.2).contains(&to_new), "{to_new} of an eleventh");
        assert!(others == 0.0, "{others} of an eleventh");
        // A ring of gRPC's size has 103 points for each of ten servers, and 94 for each of eleven:
        // the 9 that go take keys with them.
        let (to_new, others) = moves(RingSize::DEFAULT);
        assert!((0.8..=1.2).contains(&to_new), "{to_new} of an eleventh");
        assert!((0.6..=1.0).contains(&others), "{others} of an eleventh");
    }
}
