//! The API's description in OpenAPI 3.1, written once: the reference page is rendered from it, and a test holds every
//! answer against it.
//!
//! The house's own addresses are in `paths`, what they answer in `shapes`; `desk` has what neurons ask each other.

mod desk;
mod paths;
mod shapes;

use serde_json::{Map, Value, json};

pub(crate) use desk::Desk;

/// A field: its name, its type, what it is. A type is a word of JSON Schema, with `?` where it may be null; `[X]` is a list,
/// and a name with a capital is another shape.
type Field = (&'static str, &'static str, &'static str);

/// The document as it is served.
pub(crate) fn text(desk: &Desk) -> String {
    let text = serde_json::to_string_pretty(&document(desk));
    text.expect("a JSON value has a text") + "\n"
}

/// The document.
pub(crate) fn document(desk: &Desk) -> Value {
    let (mut paths, mut schemas) = (paths::paths(), shapes::schemas());
    paths.extend(desk.paths());
    schemas.extend(desk::schemas());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Weighhouse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What this house has weighed, as JSON. Everything is a fold of the house's public record, a log of numbered events; `event` says up to which one an answer goes. Amounts are whole numbers of rao, 10⁹ to one alpha; shares named u16 are of 65535. Names, reasons and certificates may quote strangers.",
        },
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": desk::headers() },
    })
}

fn path_parameter(name: &str, kind: &str, about: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind }, "description": about })
}

fn problem(about: &str) -> Value {
    json!({ "description": about, "content": { "application/problem+json": { "schema": reference("Problem") } } })
}

fn reference(shape: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{shape}") })
}

fn kind(word: &str) -> Value {
    if let Some(inner) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
        return json!({ "type": "array", "items": kind(inner) });
    }
    let (word, may_be_null) = word.strip_suffix('?').map_or((word, false), |word| (word, true));
    if word.starts_with(char::is_uppercase) {
        let shape = reference(word);
        return if may_be_null { json!({ "oneOf": [shape, { "type": "null" }] }) } else { shape };
    }
    match (word, may_be_null) {
        ("any", _) => json!({}),
        (word, true) => json!({ "type": [word, "null"] }),
        (word, false) => json!({ "type": word }),
    }
}

fn shape(about: &str, fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for (name, word, about) in fields {
        let mut schema = kind(word);
        schema["description"] = json!(about);
        properties.insert((*name).to_owned(), schema);
    }
    let required: Vec<&str> = fields.iter().map(|(name, ..)| *name).collect();
    json!({ "type": "object", "description": about, "properties": properties, "required": required, "additionalProperties": false })
}
