//! The house's own addresses.

use serde_json::{Map, Value, json};

use super::{path_parameter, problem, reference};
use crate::{
    evidence::BIG_ANSWERS_MAX,
    standing::{HONEST, ROLES, ROWS_DEFAULT, ROWS_MAX, Sort},
};

/// Every address with its answers.
pub(super) fn paths() -> Map<String, Value> {
    let hotkey = path_parameter("hotkey", "string", "The neuron's hotkey in SS58.");
    let number = |what: &str| path_parameter("number", "integer", what);
    let digest =
        || path_parameter("digest", "string", "BLAKE3 of the submission's bytes, in lower-case hexadecimal.");
    let all = json!({
        "/api/v1/status": answers("Where the chain and the house are.", "", &[], "Status"),
        "/api/v1/leaderboard": leaderboard(),
        "/api/v1/miners/{hotkey}": answers(
            "A neuron: its standing, and its rounds part by part.",
            "Validators and the owner are found here too. Only the newest rounds are kept.",
            &[hotkey], "Miner"),
        "/api/v1/validators": answers("The validators with their last weights.", "", &[], "Validators"),
        "/api/v1/epochs/{number}": answers(
            "An epoch: weights in, consensus, pay out.", "Only the newest epochs are kept.",
            &[number("The epoch.")], "Epoch"),
        "/api/v1/rounds/{number}": answers(
            "A round: tasks, commitments, judgements.", "A round is one epoch. Only the newest rounds are kept.",
            &[number("The round.")], "Round"),
        "/api/v1/submissions/{digest}": answers(
            "A submission: every examination of it, with the whole finding.", "",
            &[digest()], "Submission"),
        "/api/v1/submissions/{digest}/bytes": bytes(digest()),
        "/api/v1/submissions/{digest}/case": case(digest()),
        "/api/v1/tasks/{id}": task(),
        "/api/v1/events": { "get": {
            "summary": "The record as server-sent events.",
            "description": "Each `record` event carries its number as the stream's id; a reader that comes back with Last-Event-ID misses none and sees none twice. `live` events have no id and say how things are now: block, epoch, queue. Findings are left out here; a submission's own answer has them.",
            "parameters": [
                { "name": "Last-Event-ID", "in": "header", "required": false, "schema": { "type": "integer" }, "description": "The last number seen. Without it, and without `after`, the stream begins with what is new." },
                { "name": "after", "in": "query", "required": false, "schema": { "type": "integer" }, "description": "The same, for those who can't set a header. The header goes first." },
            ],
            "responses": {
                "200": { "description": "The stream; it ends when the house stops.", "content": { "text/event-stream": {} } },
                "400": problem("The number is none."),
                "409": problem("The number has not been given out yet."),
                "503": problem("All streams are taken, or the log has not been read yet."),
            },
        } },
    });
    all.as_object().cloned().unwrap_or_default()
}

/// What is read from where artifacts are kept, of which only so much goes on at a time.
fn kept(mut answer: Value) -> Value {
    let about = format!(
        "{BIG_ANSWERS_MAX} such answers are under way, which is all there may be; Retry-After says when to ask again."
    );
    answer["get"]["responses"]["503"] = problem(&about);
    answer["get"]["responses"]["500"] = problem("It is kept, and can't be read.");
    answer
}

fn task() -> Value {
    let id = path_parameter("id", "string", "The task's id, in lower-case hexadecimal.");
    let mut answer = answers(
        "A task as its mechanism writes it.",
        "The very bytes of which the id is the name, under the mechanism's own.",
        &[id],
        "Problem",
    );
    // A task's form is its mechanism's.
    answer["get"]["responses"]["200"]["content"]["application/json"]["schema"] = json!({});
    kept(answer)
}

fn bytes(digest: Value) -> Value {
    let mut answer = answers(
        "A submission's bytes, as a file.",
        "They are a stranger's: only `weigh score`, or another program that expects the worst, should open them.",
        &[digest],
        "Problem",
    );
    answer["get"]["responses"]["200"]["content"] = json!({ "application/octet-stream": {} });
    kept(answer)
}

fn case(digest: Value) -> Value {
    let query = |name: &str, word: &str, about: &str| json!({ "name": name, "in": "query", "required": false, "schema": { "type": word }, "description": about });
    let parameters = [
        digest,
        query("round", "integer", "The round."),
        query("miner", "string", "The miner's hotkey in SS58."),
        query("task", "integer", "The task's place in the plan."),
    ];
    let mut answer = answers(
        "The case that `weigh score` takes beside a submission's bytes.",
        "The same bytes may stand for several cases. Round, miner and task say which; they may be left out where that is plain.",
        &parameters,
        "Case",
    );
    answer["get"]["responses"]["400"] =
        problem("A parameter means nothing, or the bytes stand for several cases: the problem names them.");
    kept(answer)
}

fn leaderboard() -> Value {
    let names = |all: Vec<&'static str>| json!({ "type": "string", "enum": all });
    let query = |name: &str, schema: Value, about: &str| json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": about });
    let sorts = Sort::ALL.iter().map(|(_, name)| *name).collect();
    let parameters = [
        query("sort", names(sorts), "By what rows are ordered; by rank where it is not given."),
        query(
            "dir",
            names(vec!["asc", "desc"]),
            "Which way; the largest amounts and the first names come first where it is not given.",
        ),
        query(
            "q",
            json!({ "type": "string" }),
            "What the name, key, uid, strategy or reason must contain, whatever the case.",
        ),
        query(
            "role",
            names(ROLES.iter().map(|(_, name)| *name).collect()),
            "Whose rows; the miners' where it is not given.",
        ),
        query(
            "honest",
            names(HONEST.iter().map(|(_, name)| *name).collect()),
            "Of the house's own miners, those set up as honest, or the attackers.",
        ),
        query(
            "limit",
            json!({ "type": "integer", "minimum": 1, "maximum": ROWS_MAX }),
            &format!("Most rows of one answer; {ROWS_DEFAULT} where it is not given."),
        ),
        query(
            "cursor",
            json!({ "type": "string" }),
            "`next` of the page before. Rows may have moved in between: `event` says so.",
        ),
    ];
    let mut answer = answers(
        "Everybody's standing.",
        "The page at /leaderboard takes the same parameters. As CSV with `Accept: text/csv`, or at /leaderboard.csv.",
        &parameters,
        "Leaderboard",
    );
    answer["get"]["responses"]["200"]["content"]["text/csv"] = json!({});
    answer
}

fn answers(summary: &str, about: &str, parameters: &[Value], shape: &str) -> Value {
    let mut get = json!({
        "summary": summary,
        "responses": {
            "200": {
                "description": "As asked.",
                "content": { "application/json": { "schema": reference(shape) } },
            },
            "304": { "description": "What If-None-Match names is what there is." },
        },
    });
    if !about.is_empty() {
        get["description"] = json!(about);
    }
    if !parameters.is_empty() {
        get["parameters"] = json!(parameters);
        get["responses"]["400"] = problem("A parameter means nothing.");
    }
    if parameters.iter().any(|one| one["in"] == "path") {
        get["responses"]["404"] = problem("It is not known, or not kept any more.");
    }
    json!({ "get": get })
}
