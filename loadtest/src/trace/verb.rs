//! What an operation of a trace is called, and what a replay makes of it.

/// The operation of a row, as far as a replay tells operations apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    /// Looks a key up.
    Read,
    /// Leaves a value behind, and the row says how long it is.
    Write,
    /// Deletes a key.
    Delete,
}

/// What was expected where a name is none of these.
pub(super) const EXPECTED: &str = "an operation such as get, set or delete (--help lists them)";

/// The names, in small letters: those of memcached, of cachebench, of libCacheSim, and what
/// logs of other stores call the same. Conditional and arithmetic operations leave a value
/// behind as well. The numbers are those of SCSI, which block traces have.
const NAMES: [(Verb, &[&str]); 3] = [
    (Verb::Read, &["get", "gets", "get_lease", "read", "r", "28", "88"]),
    (
        Verb::Write,
        &[
            "set",
            "set_lease",
            "add",
            "replace",
            "cas",
            "append",
            "prepend",
            "incr",
            "decr",
            "put",
            "write",
            "w",
            "update",
            "insert",
            "2a",
            "8a",
        ],
    ),
    (Verb::Delete, &["delete", "del", "d", "remove"]),
];

/// The longest name.
const LONGEST: usize = 9;

impl Verb {
    /// Reads a name, in small or capital letters.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        if name.len() > LONGEST {
            return None;
        }
        let is = |known: &&str| name.eq_ignore_ascii_case(known.as_bytes());
        NAMES.iter().find(|(_, names)| names.iter().any(is)).map(|(verb, _)| *verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_verb_in_small_and_capital_letters() {
        for (verb, names) in [
            (Verb::Read, "get gets GET GET_LEASE read Read r"),
            (Verb::Write, "set add replace cas append prepend incr decr SET SET_LEASE Write PUT w"),
            (Verb::Delete, "delete DELETE Del"),
        ] {
            for name in names.split(' ') {
                assert_eq!(Verb::parse(name.as_bytes()), Some(verb), "{name}");
            }
        }
        for name in ["", "touch", "ge", "getx", "set_leases", "delete all"] {
            assert_eq!(Verb::parse(name.as_bytes()), None, "{name}");
        }
    }
}
