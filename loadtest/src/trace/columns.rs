//! What the columns of a table are called and what they mean to a replay.

use std::str::FromStr;

use strum::{EnumCount, EnumIter, IntoEnumIterator, IntoStaticStr};

use super::time::TimeUnit;

/// What a column has. All others are ignored.
#[derive(Clone, Copy, Debug, EnumCount, EnumIter, Eq, IntoStaticStr, PartialEq)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Role {
    Time,
    Key,
    KeySize,
    Op,
    OpCount,
    Size,
    Ttl,
}

impl Role {
    /// As `--columns` takes it.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }

    /// As cachebench calls it.
    pub(super) fn name_in_cachelib(self) -> &'static str {
        if self == Self::Time { "op_time" } else { self.name() }
    }

    /// What headers call it, in small letters and nothing but letters and digits. Where two
    /// columns of a header have names of one role, the earlier name here counts.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let names = match self {
            Self::Time => "time timestamp optime clocktime realtime datetime ts",
            Self::Key => "key cachekey anonymizedkey object objectid objid obj url lbn lba id",
            Self::KeySize => "keysize keylength",
            Self::Op => "op operation command cmd method verb",
            Self::OpCount => "opcount count",
            Self::Size => "size valuesize objectsize objsize valsize valuelength bytes length",
            Self::Ttl => "ttl",
        };
        names.split(' ')
    }

    /// Whether its cells are numbers.
    pub(super) fn is_number(self) -> bool {
        !matches!(self, Self::Key | Self::Op)
    }

    fn named(name: &str) -> Option<Self> {
        let name = plain(name.as_bytes());
        Self::iter().find(|role| role.names().any(|known| known == name))
    }
}

/// Which column is which.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Layout {
    /// From left to right, none for one that is ignored.
    pub roles: Vec<Option<Role>>,
    /// The unit of times, where the name of their column says it: `timestamp_ms`.
    pub unit: Option<TimeUnit>,
}

impl Layout {
    /// Finds the roles of a header's names.
    pub(super) fn of_names(names: &[Vec<u8>]) -> Self {
        let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let mut layout = Self { roles: vec![None; names.len()], unit: None };
        for role in Role::iter() {
            let known = role.names().map(|known| (known, None));
            let units = [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds]
                .into_iter()
                .filter(|_| role == Role::Time)
                .flat_map(|unit| role.names().map(move |known| (known, Some(unit))));
            for (known, unit) in known.chain(units) {
                let is = |name: &String| match unit {
                    None => name == known,
                    Some(unit) => name.strip_suffix(unit.name()) == Some(known),
                };
                if let Some(at) = names.iter().position(is) {
                    layout.roles[at] = Some(role);
                    layout.unit = layout.unit.or(unit);
                    break;
                }
            }
        }
        layout
    }

    /// Whether a column has this role.
    pub(super) fn has(&self, role: Role) -> bool {
        self.roles.contains(&Some(role))
    }

    /// How many columns have a role.
    pub(super) fn known(&self) -> usize {
        self.roles.iter().flatten().count()
    }
}

/// A name without what people write differently: `# Value size` is `valuesize`.
fn plain(name: &[u8]) -> String {
    name.iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect()
}

/// Whether a cell names a role, as the cell of a header does.
pub(super) fn names(cell: &[u8], role: Role) -> bool {
    let name = plain(cell);
    role.names().any(|known| known == name)
}

/// Which column is which, as `--columns` has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Columns(pub(super) Choice);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Choice {
    /// `time,key,-,size`: what the columns have, from left to right.
    Ordered(Vec<Option<Role>>),
    /// `key=object,time=1`: the column's name in the header, or its number from 1.
    Picked(Vec<(Role, Column)>),
}

/// One column.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Column {
    Number(usize),
    Name(String),
}

const EXPECTED: &str = "expected the columns from left to right, such as time,key,size,op,ttl \
                        (key_size and op_count are known too, - is a column to ignore), or names or \
                        numbers of columns, such as key=object,time=1";

