//! The API: every answer has the shape that the document says, and the document is the one that was reviewed.

use std::{collections::BTreeSet, fs};

use http::{StatusCode, header};
use primitives::Digest;
use serde_json::Value;

use crate::{
    pages::{submission_of_attacker, unopened},
    town::{Place, Town},
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/openapi.json");

#[tokio::test]
async fn the_document_is_the_reviewed_one() {
    // Nobody says there where the desk is: an address changes from house to house.
    let served = unopened().await.get("/openapi.json").await.text();
    if std::env::var("WEIGH_BLESS").is_ok_and(|value| value == "1") {
        fs::write(GOLDEN, &served).unwrap();
    }
    let reviewed = fs::read_to_string(GOLDEN).expect("golden file");
    assert_eq!(served, reviewed, "WEIGH_BLESS=1 rewrites {GOLDEN}; review the difference");
}

/// What is wrong with `value` as `schema` has it: a place and a complaint each.
fn complaints(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let shape = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
        assert!(shape.is_object(), "{name} is not described");
        return complaints(document, shape, value, place, found);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &&Value| {
            let mut own = Vec::new();
            complaints(document, choice, value, place, &mut own);
            own.is_empty()
        };
        if !choices.iter().any(|choice| fits(&choice)) {
            found.push(format!("{place}: fits none of the choices: {value}"));
        }
        return;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        _ => return,
    };
    let is_of = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    };
    if !kinds.iter().any(is_of) {
        found.push(format!("{place}: {value} is not {kinds:?}"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        complaints(document, &schema["items"], item, &format!("{place}[{at}]"), found);
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                found.push(format!("{place}: {name} is missing"));
            }
        }
        for (name, field) in fields {
            match schema["properties"].get(name) {
                Some(schema) => complaints(document, schema, field, &format!("{place}.{name}"), found),
                None => found.push(format!("{place}: {name} is not described")),
            }
        }
    }
}

/// An address of each described path that leads somewhere, and one that does not.
fn filled(place: &Place, path: &str) -> (String, String) {
    let round = place.town.round.to_string();
    let (good, bad) = match path {
        path if path.contains("{hotkey}") => {
            (place.town.attacker().to_string(), place.town.hotkey(999).to_string())
        }
        path if path.contains("{id}") => {
            let task = Digest::of_parts("task", &[&place.town.round.to_le_bytes(), &0_u32.to_le_bytes()]);
            (task.to_string(), "0".repeat(64))
        }
        path if path.contains("{digest}") => (submission_of_attacker(place).to_string(), "0".repeat(64)),
        _ => (round, "999".into()),
    };
    let fill = |value: &str| {
        let (before, rest) = path.split_once('{').unwrap_or((path, ""));
        let (name, after) = rest.split_once('}').unwrap_or(("", ""));
        if name.is_empty() { before.to_owned() } else { format!("{before}{value}{after}") }
    };
    (fill(&good), fill(&bad))
}

