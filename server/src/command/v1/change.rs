//! What a write and a removal have in common: the condition on which they are made, and the reply.

use tiny_cache_proto::v1::{self, Outcome as Told, Presence, WriteReply, condition::Holds};

use crate::{
    call::{Field, ReplyMessage, ReplyWriter, each_field},
    rejection::Rejection,
    store::{Changed, Condition, Outcome, Previous},
};

/// What has to hold, as it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Given<'a> {
    #[default]
    Nothing,
    Presence(i32),
    Version(i64),
    Value(&'a [u8]),
    Hash(&'a [u8]),
}

impl<'a> Given<'a> {
    pub(super) fn of(condition: &'a v1::Condition) -> Self {
        match &condition.holds {
            None => Self::Nothing,
            Some(Holds::Presence(presence)) => Self::Presence(*presence),
            Some(Holds::Version(version)) => Self::Version(*version),
            Some(Holds::Value(value)) => Self::Value(value),
            Some(Holds::ValueSha256(hash)) => Self::Hash(hash),
        }
    }

    pub(super) fn decode(message: &'a [u8]) -> Option<Self> {
        let mut given = Self::Nothing;
        each_field(message, |number, field| {
            given = match (number, field) {
                (1, Field::Number(presence)) => Self::Presence(presence as i32),
                (2, Field::Number(version)) => Self::Version(version as i64),
                (3, Field::Bytes(value)) => Self::Value(value),
                (4, Field::Bytes(hash)) => Self::Hash(hash),
                _ => return None,
            };
            Some(())
        })?;
        Some(given)
    }

    /// What holds of every entry, for a change without a condition.
    pub(super) fn parse(given: Option<Self>) -> Result<Condition<'a>, Rejection> {
        let Some(given) = given else { return Ok(Condition::Always) };
        Ok(match given {
            Self::Presence(presence) => match Presence::try_from(presence) {
                Ok(Presence::Absent) => Condition::Absent,
                Ok(Presence::Present) => Condition::Present,
                Ok(Presence::Unspecified) | Err(_) => {
                    return Err(Rejection::Invalid(format!(
                        "condition.presence is {presence}: it is 1 for absent or 2 for present"
                    )));
                }
            },
            Self::Version(version) => Condition::Version(version as u64),
            Self::Value(value) => Condition::Value(value),
            Self::Hash(hash) => Condition::Hash(hash.try_into().map_err(|_| {
                let bytes = hash.len();
                let text = format!("condition.value_sha256 has {bytes} bytes: a SHA-256 has 32");
                Rejection::Invalid(text)
            })?),
            Self::Nothing => {
                let text = "condition is empty: set one of its fields, or leave it out";
                return Err(Rejection::Invalid(text.to_owned()));
            }
        })
    }
}

/// What a change did.
#[derive(Debug)]
pub(crate) struct Change {
    changed: Changed,
    /// 0 within a batch.
    process: u32,
}

impl Change {
    /// A change within a batch.
    pub(super) fn new(changed: Changed) -> Self {
        Self { changed, process: 0 }
    }

    pub(super) fn in_process(self, process: u32) -> Self {
        Self { process, ..self }
    }

    /// Bytes of the value that the reply has.
    pub(super) fn value_bytes(&self) -> usize {
        let previous = self.changed.previous.as_ref();
        previous.and_then(|previous| previous.value.as_ref()).map_or(0, |value| value.len())
    }

    /// The message without the value; that of a removal has the same fields.
    pub(super) fn facts(&self) -> WriteReply {
        let Changed { outcome, version, previous, lost_lease } = &self.changed;
        let outcome = match outcome {
            _ if *lost_lease => Told::LeaseLost,
            Outcome::Stored => Told::Applied,
            Outcome::Exists => Told::Exists,
            Outcome::NotFound => Told::NotFound,
            Outcome::Mismatch => Told::Mismatch,
        };
        WriteReply {
            outcome: outcome.into(),
            version: version.map_or(0, |version| version.get() as i64),
            previous_version: previous.as_ref().map_or(0, |was| was.version.get() as i64),
            process_id: self.process,
            ..WriteReply::default()
        }
    }
}

impl ReplyMessage for Change {
    fn write(&self, message: &mut ReplyWriter) {
        message.fields_of(&self.facts());
        if let Some(Previous { value: Some(value), .. }) = &self.changed.previous {
            message.value(3, value, || value.lend());
        }
    }
}
