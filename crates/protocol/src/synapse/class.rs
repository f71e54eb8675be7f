//! A synapse's class: its name, its fields, and the hash over those that are covered by the signature.

use serde_json::{Map, Value};
use sha3::{Digest as _, Sha3_256};
use thiserror::Error;

/// The body hash of a class without hash fields, SHA3-256 of nothing: such a body is not covered at all.
pub const EMPTY_BODY_HASH: &str = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a";

/// Names that every synapse has and no field may take.
pub(super) const RESERVED: [&str; 7] =
    ["name", "timeout", "total_size", "header_size", "dendrite", "axon", "computed_body_hash"];

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text.
    Str,
    /// A whole number of 64 bits.
    Int,
    /// True or false.
    Bool,
    /// A floating-point number; its Python text is not pinned, so that it cannot be hashed.
    Float,
    /// A list; cannot be hashed.
    List,
    /// An object; cannot be hashed.
    Object,
}

impl FieldKind {
    /// The class's empty value, which stands for a required field in the headers.
    fn empty(self) -> &'static str {
        match self {
            Self::Str => r#""""#,
            Self::Int => "0",
            Self::Bool => "false",
            Self::Float => "0.0",
            Self::List => "[]",
            Self::Object => "{}",
        }
    }

    fn hashable(self) -> bool {
        matches!(self, Self::Str | Self::Int | Self::Bool)
    }

    fn holds(self, value: &Value) -> bool {
        match self {
            Self::Str => value.is_string(),
            Self::Int => value.is_i64() || value.is_u64(),
            Self::Bool => value.is_boolean(),
            // Whoever writes 1 means 1.0.
            Self::Float => value.is_number(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    /// Python's `str()` of the value, where the value is of this kind and the kind has one text only.
    fn python_text(self, value: &Value) -> Option<String> {
        match (self, value) {
            (Self::Str, Value::String(text)) => Some(text.clone()),
            (Self::Int, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                Some(number.to_string())
            }
            (Self::Bool, Value::Bool(true)) => Some("True".to_owned()),
            (Self::Bool, Value::Bool(false)) => Some("False".to_owned()),
            _ => None,
        }
    }
}

/// One field of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether a request must carry it: it has no default in the class.
    pub required: bool,
}

impl Field {
    /// A field without a default.
    #[must_use]
    pub fn required(name: &str, kind: FieldKind) -> Self {
        Self { name: name.to_owned(), kind, required: true }
    }

    /// A field with a default.
    #[must_use]
    pub fn optional(name: &str, kind: FieldKind) -> Self {
        Self { name: name.to_owned(), kind, required: false }
    }
}

/// Why a class cannot be, or an object is none of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClassError {
    /// The name cannot stand in a path or a header.
    #[error("{name:?} is not a name: letters, digits and underscores, not a digit first")]
    Name {
        /// The name.
        name: String,
    },
    /// The field's name is taken by the protocol or by another field.
    #[error("field {field} is taken already")]
    Taken {
        /// The field.
        field: String,
    },
    /// The field is no part of the class, or its kind has no pinned text.
    #[error(
        "field {field} cannot be hashed: only fields of the class that are text, integer or truth value can"
    )]
    NotHashable {
        /// The field.
        field: String,
    },
    /// A required or hashed field is not there or of another kind.
    #[error("field {field} of the body is missing or not of its kind")]
    Value {
        /// The field.
        field: String,
    },
}

/// A synapse's class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    name: String,
    fields: Vec<Field>,
    /// Places in `fields`, in the order in which the class names them.
    hashed: Vec<usize>,
}

