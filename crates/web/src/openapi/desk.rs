//! What neurons ask each other, for whoever writes one: the owner's task desk, and what a miner's axon answers.
//!
//! The website answers none of this. These addresses stand on servers of their own, take signed requests, and refuse in
//! a form of their own. `neuron` has the code; a test of the command line holds the examples against a desk that runs.

use primitives::{Digest, Hotkey};
use protocol::{Window, btauth};
use serde_json::{Map, Value, json};

use super::{Field, reference, shape};
use crate::{house::House, record::Role};

/// Most tasks in one request or manifest. Source: `neuron::wire::PARTS_MAX`.
const TASKS_MAX: u32 = 256;
/// The longest body of a request, in KiB. Source: `neuron::driver`, its routes.
const BODY_MAX_KIB: u32 = 64;

/// What refusals say, by status: `type` ends with one of these words. Source: `protocol::btauth` and `neuron::axon`.
const REFUSALS: [(&str, &str); 10] = [
    ("400", "malformed, unknown-scheme: of the headers. body-broken, unreadable: of the body."),
    (
        "401",
        "unsigned, no-receiver, wrong-receiver, stale, future, bad-signature. replayed, before-start, forgotten: sign a new one.",
    ),
    ("403", "refused: the hotkey is not registered in the subnet."),
    ("408", "body-slow: the body did not arrive in time."),
    ("413", "body-large: the body is longer than is taken."),
    ("429", "ip-rate, hotkey-rate: too many requests."),
    ("500", "broken: the answer could not be made."),
    ("503", "busy: others with more stake go first. failed, stopping: ask again later."),
    ("504", "late: the answer was not ready in time."),
    ("404", "no-route: nothing is at this address."),
];

/// Where the owner's desk is, as far as the house says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Desk {
    address: Option<String>,
    owner: Option<Hotkey>,
}

impl Desk {
    pub(crate) fn of(house: &House) -> Self {
        let owner = house.present().find(|neuron| neuron.role == Role::Owner);
        Self {
            address: house.sign.as_ref().and_then(|sign| sign.task_api.clone()),
            owner: owner.map(|neuron| neuron.hotkey),
        }
    }

    pub(super) fn paths(&self) -> Map<String, Value> {
        let about = match &self.owner {
            Some(owner) => format!("The owner's task desk. Its receiver is {owner}."),
            None => "The owner's task desk. Its receiver is the owner's hotkey.".to_owned(),
        };
        let desk = match &self.address {
            Some(address) => json!({ "url": address, "description": about }),
            None => elsewhere(&format!("{about} This house does not say where it listens.")),
        };
        let axon = elsewhere(
            "A miner's axon, where the chain says that it listens. Its receiver is the miner's hotkey.",
        );
        let mut all = Map::new();
        all.insert("/v1/leases".to_owned(), leases(&desk));
        all.insert("/v1/leases/done".to_owned(), done(&desk));
        all.insert("/v1/ask".to_owned(), ask(&axon));
        all
    }
}

/// A server whose address the asker has to know.
fn elsewhere(about: &str) -> Value {
    json!({
        "url": "http://{address}",
        "description": about,
        "variables": { "address": { "default": "127.0.0.1:8091", "description": "Host and port." } },
    })
}

fn leases(server: &Value) -> Value {
    let about = format!(
        "`want` counts all that you hold, at most {TASKS_MAX} and at most what the owner allows one miner, so that asking again gives the same tasks. A lease that runs out goes to the next miner, under a higher fence. Nothing of a score rests on leases: they keep miners from doing the same work twice."
    );
    signed(
        server,
        "Lease tasks of a round.",
        &about,
        (reference("LeasesWanted"), json!({ "round": 8, "want": 2 })),
        json!({ "application/json": {
            "schema": { "oneOf": [reference("Leases"), word("Refused")] },
            "example": { "Leases": [{ "task": 22, "fence": 1 }, { "task": 23, "fence": 1 }] },
        } }),
        "The tasks that you hold now; \"Refused\" where there is nothing for you.",
    )
}

fn done(server: &Value) -> Value {
    signed(
        server,
        "Say which leased tasks are committed to.",
        "They are leased to nobody else then. A task that has passed to another miner meanwhile is left alone: its fence says so.",
        (reference("TasksDone"), json!({ "round": 8, "tasks": [{ "task": 22, "fence": 1 }] })),
        json!({ "application/json": { "schema": word("Noted"), "example": "Noted" } }),
        "It is noted.",
    )
}

fn ask(server: &Value) -> Value {
    let line = json!({
        "task": Digest::of(b"task"), "root": Digest::of(b"root"), "part": Digest::of(b"part"), "bytes": 3904,
    });
    signed(
        server,
        "What a miner has committed to, and the bytes of it.",
        &format!(
            "Validators ask from the deadline on. A manifest has at most {TASKS_MAX} lines; the Merkle root over them, in their order, is what was committed. Bytes whose digest is another than the one asked for count as no answer."
        ),
        (
            json!({ "oneOf": [reference("AskManifest"), reference("AskPart")] }),
            json!({ "Manifest": { "round": 8 } }),
        ),
        json!({
            "application/json": {
                "schema": { "oneOf": [reference("Manifest"), word("Refused")] },
                "example": { "Manifest": [line] },
            },
            "application/octet-stream": {},
        }),
        "The manifest as JSON, or the bytes as they are; \"Refused\" where there is nothing, or nothing yet.",
    )
}

