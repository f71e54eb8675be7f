//! The API's reference, read out of the OpenAPI document.

use maud::{Markup, html};
use serde_json::Value;

use super::{Page, scrolling};
use crate::quoted::isolated;

pub(crate) fn reference(document: &Value) -> Page {
    let paths = || document["paths"].as_object().into_iter().flatten();
    let headers = &document["components"]["securitySchemes"];
    // What stands on servers of its own is not the website's.
    let (own, others): (Vec<_>, Vec<_>) = paths().partition(|(_, item)| item["servers"].is_null());
    let body = html! {
        div class="lead" {
            h1 { "API" }
            p class="say" { (text(&document["info"]["description"])) }
            p { a href="/openapi.json" { "The OpenAPI document" } }
        }
        h2 id="house" { "What this house tells" }
        @for (path, item) in own { (operations(path, item)) }
        h2 id="desk" { "What neurons ask each other" }
        p {
            "Miners lease tasks at the owner's desk, and show at their own axons what they have committed to. This is not the website's "
            "address, and each request is signed in these headers:"
        }
        (scrolling("Headers of a signed request", &html! {
            table {
                thead { tr { th scope="col" { "Header" } th scope="col" { "What it is" } } }
                tbody { @for (name, header) in headers.as_object().into_iter().flatten() {
                    tr { th scope="row" { code { (name) } } td class="prose" { (text(&header["description"])) } }
                } }
            }
        }))
        @for (path, item) in others { (operations(path, item)) }
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Everything that one address answers.
fn operations(path: &str, item: &Value) -> Markup {
    let methods = ["get", "post"].into_iter().filter(|method| item[*method].is_object());
    html! { @for method in methods { (operation(method, path, &item[method], &item["servers"])) } }
}

fn operation(method: &str, path: &str, operation: &Value, servers: &Value) -> Markup {
    html! {
        section class="operation" {
            h3 { code { (method.to_uppercase()) " " (path) } }
            p { (text(&operation["summary"])) }
            @if let Some(about) = operation["description"].as_str() { p class="dim" { (about) } }
            @for server in servers.as_array().into_iter().flatten() {
                p class="dim" { "At " code { (isolated(text(&server["url"]))) } ". " (isolated(text(&server["description"]))) }
            }
            @if let Some(parameters) = operation["parameters"].as_array() {
                (scrolling(&format!("Parameters of {path}"), &html! {
                    table {
                        thead { tr { th scope="col" { "Parameter" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "What it is" } } }
                        tbody { @for one in parameters {
                            tr {
                                th scope="row" { code { (text(&one["name"])) } }
                                td { (text(&one["in"])) }
                                td { (kind(&one["schema"])) }
                                td class="prose" { (text(&one["description"])) }
                            }
                        } }
                    }
                }))
            }
            @let body = &operation["requestBody"];
            @if body.is_object() {
                p { "Body" (contents(body)) " · " (text(&body["description"])) }
                (examples(body))
            }
            ul class="answers" { @for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                li { code { (status) } " " (text(&answer["description"])) (contents(answer)) }
            } }
            (examples(&operation["responses"]["200"]))
        }
    }
}

/// Of which kinds a body may be.
fn contents(of: &Value) -> Markup {
    html! {
        @for (content, of) in of["content"].as_object().into_iter().flatten() { " · " code { (content) } @if !of["schema"].is_null() { " " (kind(&of["schema"])) } }
    }
}

fn examples(of: &Value) -> Markup {
    let contents = of["content"].as_object().into_iter().flatten();
    let examples = contents.map(|(_, content)| &content["example"]).filter(|example| !example.is_null());
    html! { @for example in examples { pre tabindex="0" { code { (example.to_string()) } } } }
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