impl Class {
    /// A class with its fields and, in the class's order, the names of those that the body hash covers.
    ///
    /// # Errors
    /// [`ClassError`] for names that cannot be, and hash fields whose text is not pinned.
    pub fn new(name: &str, fields: Vec<Field>, hash_fields: &[&str]) -> Result<Self, ClassError> {
        let names = std::iter::once(name).chain(fields.iter().map(|field| field.name.as_str()));
        for name in names {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !plain || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
                return Err(ClassError::Name { name: name.to_owned() });
            }
        }
        for (place, field) in fields.iter().enumerate() {
            let twice = fields[..place].iter().any(|earlier| earlier.name == field.name);
            if twice || RESERVED.contains(&field.name.as_str()) {
                return Err(ClassError::Taken { field: field.name.clone() });
            }
        }
        let place_of = |name: &&str| {
            fields
                .iter()
                .position(|field| field.name == **name && field.kind.hashable())
                .ok_or_else(|| ClassError::NotHashable { field: (**name).to_owned() })
        };
        let hashed = hash_fields.iter().map(place_of).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), fields, hashed })
    }

    /// The name, which is also the path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash over the hash fields of a body: SHA3-256 of the joined hex SHA3-256 of each field's Python text.
    ///
    /// # Errors
    /// [`ClassError::Value`] where a hashed field is missing or of another kind.
    pub fn body_hash(&self, body: &Map<String, Value>) -> Result<String, ClassError> {
        let mut joined = String::with_capacity(64 * self.hashed.len());
        for &place in &self.hashed {
            let field = &self.fields[place];
            let text = body
                .get(&field.name)
                .and_then(|value| field.kind.python_text(value))
                .ok_or_else(|| ClassError::Value { field: field.name.clone() })?;
            joined.push_str(&sha3_hex(text.as_bytes()));
        }
        Ok(sha3_hex(joined.as_bytes()))
    }

    /// Whether all required fields are there, and all that are there hold what they should; one with a default may
    /// hold null, as the reference writes what was not filled.
    ///
    /// # Errors
    /// [`ClassError::Value`] with the first that does not.
    pub(super) fn check_fields(&self, body: &Map<String, Value>) -> Result<(), ClassError> {
        let fits = |field: &&Field| match body.get(&field.name) {
            None | Some(Value::Null) => !field.required,
            Some(value) => field.kind.holds(value),
        };
        match self.fields.iter().find(|field| !fits(field)) {
            Some(field) => Err(ClassError::Value { field: field.name.clone() }),
            None => Ok(()),
        }
    }

    /// Required fields with the JSON of their empty values.
    pub(super) fn empty_inputs(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.fields
            .iter()
            .filter(|field| field.required)
            .map(|field| (field.name.as_str(), field.kind.empty()))
    }
}

fn sha3_hex(bytes: &[u8]) -> String {
    hex::encode(Sha3_256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn generate() -> Class {
        let fields = vec![Field::required("prompt", FieldKind::Str), Field::required("n", FieldKind::Int)];
        Class::new("Generate", fields, &["prompt", "n"]).unwrap()
    }

    #[test]
    fn the_body_hash_is_the_references() {
        assert_eq!(
            generate().body_hash(&body(json!({"prompt": "héllo \"x\"", "n": 3, "other": 1}))).as_deref(),
            Ok("0a9b633571bd7b09f7d014d690d6c36666e41eac94e9436c4e1950cb2f406f51")
        );
        let bare = Class::new("Bare", vec![], &[]).unwrap();
        assert_eq!(bare.body_hash(&Map::new()).as_deref(), Ok(EMPTY_BODY_HASH));
    }

    #[test]
    fn values_are_written_as_python_writes_them() {
        let check = |kind: FieldKind, value: Value, expect: Option<&str>| {
            assert_eq!(kind.python_text(&value).as_deref(), expect, "{value}");
        };
        check(FieldKind::Bool, json!(true), Some("True"));
        check(FieldKind::Bool, json!(false), Some("False"));
        check(FieldKind::Int, json!(-7), Some("-7"));
        check(FieldKind::Int, json!(u64::MAX), Some("18446744073709551615"));
        check(FieldKind::Int, json!(3.0), None);
        check(FieldKind::Int, json!("3"), None);
        check(FieldKind::Int, json!(true), None);
        check(FieldKind::Str, json!(null), None);
        check(FieldKind::Str, json!("True"), Some("True"));
    }

    #[test]
    fn fields_hold_what_the_class_says() {
        let fields = vec![
            Field::required("x", FieldKind::Float),
            Field::optional("list", FieldKind::List),
            Field::optional("object", FieldKind::Object),
        ];
        let class = Class::new("A", fields, &[]).unwrap();
        let check = |value: Value, wrong: Option<&str>| {
            let expect = wrong.map_or(Ok(()), |field| Err(ClassError::Value { field: field.to_owned() }));
            assert_eq!(class.check_fields(&body(value.clone())), expect, "{value}");
        };
        check(json!({"x": 1.5, "list": [], "object": {}, "unknown": 1}), None);
        check(json!({"x": 1, "list": null}), None);
        check(json!({}), Some("x"));
        check(json!({"x": null}), Some("x"));
        check(json!({"x": "1"}), Some("x"));
        check(json!({"x": 1, "list": {}}), Some("list"));
        check(json!({"x": 1, "object": []}), Some("object"));
    }

    #[test]
    fn classes_that_could_not_be_hashed_alike_are_refused() {
        let field = |name: &str, kind| vec![Field::required(name, kind)];
        let not_hashable = |field: &str| Err(ClassError::NotHashable { field: field.to_owned() });
        assert_eq!(Class::new("A", field("x", FieldKind::Float), &["x"]), not_hashable("x"));
        assert_eq!(Class::new("A", field("x", FieldKind::List), &["x"]), not_hashable("x"));
        assert_eq!(Class::new("A", field("x", FieldKind::Str), &["y"]), not_hashable("y"));
        assert_eq!(
            Class::new("A", field("axon", FieldKind::Str), &[]),
            Err(ClassError::Taken { field: "axon".to_owned() })
        );
        assert_eq!(Class::new("A/b", vec![], &[]), Err(ClassError::Name { name: "A/b".to_owned() }));
    }
}
