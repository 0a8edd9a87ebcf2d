//! What can be done with a cache. Each operation is one row here and one file in
//! `peers/operation/`, which has what is sent for it.

use strum::{EnumCount, VariantArray};
use tiny_cache_client::{Lease, Ttl};

/// Hands a macro the operations, a row for each: its name and what it carries, its file in
/// `peers/operation/`, and its name in a mix and in a report.
macro_rules! operations {
    ($with:ident) => {
        $with! {
            [Get(String) get "get"]
            [Set(Write) set "set"]
            [Delete(String) delete "delete"]
            [SetIfAbsent(Write) set_if_absent "set-if-absent"]
            [CompareAndSet(Write) compare_and_set "compare-and-set"]
            [MultiGet(Vec<String>) multi_get "mget"]
            [MultiSet(Vec<Write>) multi_set "mset"]
            [Read(String) read "read"]
            [Replace(Write) replace "replace"]
            [Incr(Counter) incr "incr"]
        }
    };
}

pub(crate) use operations;

macro_rules! define {
    ($([$operation:ident($carries:ty) $file:ident $name:literal])*) => {
        /// One operation.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum Operation {
            /// Reads a key and, on a miss, writes what the origin has. It counts as a Get.
            Fetch(Write),
            /// Writes what the origin had.
            Fill(Filling),
            $(
                #[doc = concat!("`", $name, "` in a mix")]
                $operation($carries),
            )*
        }

        /// The kinds of operations.
        #[derive(Clone, Copy, Debug, EnumCount, Eq, PartialEq, VariantArray)]
        pub enum Call {
            $(
                #[doc = concat!("`", $name, "` in a mix")]
                $operation,
            )*
            /// The write that follows a read that missed, when reads are cache-aside. No mix has it.
            Fill,
        }

        impl Call {
            /// Those that a mix can have.
            pub(super) fn mixed() -> impl Iterator<Item = Self> {
                Self::VARIANTS.iter().copied().filter(|call| *call != Self::Fill)
            }

            /// The name in a mix and in a report.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => $name,)*
                    Self::Fill => "fill",
                }
            }
        }

        impl Operation {
            /// Its kind.
            pub fn call(&self) -> Call {
                match self {
                    Self::Fetch(_) => Call::Get,
                    Self::Fill(_) => Call::Fill,
                    $(Self::$operation(_) => Call::$operation,)*
                }
            }

            /// What it writes.
            pub(crate) fn writes(&self) -> &[Write] {
                match self {
                    Self::Fetch(_) => &[],
                    Self::Fill(fill) => fill.write.writes(),
                    $(Self::$operation(carried) => carried.writes(),)*
                }
            }

            /// The keys that it names.
            pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
                let (read, written): (&[String], &[Write]) = match self {
                    Self::Fetch(write) => (&[], write.writes()),
                    Self::Fill(fill) => (&[], fill.write.writes()),
                    $(Self::$operation(carried) => (carried.keys(), carried.writes()),)*
                };
                read.iter().chain(written.iter().map(|write| &write.key)).map(String::as_str)
            }
        }
    };
}

operations!(define);

/// What is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Write {
    /// The key.
    pub key: String,
    /// Bytes of the value.
    pub size: u32,
    /// How long it lives.
    pub ttl: Ttl,
}

/// A key whose value is a number; no other operation asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counter(pub Write);

impl Carried for Counter {
    fn writes(&self) -> &[Write] {
        std::slice::from_ref(&self.0)
    }
}

/// What is written after a miss.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filling {
    /// What.
    pub write: Write,
    /// Under which lease, if the miss came with one.
    pub lease: Option<Lease>,
}

/// What an operation carries: keys, or writes.
trait Carried {
    fn keys(&self) -> &[String] {
        &[]
    }

    fn writes(&self) -> &[Write] {
        &[]
    }
}

impl Carried for String {
    fn keys(&self) -> &[String] {
        std::slice::from_ref(self)
    }
}

impl Carried for Vec<String> {
    fn keys(&self) -> &[String] {
        self
    }
}

impl Carried for Write {
    fn writes(&self) -> &[Write] {
        std::slice::from_ref(self)
    }
}

impl Carried for Vec<Write> {
    fn writes(&self) -> &[Write] {
        self
    }
}
