//! Reads the files of reports. What another version wrote is read too, if it has the fields
//! that there are here.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use serde_json::Value;
use thiserror::Error;

use super::run::{Report, Tool};

/// Why a file cannot be read as a report.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct ReadError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, Error)]
enum Problem {
    #[error("{0}")]
    File(io::Error),
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    #[error("JSON, but no report of {}: {what}", Tool::this().name)]
    Else { what: String },
    #[error("a report of {} {}, but {error}", tool.name, tool.version)]
    Report { tool: Tool, error: serde_json::Error },
}

/// Reads a report, piece by piece: one of a day has some 20 MiB.
pub(crate) fn read(path: &Path) -> Result<Report, ReadError> {
    let open = || File::open(path).map(BufReader::new).map_err(Problem::File);
    let parsed = || match serde_json::from_reader(open()?) {
        Ok(report) => Ok(report),
        Err(error) if error.is_io() => Err(Problem::File(error.into())),
        // Once more as whatever JSON it is, for what it is instead.
        Err(error) => {
            let json: Value = serde_json::from_reader(open()?).map_err(Problem::Json)?;
            let tool = tool(&json).map_err(|what| Problem::Else { what })?;
            Err(Problem::Report { tool, error })
        }
    };
    parsed().map_err(|problem| ReadError { path: path.to_owned(), problem })
}

/// Who wrote it, or what else it is.
fn tool(json: &Value) -> Result<Tool, String> {
    let Some(fields) = json.as_object() else {
        let kind = match json {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        return Err(format!("it is {kind}"));
    };
    let text = |field: &str| Some(fields.get("tool")?.get(field)?.as_str()?.to_owned());
    match (text("name"), text("version")) {
        (Some(name), Some(version)) if name == Tool::this().name => Ok(Tool { name, version }),
        (Some(name), _) => Err(format!("it is one of {name}")),
        _ if fields.is_empty() => Err("it has no fields".to_owned()),
        _ => {
            let names: Vec<_> = fields.keys().take(5).map(String::as_str).collect();
            Err(format!("it has no tool but {}", names.join(", ")))
        }
    }
}