#[tokio::test]
async fn every_answer_has_the_shape_that_the_document_says() {
    let place = Place::open(Town::new(7, 40), 3).await;
    let document = place.get("/openapi.json").await.json();
    let problem = &document["components"]["schemas"]["Problem"];
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let answers = &item["get"]["responses"];
        let schema = &answers["200"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let (good, bad) = filled(&place, path);
        let answer = place.get(&good).await;
        assert_eq!(answer.status, StatusCode::OK, "{good}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
        complaints(&document, schema, &answer.json(), path, &mut found);
        if answers.get("404").is_some() {
            let answer = place.get(&bad).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{bad}");
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
            complaints(&document, problem, &answer.json(), path, &mut found);
        }
        if path.contains('{') {
            let answer = place.get(&path.replace(['{', '}'], "~")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            complaints(&document, problem, &answer.json(), path, &mut found);
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn what_neurons_ask_each_other_is_described_with_its_own_address_and_headers() {
    let place = Place::open(Town::new(7, 4), 1).await;
    let document = place.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let others: Vec<_> = paths.iter().filter(|(_, item)| item["servers"].is_array()).collect();
    let names: Vec<&str> = others.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(names, ["/v1/ask", "/v1/leases", "/v1/leases/done"]);
    let mut found = Vec::new();
    for (path, item) in others {
        let post = &item["post"];
        let asked = &post["requestBody"]["content"]["application/json"];
        let answered = &post["responses"]["200"]["content"]["application/json"];
        for one in [asked, answered] {
            complaints(&document, &one["schema"], &one["example"], path, &mut found);
        }
        for header in post["security"][0].as_object().unwrap().keys() {
            assert_eq!(document["components"]["securitySchemes"][header]["name"], header.as_str());
        }
        let url = item["servers"][0]["url"].as_str().unwrap();
        assert_eq!(url, if path == "/v1/ask" { "http://{address}" } else { "http://127.0.0.1:9944" });
    }
    assert!(found.is_empty(), "{found:#?}");
    let desk = &paths["/v1/leases"]["servers"][0]["description"];
    assert!(desk.as_str().unwrap().contains(&place.town.owner().to_string()), "{desk}");
    let page = place.get("/docs/api").await.text();
    for expect in
        ["POST /v1/leases/done", "http://127.0.0.1:9944", "x-bittensor-nonce", "GET /api/v1/tasks/{id}"]
    {
        assert!(page.contains(expect), "{expect}");
    }
}

#[tokio::test]
async fn a_shape_that_does_not_fit_is_found() {
    let place = Place::open(Town::new(7, 4), 1).await;
    let document = place.get("/openapi.json").await.json();
    let schema = &document["paths"]["/api/v1/status"]["get"]["responses"]["200"]["content"]["application/json"]
        ["schema"];
    let mut status = place.get("/api/v1/status").await.json();
    status["block"] = "seven".into();
    status["extra"] = 1.into();
    status["totals"].as_object_mut().unwrap().remove("faults");
    let mut found = Vec::new();
    complaints(&document, schema, &status, "status", &mut found);
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[tokio::test]
async fn pages_of_the_leaderboard_have_every_row_once() {
    let place = Place::open(Town::new(7, 100), 2).await;
    for order in ["sort=score", "sort=name&dir=desc", "role=all&sort=uid"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = place.get(&format!("/api/v1/leaderboard?{order}&limit=9{cursor}")).await.json();
            seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["uid"].as_u64().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let whole = place.get(&format!("/api/v1/leaderboard?{order}&limit=1000")).await.json();
        let whole: Vec<u64> =
            whole["rows"].as_array().unwrap().iter().map(|row| row["uid"].as_u64().unwrap()).collect();
        assert_eq!(seen, whole, "{order}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len());
    }
}

#[tokio::test]
async fn a_question_that_means_nothing_gets_a_problem_that_says_why() {
    let place = Place::open(Town::new(7, 4), 1).await;
    let long = format!("/api/v1/leaderboard?q={}", "x".repeat(3_000));
    let cases = [
        ("/api/v1/leaderboard?limit=0", "parameter limit is \"0\", expected a number from 1 to 1000"),
        ("/api/v1/leaderboard?dir=up", "expected asc, desc"),
        ("/api/v1/leaderboard?cursor=abc", "expected a hotkey from an earlier answer"),
        (&long, "query has 3002 bytes"),
        ("/api/v1/miners/5abc", "address has"),
        ("/api/v1/rounds/-1", "round \"-1\" is not a number"),
        ("/api/v1/submissions/xyz", "expected 64 of lower-case hexadecimal"),
    ];
    for (address, expect) in cases {
        let answer = place.get(address).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{address}");
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().contains(expect), "{address}: {problem}");
        assert_eq!(problem["status"], 400);
    }
    let gone = place.get(&format!("/api/v1/leaderboard?cursor={}", place.town.hotkey(999))).await;
    assert!(gone.json()["detail"].as_str().unwrap().contains("begin again"));
}

#[tokio::test]
async fn a_table_is_csv_where_the_asker_wants_it() {
    let place = Place::open(Town::new(7, 30), 2).await;
    let named = place.get("/leaderboard.csv?sort=uid").await;
    assert_eq!(named.header(header::CONTENT_TYPE), "text/csv; charset=utf-8");
    assert_eq!(named.text().lines().count(), 31);
    assert!(named.text().starts_with("rank,uid,hotkey,name,role,strategy,honest,score,"));
    for address in ["/leaderboard?sort=uid", "/api/v1/leaderboard?sort=uid"] {
        let accepted = place.ask(address, &[("accept", "text/csv")]).await;
        assert_eq!(accepted.text(), named.text(), "{address}");
        let json = place.ask(address, &[("accept", "application/json")]).await.json();
        assert_eq!(json["rows"].as_array().unwrap().len(), 30, "{address}");
    }
    let page = place.get("/leaderboard.csv?sort=uid&limit=10").await;
    assert!(page.header(header::LINK).ends_with("; rel=\"next\""), "{}", page.header(header::LINK));
}

#[tokio::test]
async fn a_submission_has_its_whole_finding() {
    let place = Place::open(Town::new(7, 8), 1).await;
    let miner = place.get(&format!("/api/v1/miners/{}", place.town.miner(0))).await.json();
    let submission = miner["rounds"][0]["examinations"][0]["submission"].as_str().unwrap().to_owned();
    let cases = place.get(&format!("/api/v1/submissions/{submission}")).await.json();
    assert_eq!(cases["cases"].as_array().unwrap().len(), 3);
    assert_eq!(cases["cases"][0]["finding"]["documents"].as_array().unwrap().len(), 4);
    assert_eq!(cases["cases"][0]["found"]["documents"], 4);
}

#[tokio::test]
async fn numbers_for_prometheus_have_their_form() {
    let place = Place::open(Town::new(7, 8), 2).await;
    let metrics = place.get("/metrics").await.text();
    assert!(metrics.contains("\nweigh_epochs_total 2\n"));
    assert!(metrics.contains("weigh_neurons{role=\"validator\"} 3\n"));
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("weigh_") && value.parse::<u64>().is_ok(), "{line}");
    }
    assert_eq!(place.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(place.get("/readyz").await.status, StatusCode::OK);
}
