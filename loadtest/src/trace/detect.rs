//! Detects the format of a file by what one format must have and others cannot. A file that could
//! be of two formats is refused with both names: a wrong guess would silently replay something
//! else.

use std::{ffi::OsStr, path::Path};

use super::{
    arc, cache2k,
    error::{Excerpt, Problem},
    format::Format,
    lines::MARK,
    lirs, oracle, row,
    table::Table,
    twitter,
};

/// Lines that have to look like a format.
const LINES: usize = 1000;

/// Most ids in a line of an ARC trace. Four numbers with a larger count are likely something
/// else: the largest read of any published trace has 2,048.
const MOST_IDS: u64 = 65_536;

/// Detects the format from the file's beginning, which is all of it if `whole`, and from its
/// name where the content does not decide: `.lis` is ARC's, `.trc` that of LIRS.
///
/// # Errors
///
/// There is no line, none of the formats is like it, or two are.
pub(super) fn detect(path: &Path, head: &[u8], whole: bool) -> Result<Format, Problem> {
    let text = head.strip_prefix(MARK).unwrap_or(head);
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(Problem::Utf16);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Err(Problem::Compressed("tar"));
    }
    if head.contains(&0) {
        return binary(path, head);
    }
    let lines = lines(text, whole);
    match name(path).rsplit_once('.') {
        Some((_, "lis")) => return Ok(Format::Arc),
        Some((_, "trc")) => return Ok(Format::Lirs),
        _ => {}
    }
    let Some(first) = text.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty())
    else {
        return Err(Problem::Empty);
    };
    let first = first.strip_suffix(b"\r").unwrap_or(first);
    if twitter::parse(lines.first().copied().unwrap_or(first)).is_ok() {
        return Ok(Format::Twitter);
    }
    if let Some(header) = header(text) {
        return Ok(if Table::is_cachelib(header) { Format::Cachelib } else { Format::Csv });
    }
    numbers(&lines).unwrap_or_else(|| Err(Problem::UnknownFormat(unknown(first))))
}

/// Detects the format of lines of whole numbers; none if lines are something else.
fn numbers(lines: &[&[u8]]) -> Option<Result<Format, Problem>> {
    let first = lines.first()?;
    if lines.iter().all(|line| arc_shape(line).is_some()) {
        let odd = lines.iter().find(|line| !arc_shape(line).is_some_and(is_arc));
        return Some(odd.map_or(Ok(Format::Arc), |line| {
            let shapes = [format!("lines \"{}\"", arc::ROW), "a table".to_owned()];
            let text = ambiguous(line, [Format::Arc, Format::Csv], shapes);
            let hint = "; for csv, name the columns, such as --columns time,key,size,op";
            Err(Problem::UnknownFormat(text + hint))
        }));
    }
    // A file may begin with an asterisk, and one of nothing else is none.
    let ids = lines.iter().filter(|line| lirs::parse(line).is_ok_and(|id| id.is_some())).count();
    if ids > 0 && lines.iter().all(|line| lirs::parse(line).is_ok()) {
        return Some(Ok(Format::Lirs));
    }
    // The first line is of a format and a later one is broken: the reader says where.
    if arc::parse(first).is_ok() && arc_shape(first).is_some_and(is_arc) {
        return Some(Ok(Format::Arc));
    }
    matches!(lirs::parse(first), Ok(Some(_))).then_some(Ok(Format::Lirs))
}

/// The four numbers of a line.
fn arc_shape(line: &[u8]) -> Option<[u64; 4]> {
    let [start, count, third, n] = arc::columns(line)?.map(row::number);
    Some([start?, count?, third?, n?])
}

/// Whether four numbers are likely a line of an ARC trace.
fn is_arc([_, count, third, _]: [u64; 4]) -> bool {
    third == 0 && count <= MOST_IDS
}

fn binary(path: &Path, head: &[u8]) -> Result<Format, Problem> {
    let named = name(path).contains("oraclegeneral") && head.len() >= oracle::RECORD;
    match (oracle::resembles(head) || named, cache2k::resembles(head)) {
        (true, false) => Ok(Format::OracleGeneral),
        (false, true) => Ok(Format::Cache2k),
        (true, true) if named => Ok(Format::OracleGeneral),
        (true, true) => {
            let shapes = [oracle::RECORD, cache2k::RECORD].map(|n| format!("records of {n} bytes"));
            let formats = [Format::OracleGeneral, Format::Cache2k];
            Err(Problem::UnknownBinary(ambiguous(head, formats, shapes)))
        }
        (false, false) => Err(Problem::UnknownBinary(format!(
            "{} fits neither oracle-general nor cache2k; say --format if it is one of them",
            Excerpt::of(head)
        ))),
    }
}

/// What to say of a line that fits no format.
fn unknown(line: &[u8]) -> String {
    let found = Excerpt::of(line);
    let [arc, lirs, twitter] = [arc::ROW, lirs::ROW, twitter::ROW];
    format!(
        "{found} fits no format; expected an ARC line \"{arc}\", a LIRS line \"{lirs}\", a twitter \
         row \"{twitter}\" or a header that names a key; say --format, or name the columns: \
         --columns time,key,size,op,ttl"
    )
}

/// What to say of data that could be of two formats, whose lines or records have these shapes.
fn ambiguous(found: &[u8], formats: [Format; 2], [shape, other_shape]: [String; 2]) -> String {
    let (found, [one, other]) = (Excerpt::of(found), formats.map(Format::name));
    format!(
        "{found} could be {one} ({shape}) or {other} ({other_shape}); say --format {one} or \
         --format {other}"
    )
}

