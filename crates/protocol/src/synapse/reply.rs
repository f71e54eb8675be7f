//! The receiver's answer: the request's object with fields filled, and headers that say how it went.

use http::{HeaderMap, StatusCode};
use primitives::Hotkey;
use serde_json::{Map, Value, json};

use super::{
    Class, SPOKEN_VERSION, name,
    request::{put, put_sizes},
};

/// The answer's object: the request's, with the fields of the answer over it.
///
/// Names that the protocol owns are not taken from the answer.
#[must_use]
pub fn reply_body(
    class: &Class,
    request: Map<String, Value>,
    answer: Map<String, Value>,
) -> Map<String, Value> {
    let mut body = request;
    for (field, value) in answer {
        if !super::class::RESERVED.contains(&field.as_str()) {
            body.insert(field, value);
        }
    }
    body.insert("name".to_owned(), json!(class.name()));
    for terminal in ["axon", "dendrite"] {
        let entry = body.entry(terminal).or_insert_with(|| json!({}));
        if !entry.is_object() {
            *entry = json!({});
        }
        entry["status_code"] = json!(StatusCode::OK.as_u16());
        entry["status_message"] = json!("Success");
    }
    body
}

/// The answer's headers. `message` is one of our constants, `body_bytes` is 0 for a stream.
#[must_use]
pub fn reply_headers(
    class_name: &str,
    us: &Hotkey,
    status: StatusCode,
    message: &str,
    body_bytes: usize,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    put(&mut headers, "name", class_name);
    put(&mut headers, "bt_header_axon_version", &SPOKEN_VERSION.to_string());
    put(&mut headers, name::AXON_HOTKEY, &us.to_string());
    put(&mut headers, "bt_header_axon_status_code", status.as_str());
    put(&mut headers, "bt_header_axon_status_message", message);
    put_sizes(&mut headers, body_bytes);
    headers
}
