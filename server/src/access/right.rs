//! What a caller may do, and what an RPC needs.

use std::{fmt, str::FromStr};

/// Something that a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Look values up.
    Read,
    /// Store, replace and delete values.
    Write,
    /// See figures of all callers, of the whole server.
    Administer,
}

impl Right {
    /// Every right, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Administer];

    /// Its name in the rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Administer => "administer",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromStr for Right {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|right| right.name() == text);
        known.ok_or_else(|| format!("{text:?} is no right; there are read, write and administer"))
    }
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights(u8);

impl Rights {
    pub(crate) const NONE: Self = Self(0);

    /// Where nobody is asked for a credential.
    pub(crate) const ALL: Self = Self(u8::MAX);

    pub(crate) fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | right.bit()))
    }
}

impl fmt::Display for Rights {
    /// As a list: `read, write`, or `nothing`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held: Vec<_> = Right::ALL.into_iter().filter(|right| self.has(*right)).collect();
        if held.is_empty() {
            return out.write_str("nothing");
        }
        out.write_str(&held.iter().map(|right| right.name()).collect::<Vec<_>>().join(", "))
    }
}

/// What an RPC needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Not even to be known.
    Nothing,
    /// To be known.
    Identity,
    /// A right in the namespace of the call.
    Namespace(Right),
    /// To read or to write in the namespace of the call; its message says which.
    AnyInNamespace,
    /// A right over the whole server.
    Server(Right),
}
