//! The API's description in OpenAPI 3.1, written once: the reference page is rendered from it, and a test holds every
//! answer against it.

use serde_json::{Map, Value, json};

use crate::standing::{HONEST, ROLES, ROWS_DEFAULT, ROWS_MAX, Sort};

/// A field: its name, its type, what it is. A type is a word of JSON Schema, with `?` where it may be null; `[X]` is a list,
/// and a name with a capital is another shape.
type Field = (&'static str, &'static str, &'static str);

/// The document as it is served.
pub(crate) fn text() -> String {
    let text = serde_json::to_string_pretty(&document());
    text.expect("a JSON value has a text") + "\n"
}

/// The document.
pub(crate) fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Weighhouse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What this house has weighed, as JSON. Everything is a fold of the house's public record, a log of numbered events; `event` says up to which one an answer goes. Amounts are whole numbers of rao, 10⁹ to one alpha; shares named u16 are of 65535. Names, reasons and certificates may quote strangers.",
        },
        "paths": paths(),
        "components": { "schemas": schemas() },
    })
}

fn paths() -> Value {
    let hotkey = path_parameter("hotkey", "string", "The neuron's hotkey in SS58.");
    let number = |what: &str| path_parameter("number", "integer", what);
    json!({
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
            &[path_parameter("digest", "string", "BLAKE3 of the submission's bytes, in lower-case hexadecimal.")],
            "Submission"),
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
    })
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

fn path_parameter(name: &str, kind: &str, about: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind }, "description": about })
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

const EVENT: Field = ("event", "integer", "The last event of the record that is in the answer.");

