//! The table of clauses names tests that exist.

use std::{collections::BTreeSet, fs, path::Path};

fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> =
            text.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect();
        let Some(after) = lines.get(1..) else { continue };
        for (attribute, function) in lines.iter().zip(after) {
            let name = function.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            found.extend(name.filter(|_| *attribute == "#[test]").map(str::to_owned));
        }
    }
}

#[test]
fn every_clause_names_tests_that_exist() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    tests_below(&crate_folder.join("src"), &mut tests);
    tests_below(&crate_folder.join("tests"), &mut tests);
    let clauses = fs::read_to_string(crate_folder.join("src/clauses.rs")).unwrap();
    let rows = clauses
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .filter(|row| row.contains('`'));
    let mut count = 0;
    for row in rows {
        let held_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in held_by.split(", ").map(|name| name.trim_matches('`')) {
            assert!(tests.contains(name), "{name} is no test: {row}");
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}
