//! The API's reference, read out of the OpenAPI document.

use maud::{Markup, html};
use serde_json::Value;

use super::{Page, scrolling};

pub(crate) fn reference(document: &Value) -> Page {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let body = html! {
        div class="lead" {
            h1 { "API" }
            p class="say" { (text(&document["info"]["description"])) }
            p { a href="/openapi.json" { "The OpenAPI document" } }
        }
        @for (path, item) in document["paths"].as_object().into_iter().flatten() { (operation(path, &item["get"])) }
        h2 { "Shapes" }
        @for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            section class="shape" id={ "shape-" (name) } {
                h3 { code { (name) } }
                @if let Some(about) = schema["description"].as_str() { p { (about) } }
                (fields(name, schema))
            }
        }
    };
    Page { title: "API".to_owned(), body }
}

fn operation(path: &str, get: &Value) -> Markup {
    html! {
        section class="operation" {
            h2 { code { "GET " (path) } }
            p { (get["summary"].as_str().unwrap_or_default()) }
            @if let Some(about) = get["description"].as_str() { p class="dim" { (about) } }
            @if let Some(parameters) = get["parameters"].as_array() {
                (scrolling(&format!("Parameters of {path}"), &html! {
                    table {
                        thead { tr { th scope="col" { "Parameter" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "What it is" } } }
                        tbody { @for one in parameters {
                            tr {
                                th scope="row" { code { (one["name"].as_str().unwrap_or_default()) } }
                                td { (one["in"].as_str().unwrap_or_default()) }
                                td { (kind(&one["schema"])) }
                                td class="prose" { (one["description"].as_str().unwrap_or_default()) }
                            }
                        } }
                    }
                }))
            }
            ul class="answers" { @for (status, answer) in get["responses"].as_object().into_iter().flatten() {
                li {
                    code { (status) } " " (answer["description"].as_str().unwrap_or_default())
                    @for (content, of) in answer["content"].as_object().into_iter().flatten() { " · " code { (content) } @if !of["schema"].is_null() { " " (kind(&of["schema"])) } }
                }
            } }
        }
    }
}

fn fields(name: &str, schema: &Value) -> Markup {
    let Some(fields) = schema["properties"].as_object() else { return html! {} };
    scrolling(
        &format!("Fields of {name}"),
        &html! {
            table {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Type" } th scope="col" { "What it is" } } }
                tbody { @for (field, schema) in fields {
                    tr { th scope="row" { code { (field) } } td { (kind(schema)) } td class="prose" { (schema["description"].as_str().unwrap_or_default()) } }
                } }
            }
        },
    )
}

/// A schema's type in a few words; a link where it has a name.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return html! { a href={ "#shape-" (name) } { (name) } };
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return html! { @for (at, one) in choices.iter().enumerate() { @if at > 0 { " or " } (kind(one)) } };
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        return html! { (values.join(", ")) };
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => html! { "list of " (kind(&schema["items"])) },
        Value::String(name) => html! { (name) },
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            html! { (names.join(" or ")) }
        }
        _ => html! { "anything" },
    }
}