fn schemas() -> Value {
    let mut all = Map::new();
    let mut say = |name: &str, about: &str, fields: &[Field]| {
        all.insert(name.to_owned(), shape(about, fields));
    };
    say(
        "Problem",
        "Why a request got nothing, as RFC 9457 has it.",
        &[
            ("type", "string", "about:blank: the status says it."),
            ("title", "string", "The status in words."),
            ("status", "integer", "The status."),
            ("detail", "string", "What was wrong, and what would be accepted."),
        ],
    );
    say(
        "Status",
        "Where the chain and the house are.",
        &[
            EVENT,
            ("subnet", "Subnet?", "What the house is; null before it has opened."),
            ("block", "integer", "The newest block."),
            ("block_at_ms", "integer", "When it was made, in milliseconds since 1970."),
            ("epoch", "integer", "The epoch that is running."),
            ("epoch_ends_at_block", "integer", "The block in which it ends."),
            ("queued", "integer", "Submissions that wait for an examination."),
            ("running", "integer", "Examinations under way."),
            ("miners", "integer", "Miners that hold a slot."),
            ("validators", "integer", "Validators that hold a slot."),
            ("last_round", "integer?", "The newest round."),
            ("last_judged_round", "integer?", "The newest round that a validator has judged."),
            ("last_closed_epoch", "integer?", "The newest epoch over which consensus has run."),
            ("totals", "Totals", "Sums over all time."),
        ],
    );
    say(
        "Subnet",
        "What the house says of itself.",
        &[
            ("name", "string", "What the subnet is called."),
            ("netuid", "integer", "The chain's number for it."),
            ("mechanism", "string", "The mechanism by which it weighs."),
            ("tempo_blocks", "integer", "Blocks in an epoch."),
            ("block_time_ms", "integer", "Time between two blocks."),
            ("source", "string", "What the tasks are made of."),
            ("source_bytes", "integer", "Bytes of it."),
            ("task_api", "string?", "Where miners lease tasks."),
        ],
    );
    say(
        "Totals",
        "Sums over all time.",
        &[
            ("rounds", "integer", "Rounds that were opened."),
            ("epochs", "integer", "Epochs that were closed."),
            ("examinations", "integer", "Examinations."),
            ("faults", "integer", "Faults that were proven in them."),
            ("paid_rao", "integer", "Paid to everyone."),
            ("paid_to_miners_rao", "integer", "Paid to miners."),
            ("paid_to_honest_rao", "integer", "Paid to miners that the house set up as honest ones."),
            ("paid_to_attackers_rao", "integer", "Paid to miners that the house set up as attackers."),
        ],
    );
    say(
        "Leaderboard",
        "One page of standings.",
        &[
            EVENT,
            ("round", "integer?", "The round whose scores these are."),
            ("epoch", "integer?", "The epoch whose pay this is."),
            ("total", "integer", "Rows on all pages."),
            ("next", "string?", "The cursor of the next page."),
            ("rows", "[Standing]", "The rows."),
        ],
    );
    say(
        "Standing",
        "One neuron's standing.",
        &[
            ("rank", "integer?", "Its place among the miners by score."),
            ("uid", "integer", "Its slot."),
            ("hotkey", "string", "Its key."),
            ("name", "string", "What it calls itself."),
            ("role", "string", "owner, validator or miner."),
            ("strategy", "string?", "The strategy that the house gave it."),
            ("honest", "boolean?", "Whether that one deserves to be paid."),
            (
                "score",
                "number?",
                "Its score of the newest judged round, from 0 to 1; null where it has none.",
            ),
            ("verified_tokens", "number?", "Tokens that were verified in it."),
            ("incentive_u16", "integer", "Its share of the miners' reward."),
            ("earned_rao", "integer", "What it earned in the newest epoch."),
            ("emission_share", "number", "That as a share of what the epoch paid to all."),
            ("earned_history_rao", "[integer]", "What it earned in each of the newest epochs, oldest first."),
            ("immune", "boolean", "Whether it can't lose its slot yet."),
            ("registered_at_block", "integer", "Since when it holds its slot."),
            ("reason", "string", "Why its score is what it is."),
        ],
    );
    say(
        "Neuron",
        "Someone who holds a slot, or held one.",
        &[
            ("uid", "integer", "Its slot."),
            ("hotkey", "string", "Its key."),
            ("name", "string", "What it calls itself."),
            ("role", "string", "owner, validator or miner."),
            ("strategy", "string?", "The strategy that the house gave it."),
            ("honest", "boolean?", "Whether that one deserves to be paid."),
            ("registered_at_block", "integer", "Since when it holds its slot."),
            ("left_at_block", "integer?", "Since when it holds it no more."),
            ("earned_in_all_rao", "integer", "All that it has earned."),
        ],
    );
    say(
        "ChainLine",
        "A neuron when an epoch closed.",
        &[
            ("uid", "integer", "Its slot."),
            ("hotkey", "string", "Its key."),
            ("stake_rao", "integer", "Alpha staked with it."),
            ("validator_permit", "boolean", "Whether it may set weights."),
            ("incentive_u16", "integer", "Share of the miners' reward."),
            ("dividends_u16", "integer", "Share of the validators' reward."),
            ("validator_trust_u16", "integer", "How much of its weights stood within consensus."),
            ("consensus_u16", "integer", "What validators agree that it is worth."),
            ("earned_rao", "integer", "Alpha earned in the epoch."),
            ("registered_at_block", "integer", "Since when it holds its slot."),
            ("immune", "boolean", "Whether it can't lose its slot yet."),
        ],
    );
    say(
        "Miner",
        "A neuron with its rounds.",
        &[
            EVENT,
            ("neuron", "Neuron", "Who it is."),
            ("standing", "Standing?", "Its row of the leaderboard; null once it has lost its slot."),
            ("chain", "ChainLine?", "What the newest closed epoch says of it."),
            ("rounds", "[MinerRound]", "Its rounds, oldest first."),
        ],
    );
    say(
        "MinerRound",
        "A miner's part in a round.",
        &[
            ("round", "integer", "The round."),
            ("committed", "Commitment?", "What it committed to."),
            ("judgements", "[Judgement]", "What each validator judged."),
            ("examinations", "[Examination]", "Its submissions, as each validator found them."),
        ],
    );
    say(
        "Commitment",
        "What a miner put on the chain before the samples were known.",
        &[
            ("root", "string", "The Merkle root over what it shows."),
            ("block", "integer", "The block that included it."),
        ],
    );
    say(
        "MinerCommitment",
        "A commitment with its miner.",
        &[
            ("miner", "string", "The miner."),
            ("root", "string", "The Merkle root over what it shows."),
            ("block", "integer", "The block that included it."),
        ],
    );
    say(
        "Judgement",
        "What one validator made of one miner's round.",
        &[
            ("validator", "string", "The validator."),
            ("miner", "string", "The miner."),
            ("score", "number?", "The score; null where the fault was the validator's."),
            ("parts", "[Part]", "Names and values that reproduce the score."),
            ("reason", "string", "Why, in one line."),
            ("certificate", "Certificate?", "The proof of a fault."),
        ],
    );
    say(
        "Part",
        "One number that a score was made of.",
        &[("name", "string", "What it is."), ("value", "number", "How much.")],
    );
    say(
        "Certificate",
        "The proof of a fault, which anyone can replay from the case's bytes.",
        &[
            ("step", "integer", "The step of the verification that found it."),
            ("record", "string?", "Which record."),
            ("rule", "string", "The rule that was broken."),
            ("expected", "string", "What the rule demands."),
            ("found", "string", "What was there instead."),
        ],
    );
    say(
        "Examination",
        "One validator's look at one submission.",
        &[
            ("event", "integer", "The event that told of it."),
            ("validator", "string", "The validator."),
            ("task", "integer", "The task's place in the plan."),
            ("miner", "string", "The miner."),
            ("submission", "string", "The submission."),
            ("bytes", "integer", "Its length."),
            ("outcome", "string", "ok, no_response, refused, invalid, too_big or validator_fault."),
            ("certificate", "Certificate?", "The proof, where it is invalid."),
            ("found", "Found?", "What was found, in numbers."),
            ("receipt", "string?", "The digest of the receipt that the validator signs."),
            ("cpu_ms", "integer?", "What it cost in CPU time."),
        ],
    );
    say(
        "Found",
        "A finding in numbers.",
        &[
            ("recipe", "string", "The recipe that made the documents."),
            ("documents", "integer", "Documents."),
            ("tokens", "integer", "Their tokens."),
            ("sampled_kept", "integer", "Kept records that were checked against the source."),
            ("sampled_dropped", "integer", "Dropped records that were checked against the source."),
        ],
    );
    say(
        "Submission",
        "Every examination of some bytes.",
        &[
            EVENT,
            ("submission", "string", "BLAKE3 of the bytes."),
            ("cases", "[SubmissionCase]", "The examinations."),
        ],
    );
    say(
        "SubmissionCase",
        "An examination with all that is needed to repeat it.",
        &[
            ("event", "integer", "The event that told of it."),
            ("round", "integer", "The round."),
            ("audit_seed", "string?", "What draws the samples."),
            ("task_id", "string?", "The task's id."),
            ("validator", "string", "The validator."),
            ("task", "integer", "The task's place in the plan."),
            ("miner", "string", "The miner."),
            ("submission", "string", "The submission."),
            ("bytes", "integer", "Its length."),
            ("outcome", "string", "ok, no_response, refused, invalid, too_big or validator_fault."),
            ("certificate", "Certificate?", "The proof, where it is invalid."),
            ("found", "Found?", "What was found, in numbers."),
            ("finding", "any", "The mechanism's whole finding."),
            ("receipt", "string?", "The digest of the receipt that the validator signs."),
            ("cpu_ms", "integer?", "What it cost in CPU time."),
        ],
    );
    say("Validators", "The validators.", &[EVENT, ("validators", "[Validator]", "By uid.")]);
    say(
        "Validator",
        "A validator.",
        &[
            ("neuron", "Neuron", "Who it is."),
            ("chain", "ChainLine?", "What the newest closed epoch says of it."),
            ("last_weights", "WeightsOfEpoch?", "What it last said."),
        ],
    );
    say(
        "WeightsOfEpoch",
        "One validator's weights of an epoch.",
        &[
            ("epoch", "integer", "The epoch in which they were decided."),
            ("block", "integer?", "The block in which they were committed to."),
            ("weights", "[Weight]", "By uid."),
        ],
    );
    say(
        "Weight",
        "What a validator says about a uid.",
        &[("uid", "integer", "The slot."), ("weight_u16", "integer", "The weight.")],
    );
    say(
        "Epoch",
        "An epoch.",
        &[
            EVENT,
            ("epoch", "integer", "Its number."),
            ("block", "integer?", "The block in which consensus ran; null while it has not."),
            ("neurons", "[ChainLine]", "Every neuron by uid."),
            ("weights", "[WeightsOfValidator]", "The weights that were decided in it."),
            ("registered", "[Slot]", "Who came during it."),
            ("deregistered", "[Slot]", "Who left during it."),
        ],
    );
    say(
        "WeightsOfValidator",
        "One validator's weights.",
        &[
            ("validator", "string", "The validator."),
            ("block", "integer?", "The block in which they were committed to."),
            ("weights", "[Weight]", "By uid."),
        ],
    );
    say(
        "Slot",
        "A slot and who holds it.",
        &[("uid", "integer", "The slot."), ("hotkey", "string", "The key.")],
    );
    say(
        "Round",
        "A round.",
        &[
            EVENT,
            ("round", "integer", "Its number."),
            ("opened_at_block", "integer?", "The block after which it opened."),
            ("deadline_block", "integer?", "The last block whose commitments count."),
            ("audit_seed", "string?", "What draws every sample; null before the deadline."),
            ("tasks", "[Task]", "Its tasks, by their places in the plan."),
            ("commitments", "[MinerCommitment]", "Who committed to what."),
            ("examined", "integer", "Examinations so far."),
            ("judgements", "[Judgement]", "What each validator judged of each miner."),
        ],
    );
    say(
        "Task",
        "A task.",
        &[
            ("place", "integer", "Its place in the plan."),
            ("id", "string", "Its id."),
            ("about", "string", "Where in the source it lies."),
            ("entries", "integer?", "Records or files that it spans."),
            ("bytes", "integer", "Stored bytes that it spans."),
        ],
    );
    Value::Object(all)
}