impl FromStr for Columns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let role = |name: &str| {
            Role::named(name).ok_or(format!("no column is called {name:?}; {EXPECTED}"))
        };
        let choice = if text.contains('=') {
            let picked = parts.iter().map(|part| {
                let (name, column) = part.split_once('=').ok_or(EXPECTED)?;
                Ok((role(name.trim())?, Column::of(column.trim()).ok_or(EXPECTED)?))
            });
            Choice::Picked(picked.collect::<Result<_, String>>()?)
        } else {
            let ordered = parts.iter().map(|part| {
                if matches!(*part, "-" | "_" | "") { Ok(None) } else { role(part).map(Some) }
            });
            Choice::Ordered(ordered.collect::<Result<_, String>>()?)
        };
        let columns = Self(choice);
        for role in Role::iter() {
            match columns.roles().filter(|found| *found == role).count() {
                0 if role == Role::Key => return Err(format!("the key has no column; {EXPECTED}")),
                0 | 1 => {}
                _ => return Err(format!("{} has two columns; {EXPECTED}", role.name())),
            }
        }
        Ok(columns)
    }
}

impl Columns {
    fn roles(&self) -> impl Iterator<Item = Role> {
        let (ordered, picked) = match &self.0 {
            Choice::Ordered(roles) => (&roles[..], &[][..]),
            Choice::Picked(picked) => (&[][..], &picked[..]),
        };
        ordered.iter().copied().flatten().chain(picked.iter().map(|(role, _)| *role))
    }
}

impl Column {
    fn of(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(0) => None,
            Ok(number) => Some(Self::Number(number)),
            Err(_) => (!text.is_empty()).then(|| Self::Name(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(names: &str) -> Layout {
        let names: Vec<Vec<u8>> = names.split(',').map(|name| name.as_bytes().to_vec()).collect();
        Layout::of_names(&names)
    }

    #[test]
    fn names_are_known_however_people_write_them() {
        use Role::{Key, KeySize, Op, Size, Time, Ttl};
        for (names, roles) in [
            ("time,key,size,op,ttl", vec![Some(Time), Some(Key), Some(Size), Some(Op), Some(Ttl)]),
            (
                "# time, object, size, next_access_vtime",
                vec![Some(Time), Some(Key), Some(Size), None],
            ),
            (
                "timestamp,anonymized key,key size,value size,client id,operation,TTL",
                vec![Some(Time), Some(Key), Some(KeySize), Some(Size), None, Some(Op), Some(Ttl)],
            ),
            ("version,time,op,size,lbn", vec![None, Some(Time), Some(Op), Some(Size), Some(Key)]),
            // A row's number beside the key.
            ("id,Key,Obj-Size", vec![None, Some(Key), Some(Size)]),
        ] {
            assert_eq!(layout(names).roles, roles, "{names}");
        }
    }

    #[test]
    fn the_name_of_a_time_may_say_its_unit() {
        assert_eq!(layout("timestamp_ms,key").unit, Some(TimeUnit::Milliseconds));
        assert_eq!(layout("Time (us),key").unit, Some(TimeUnit::Microseconds));
        assert_eq!(layout("ts,key").unit, None);
        assert!(layout("ts_ns,key").has(Role::Time));
    }

    #[test]
    fn columns_are_named_by_position_by_name_or_by_number() {
        use Role::{Key, Size, Time};
        let columns = |text: &str| text.parse::<Columns>().unwrap().0;
        assert_eq!(
            columns("time, key,-,size"),
            Choice::Ordered(vec![Some(Time), Some(Key), None, Some(Size)])
        );
        let picked = vec![(Key, Column::Name("object".to_owned())), (Time, Column::Number(2))];
        assert_eq!(columns("key=object,time=2"), Choice::Picked(picked));
        for (text, expected) in [
            ("", "the key has no column; expected the columns"),
            ("time,size", "the key has no column"),
            ("time,key,time", "time has two columns"),
            ("key,color", "no column is called \"color\"; expected"),
            ("key=,time=1", "expected the columns"),
            ("key=0", "expected the columns"),
            ("key=1,time", "expected the columns"),
        ] {
            let message = text.parse::<Columns>().unwrap_err();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