/// An answer that is one word.
fn word(word: &str) -> Value {
    json!({ "type": "string", "enum": [word] })
}

fn signed(
    server: &Value,
    summary: &str,
    about: &str,
    (asked, example): (Value, Value),
    content: Value,
    answer: &str,
) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": answer, "content": content }));
    for (status, about) in REFUSALS {
        let content = json!({ "application/problem+json": { "schema": reference("Refusal") } });
        responses.insert(status.to_owned(), json!({ "description": about, "content": content }));
    }
    // An ed25519 key must say so; without that header the key is sr25519.
    let always = [btauth::VERSION, btauth::HOTKEY, btauth::NONCE, btauth::SIGNATURE, btauth::RECEIVER];
    let plain: Map<String, Value> = always.iter().map(|name| ((*name).to_owned(), json!([]))).collect();
    let mut of_another_scheme = plain.clone();
    of_another_scheme.insert(btauth::CRYPTO.to_owned(), json!([]));
    json!({
        "servers": [server],
        "post": {
            "summary": summary,
            "description": about,
            "security": [plain, of_another_scheme],
            "requestBody": {
                "required": true,
                "description": format!("At most {BODY_MAX_KIB} KiB."),
                "content": { "application/json": { "schema": asked, "example": example } },
            },
            "responses": responses,
        },
    })
}

/// The six headers of `btauth/1`.
pub(super) fn headers() -> Map<String, Value> {
    let Window { age_max_s, skew_max_s } = Window::STANDARD;
    let nonce = format!(
        "When it was signed, in decimal nanoseconds since 1970. It may be {age_max_s} s old and {skew_max_s} s ahead, and counts once."
    );
    let about = [
        (btauth::VERSION, "1."),
        (btauth::HOTKEY, "Who asks, as SS58."),
        (btauth::NONCE, &nonce),
        (
            btauth::SIGNATURE,
            "0x and 128 hexadecimal digits, over eight lines without a line feed at the end: btauth/1, the scheme, the method, path and query, the body's SHA-256 in hexadecimal, the nonce, who asks, and the receiver.",
        ),
        (btauth::RECEIVER, "Who is asked, as SS58."),
        (btauth::CRYPTO, "The key's scheme, sr25519 or ed25519; sr25519 where it is left out."),
    ];
    let scheme = |about: &str, name: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": about });
    about.iter().map(|(name, about)| ((*name).to_owned(), scheme(about, name))).collect()
}

/// The shapes of what neurons say to each other.
pub(super) fn schemas() -> Map<String, Value> {
    let all: [(&str, &str, &[Field]); 10] = [
        (
            "Refusal",
            "Why a neuron did not answer, as RFC 9457 has it. Nothing of the request is in it.",
            &[
                ("type", "string", "urn:weighhouse:problem: and one word."),
                ("title", "string", "The same in words."),
                ("status", "integer", "The status."),
            ],
        ),
        (
            "LeasesWanted",
            "A miner's wish.",
            &[("round", "integer", "The round."), ("want", "integer", "Tasks wanted in total.")],
        ),
        ("Leases", "What a miner holds.", &[("Leases", "[LeasedTask]", "Its tasks.")]),
        (
            "LeasedTask",
            "A leased task.",
            &[
                ("task", "integer", "Its place in the round's plan."),
                ("fence", "integer", "The lease's number: higher for each next holder."),
            ],
        ),
        (
            "TasksDone",
            "Tasks that are committed to.",
            &[
                ("round", "integer", "The round."),
                ("tasks", "[LeasedTask]", "The tasks as they were leased."),
            ],
        ),
        ("AskManifest", "Asks for a manifest.", &[("Manifest", "OfRound", "Of which round.")]),
        ("OfRound", "A round by its number.", &[("round", "integer", "The round.")]),
        ("AskPart", "Asks for bytes.", &[("Part", "OfDigest", "Which.")]),
        ("OfDigest", "Bytes by their name.", &[("digest", "string", "BLAKE3 of the bytes.")]),
        (
            "Manifest",
            "All that a miner has committed to.",
            &[("Manifest", "[PartLine]", "One line per task.")],
        ),
    ];
    let mut schemas: Map<String, Value> =
        all.into_iter().map(|(name, about, fields)| (name.to_owned(), shape(about, fields))).collect();
    let line = shape(
        "One answer to one task.",
        &[
            ("task", "string", "The task's id."),
            ("root", "string", "The answer's own root; its digest where it has none."),
            ("part", "string", "BLAKE3 of the answer's bytes."),
            ("bytes", "integer", "Their length."),
        ],
    );
    schemas.insert("PartLine".to_owned(), line);
    schemas
}
