//! The published form of the JSON report: JSON Schema, draft 2020-12, made from the types
//! themselves.

use schemars::{Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Value, json};

use super::run::Report;

/// Names the schema. It is not an address: there is nothing to fetch.
const ID: &str = "urn:tiny-cache:loadtest-report";

const TITLE: &str = "Report of tiny-cache-loadtest";

/// What changes from one version to the next.
const COMMENT: &str = "Describes the reports of one version, all fields and no others. Later \
                       versions add fields and keep the name and the unit of those that are \
                       here; units are in the names, and microseconds where it ends in _us.";

/// The schema of a [`Report`], with a line feed at its end.
///
/// It is as strict as the types are: every field is there, none if need be, and no other. That
/// does not collide with what is flattened, which is written as if it stood in the outer
/// struct.
pub fn schema() -> String {
    let mut schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(unwrap_lines))
        .with_transform(RecursiveTransform(close))
        .into_generator()
        .into_root_schema_for::<Report>();
    schema.insert("$id".to_owned(), ID.into());
    schema.insert("title".to_owned(), TITLE.into());
    schema.insert("$comment".to_owned(), COMMENT.into());
    format!("{:#}\n", schema.to_value())
}

/// Joins the lines of a doc comment.
fn unwrap_lines(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs: Vec<_> =
            text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}

/// Refuses fields that are not there.
fn close(schema: &mut Schema) {
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
}
