//! Reads which file of a crate uses which other, from `use` lines and from paths in the code.
//!
//! Works on the text: what a macro makes is not seen, nor a path through a type. Code under
//! `#[cfg(test)]` is passed over, since a test may use what it likes. A re-export is a door and
//! not a use: who imports through it uses the file that has the item.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    slice,
};

/// The files of a crate by their module path: `store::entry` is `src/store/entry.rs`. The root is
/// the empty path.
#[derive(Debug)]
pub struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    /// Reads every file below a crate's `src`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn read(src: &Path) -> io::Result<Self> {
        let mut texts = BTreeMap::new();
        for file in rust_files(src)? {
            let text = code(&fs::read_to_string(&file)?);
            texts.insert(module(src, &file), text);
        }
        let files = Files(texts.iter().map(|(name, text)| (name.as_str(), doors(text))).collect());
        let uses = |(name, text): (&String, &String)| {
            let found = paths(text).into_iter().filter_map(|path| files.used(name, &path));
            (name.clone(), found.filter(|used| used != name).collect())
        };
        Ok(Self(texts.iter().map(uses).collect()))
    }

    /// Files that use each other in a circle: the shortest way round from the first file, in
    /// alphabetical order, that has one. Empty: there is none.
    #[must_use]
    pub fn cycle(&self) -> Vec<String> {
        self.0.keys().find_map(|start| self.way(start, |used| used == start)).unwrap_or_default()
    }

    /// The shortest way from a room, which is a file and what lies below it, into another,
    /// over any number of files. Empty: there is none.
    #[must_use]
    pub fn reach(&self, from: &str, to: &str) -> Vec<String> {
        let mut starts = self.0.keys().filter(|file| is_in(file, from));
        starts.find_map(|start| self.way(start, |file| is_in(file, to))).unwrap_or_default()
    }

    /// Whether a room exists. A rule about one that does not would never fail.
    #[must_use]
    pub fn has(&self, room: &str) -> bool {
        self.0.keys().any(|file| is_in(file, room))
    }

    /// A search in breadth, so that the way is the shortest.
    fn way(&self, start: &str, wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut ways = vec![vec![start.to_owned()]];
        let mut seen = BTreeSet::new();
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                for used in &self.0[way.last()?] {
                    let next = [&way[..], slice::from_ref(used)].concat();
                    if wanted(used) {
                        return Some(next);
                    }
                    if seen.insert(used) {
                        longer.push(next);
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

fn is_in(file: &str, room: &str) -> bool {
    file.strip_prefix(room).is_some_and(|below| below.is_empty() || below.starts_with("::"))
}

fn rust_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default();
        if name == "tests" || name == "interleavings" {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn module(src: &Path, file: &Path) -> String {
    let inner = file.strip_prefix(src).unwrap_or(file).with_extension("");
    let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
    match parts.as_slice() {
        [root] if root == "lib" || root == "main" => String::new(),
        [rooms @ .., last] if last == "mod" => rooms.join("::"),
        parts => parts.join("::"),
    }
}

/// The text without comments, strings and items that are compiled for tests alone.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().map(bare);
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with("#[cfg(test") && !line.contains("#[cfg(all(test") {
            kept += &line;
            kept.push('\n');
            continue;
        }
        let (mut depth, mut opened) = (0_i32, false);
        for line in lines.by_ref() {
            opened |= line.contains('{');
            for bracket in line.chars() {
                depth += i32::from(bracket == '{') - i32::from(bracket == '}');
            }
            if depth <= 0 && (opened || line.trim_end().ends_with(';')) {
                break;
            }
        }
    }
    kept
}

/// A line without its comment and its strings. A string over several lines is taken for code,
/// which would matter if it held a path of this crate.
fn bare(line: &str) -> String {
    let (mut kept, mut quoted) = (String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if quoted => drop(chars.next()),
            '\'' if !quoted && chars.peek() == Some(&'"') => drop(chars.nth(1)),
            '"' => quoted = !quoted,
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            char if !quoted => kept.push(char),
            _ => {}
        }
    }
    kept
}

/// A path of the source: where it leads, and the name that it has here.
#[derive(Debug)]
struct Named {
    parts: Vec<String>,
    name: String,
}

/// The paths of `use` items: those that are exported again, or those that are not.
fn items(text: &str, exported: bool) -> Vec<Named> {
    let mut found = Vec::new();
    for item in text.split(';') {
        let Some(at) = item.rfind("use ").filter(|at| !item[..*at].ends_with(is_part)) else {
            continue;
        };
        let visibility = item[..at].rsplit('\n').next().unwrap_or_default();
        if visibility.trim_start().starts_with("pub") == exported {
            branches(&item[at + 4..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// What a file exports again, by name.
fn doors(text: &str) -> BTreeMap<String, Vec<String>> {
    items(text, true).into_iter().map(|named| (named.name, named.parts)).collect()
}

/// Every path that a file uses: of its `use` items and within its code.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found: Vec<_> = items(text, false).into_iter().map(|named| named.parts).collect();
    let exports: Vec<_> = doors(text).into_values().collect();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(start) {
            if !text[..at].ends_with(|before| is_part(before) || before == ':') {
                let path = text[at..].split(|char| !is_part(char) && char != ':').next();
                let path = path.unwrap_or_default().trim_end_matches(':');
                let path: Vec<_> = path.split("::").map(str::to_owned).collect();
                // A single part is the stem of a tree, which was read with the items.
                let is_stem = path.len() == 1;
                if !is_stem && !exports.iter().any(|export| export.starts_with(&path)) {
                    found.push(path);
                }
            }
        }
    }
    found
}

fn is_part(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The paths of a tree such as `crate::{store::{Entry, Shard}, call}`.
fn branches(tree: &str, before: &mut Vec<String>, found: &mut Vec<Named>) {
    let tree = tree.trim();
    let Some((stem, rest)) = tree.split_once('{') else {
        let (leaf, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let leaf = leaf.split("::").map(|part| part.trim().to_owned());
        let parts: Vec<_> = before.iter().cloned().chain(leaf).collect();
        let name = parts.iter().rfind(|part| *part != "self").cloned().unwrap_or_default();
        found.push(Named {
            name: if alias.is_empty() { name } else { alias.trim().to_owned() },
            parts,
        });
        return;
    };
    let length = before.len();
    before.extend(
        stem.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()),
    );
    let rest = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut start) = (0_i32, 0);
    for (at, char) in rest.char_indices() {
        depth += i32::from(char == '{') - i32::from(char == '}');
        if char == ',' && depth == 0 {
            branches(&rest[start..at], before, found);
            start = at + 1;
        }
    }
    if !rest[start..].trim().is_empty() {
        branches(&rest[start..], before, found);
    }
    before.truncate(length);
}

/// The files of a crate, and what each exports again.
struct Files<'a>(BTreeMap<&'a str, BTreeMap<String, Vec<String>>>);

impl Files<'_> {
    /// The file that has what a path names: the longest part of the path that is a file, or
    /// the one behind its door. Nothing for a path into another crate.
    fn used(&self, from: &str, path: &[String]) -> Option<String> {
        let mut file = self.start(from, path.first()?)?;
        let mut parts = path.iter();
        for part in parts.by_ref() {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => file.truncate(file.rfind("::").unwrap_or(0)),
                name if self.0.contains_key(joined(&file, name).as_str()) => {
                    file = joined(&file, name);
                }
                name => {
                    let door = self.0.get(file.as_str())?.get(name);
                    return door.and_then(|path| self.used(&file, path)).or(Some(file));
                }
            }
        }
        self.0.contains_key(file.as_str()).then_some(file)
    }

    /// The file from which a path is walked.
    fn start(&self, from: &str, first: &str) -> Option<String> {
        match first {
            "crate" => Some(String::new()),
            "self" | "super" => Some(from.to_owned()),
            name => self.0.contains_key(joined(from, name).as_str()).then(|| from.to_owned()),
        }
    }
}

fn joined(room: &str, name: &str) -> String {
    if room.is_empty() { name.to_owned() } else { format!("{room}::{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Imports {
        let folder = std::env::temp_dir().join(format!("imports-{}", files.len()));
        let _ = fs::remove_dir_all(&folder);
        for (name, text) in files {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let imports = Imports::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        imports
    }

    #[test]
    fn a_circle_over_three_files_is_named() {
        let imports = crate_of(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::{b::{One, Two}, c as d};\n"),
            ("b.rs", "// use crate::a;\nfn f() { \"crate::a\"; crate::c::g() }"),
            ("c.rs", "use std::io;\n\nuse super::a::Three;"),
        ]);
        assert_eq!(imports.cycle(), ["a", "c", "a"]);
    }

    #[test]
    fn what_tests_use_and_what_other_crates_are_called_does_not_count() {
        let imports = crate_of(&[
            ("main.rs", "mod a; mod b;"),
            ("a.rs", "use b::One;\nuse crate::b::Two;"),
            ("b.rs", "#[cfg(test)]\nmod tests {\n    use crate::a::Three;\n}\nuse other::a;"),
            ("b/tests.rs", "use crate::a;"),
            ("b/d.rs", ""),
        ]);
        assert!(imports.cycle().is_empty());
        assert_eq!(imports.reach("a", "b"), ["a", "b"]);
        assert!(imports.reach("b", "a").is_empty());
    }

    #[test]
    fn an_import_through_a_door_is_one_of_the_file_behind_it() {
        let imports = crate_of(&[
            ("lib.rs", "mod a; mod b;\npub use crate::{a::One, b::Two as Three};"),
            ("a.rs", "pub struct One;\nuse crate::Three;"),
            ("b.rs", "mod c;\npub(crate) use c::Two;"),
            ("b/c.rs", "pub(crate) struct Two;\nuse super::Four;"),
        ]);
        assert_eq!(imports.reach("a", "b"), ["a", "b::c"]);
        assert_eq!(imports.reach("b::c", "b"), ["b::c", "b"]);
        assert!(imports.cycle().is_empty(), "{imports:?}");
    }

    #[test]
    fn a_room_is_a_file_and_what_lies_below_it() {
        let imports = crate_of(&[
            ("lib.rs", "mod store; mod rpc; mod storey;"),
            ("store.rs", "mod entry;\npub use self::entry::Entry;"),
            ("store/entry.rs", "use crate::storey::Two;"),
            ("storey.rs", "use crate::rpc;"),
            ("rpc.rs", ""),
            ("unused.rs", ""),
        ]);
        assert_eq!(imports.reach("store", "rpc"), ["store::entry", "storey", "rpc"]);
        assert!(imports.reach("rpc", "store").is_empty());
        assert!(imports.has("store") && !imports.has("stor"));
    }
}