/// The header, which may have lines of comment before it, and begin like one itself.
fn header(text: &[u8]) -> Option<&[u8]> {
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        match Table::named(line, None) {
            Some(_) => return Some(line),
            None if line.starts_with(b"#") => {}
            None => return None,
        }
    }
    None
}

/// The lines that are neither blank nor comment, but for a last one that may be cut.
fn lines(text: &[u8], whole: bool) -> Vec<&[u8]> {
    let end = if whole {
        text.len()
    } else {
        text.iter().rposition(|&byte| byte == b'\n').map_or(text.len(), |end| end + 1)
    };
    text[..end]
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"))
        .take(LINES)
        .collect()
}

/// The file's name in small letters, without the endings of compressions.
fn name(path: &Path) -> String {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let packed = [".zst", ".gz", ".xz", ".lz4"];
    match packed.iter().find_map(|ending| name.strip_suffix(ending)) {
        Some(plain) => plain.to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn detected(name: &str, head: &[u8]) -> Result<Format, String> {
        detect(Path::new(name), head, true).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_format_is_told_by_what_it_must_have() {
        let twitter = "1,a,1,10,1,get,0\n";
        let oracle: Vec<u8> =
            [oracle::written(9, 77, 1, 2), oracle::written(9, 77, 1, -1)].concat();
        for (name, head, format) in [
            ("a", "1 1 0 0\n", Format::Arc),
            ("a.lis", "1 1 5 0\n", Format::Arc),
            ("a.LIS.zst", "1 1 0 0\n", Format::Arc),
            ("a", "\n\n1 1 0 0\n", Format::Arc),
            ("a", "17\n*\n3\n", Format::Lirs),
            ("a.trc.gz", "*\n17\n", Format::Lirs),
            ("cluster52.csv", twitter, Format::Twitter),
            ("cluster52.0", twitter, Format::Twitter),
            // A key with commas does not make a header.
            ("cluster52", "1,key,op,size,1,10,1,get,0\n", Format::Twitter),
            ("kvcache", "\nop_time,op,key,size\n1,GET,a,1\n", Format::Cachelib),
            ("kvcache.csv", "key,op,size\na,GET,1\n", Format::Cachelib),
            ("a.csv", "\u{feff}time,key,op,size\n1,a,get,1\n", Format::Csv),
            ("a", "# time, object, size, next_access_vtime\n0, 5, 737, 13\n", Format::Csv),
            ("a", "# made today\ntime\tkey\n1\ta\n", Format::Csv),
            ("a", "key\nabc\n", Format::Csv),
        ] {
            assert_eq!(detected(name, head.as_bytes()), Ok(format), "{head}");
        }
        assert_eq!(detected("a", &oracle), Ok(Format::OracleGeneral));
        assert_eq!(detected("a.oracleGeneral.bin", &oracle), Ok(Format::OracleGeneral));
        let cache2k: Vec<u8> = [0_u32, 1, 2, 1, 3].iter().flat_map(|id| id.to_be_bytes()).collect();
        assert_eq!(detected("a", &cache2k), Ok(Format::Cache2k));
    }

    /// A row of time, key, size and operation was read as 3,304,021 accesses.
    #[test]
    fn four_numbers_that_are_no_arc_line_are_refused_with_both_names() {
        for head in [
            "1565000000 3304021 512 1\n",
            "1565000000 3304021 0 1\n",
            "5 2 0 0\n1565000000 17 512 1\n",
        ] {
            let message = detected("trace.txt", head.as_bytes()).unwrap_err();
            assert!(
                message.ends_with(
                    "could be arc (lines \"start count 0 n\") or csv (a table); say --format arc \
                     or --format csv; for csv, name the columns, such as --columns \
                     time,key,size,op"
                ),
                "{message}"
            );
        }
    }

    #[test]
    fn binary_data_that_could_be_two_are_refused_with_both_names() {
        let message = detected("a.bin", &[0; 96]).unwrap_err();
        assert!(
            message.contains("could be oracle-general (records of 24 bytes) or cache2k"),
            "{message}"
        );
        let message = detected("a.bin", &[0, 7, 0, 9, 1, 1, 1, 1]).unwrap_err();
        assert!(message.contains("fits neither oracle-general nor cache2k"), "{message}");
    }

    #[test]
    fn what_fits_nothing_is_refused_with_the_remedy() {
        for head in ["a,b\n", "1,2,3\n", "1 2 3\n", "0, 13053225291711363978, 737, 13\n"] {
            let message = detected("a.csv", head.as_bytes()).unwrap_err();
            assert!(message.contains("fits no format; expected"), "{message}");
            assert!(message.contains("--columns time,key,size,op,ttl"), "{message}");
        }
        let message = detected("a.csv", b"\xff\xfek\0e\0y\0").unwrap_err();
        assert!(message.starts_with("is UTF-16 text; expected UTF-8"), "{message}");
        for head in ["", "\n \r\n\n", "\u{feff}\n"] {
            assert!(detected("a", head.as_bytes()).unwrap_err().starts_with("no access"));
        }
    }

    #[test]
    fn a_line_that_is_cut_by_the_end_of_the_head_tells_nothing() {
        assert_eq!(detect(Path::new("a"), b"1 1 0 0\n2 1 0 0\n3 1", false).unwrap(), Format::Arc);
        assert_eq!(detect(Path::new("a"), b"17\n18\n1 ", false).unwrap(), Format::Lirs);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_format_or_refused(head: Vec<u8>, text in "[0-9a-z,# \n*]{0,60}", whole: bool) {
            let _ = detect(Path::new("a"), &head, whole);
            let _ = detect(Path::new("a"), text.as_bytes(), whole);
        }
    }
}
