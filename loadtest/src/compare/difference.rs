//! What differs beside the figures: two runs with other settings, on other machines or with
//! other programs are not a comparison of two servers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::report::{Ending, Report};

/// Something that is not the same in all reports.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// Its place in the report.
    pub name: String,
    /// Every value of it before.
    pub before: Vec<String>,
    /// Every value of it after.
    pub after: Vec<String>,
}

/// What differs between or within the sides, the target excepted.
pub(super) fn between(sides: &[Vec<Report>; 2]) -> Vec<Difference> {
    let mut values: BTreeMap<String, [BTreeSet<String>; 2]> = BTreeMap::new();
    for (side, reports) in sides.iter().enumerate() {
        for (name, value) in reports.iter().flat_map(conditions) {
            values.entry(name).or_default()[side].insert(value);
        }
    }
    let differs = |[before, after]: &[BTreeSet<String>; 2]| before.len() > 1 || before != after;
    let different = values.into_iter().filter(|(_, sides)| differs(sides));
    different
        .map(|(name, sides)| {
            let [before, after] = sides.map(|values| values.into_iter().collect());
            Difference { name, before, after }
        })
        .collect()
}

/// What a report's figures were made under, by name.
fn conditions(report: &Report) -> Vec<(String, String)> {
    let mut machine = json!(report.machine);
    let mut settings = json!(report.settings);
    if let (Value::Object(machine), Value::Object(settings)) = (&mut machine, &mut settings) {
        // Never the same twice.
        machine.remove("load_average");
        settings.remove("target");
        if report.settings.own_namespace {
            settings.remove("namespaces");
        }
    }
    let rates: Vec<_> = report.steps.iter().map(|step| step.requests_per_second).collect();
    let limits = report.server.before.as_ref().map(|server| {
        json!({
            "max_memory_bytes": server.max_memory_bytes,
            "max_items": server.max_items,
            "max_value_bytes": server.max_value_bytes,
        })
    });
    // What only one kind of run has differs as a whole, which the command says already.
    if let Value::Object(settings) = &mut settings {
        settings.retain(|_, value| !value.is_null());
    }
    let all = json!({
        "tool": report.tool,
        "command": report.command,
        "settings": settings,
        "steps": { "requests_per_second": json!(rates).to_string() },
        "server": limits,
        "machine": machine,
    });
    let mut leaves = Vec::new();
    flatten("", &all, &mut leaves);
    leaves
}

fn flatten(name: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let dot = if name.is_empty() { "" } else { "." };
                flatten(&format!("{name}{dot}{field}"), value, leaves);
            }
        }
        Value::String(text) => leaves.push((name.to_owned(), text.clone())),
        Value::Null => leaves.push((name.to_owned(), "none".to_owned())),
        other => leaves.push((name.to_owned(), other.to_string())),
    }
}

/// What spoils the figures of a report.
pub(super) fn flaw((name, report): (&String, &Report)) -> Option<String> {
    let flaw = match (report.ending, report.kept_up) {
        (Ending::Completed, Some(false)) => "the generator did not keep up with its plan",
        (Ending::Completed, _) => return None,
        (Ending::Interrupted, _) => "the run was interrupted",
        (Ending::TraceBroken, _) => "the trace could not be read to its end",
        (Ending::TooManyInFlight, _) => "broken off at too many requests under way",
        (Ending::FarBehind, _) => "broken off far behind its plan",
        (Ending::NoAnswer, _) => "broken off without an answer",
    };
    Some(format!("{name}: {flaw}"))
}
