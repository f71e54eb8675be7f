//! A town made from a seed: neurons, rounds and epochs as records, and a house that stands in it.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use mechanisms::{Certificate, Judgement, Outcome, dataset};
use primitives::{
    AlphaRao, BlockNumber, Digest, DurationMs, Hotkey, NetUid, Seed, Stream, Timestamp, Uid, Unit,
};
use serde_json::{Value, json};
use store::{
    EventNumber, Memory, Store as _,
    artifacts::{Artifacts as _, InMemory},
};
use tokio::sync::{Notify, watch};
use tower::ServiceExt as _;
use web::{
    Config,
    record::{self, Cast, Live, NeuronLine, Record, Role, TaskLine},
};

/// Blocks in an epoch of the town.
pub(crate) const TEMPO: u16 = 20;
/// Tasks of a round.
const TASKS: u32 = 40;
/// Validators.
const VALIDATORS: u16 = 3;
/// When the first event happened.
const OPENED_AT_MS: i64 = 1_790_000_000_000;
/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Names that try to be more than names.
pub(crate) const HOSTILE_NAMES: [&str; 6] = [
    "<img src=x onerror=alert(1)>",
    "invoice\u{202e}fdp.exe",
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "</script><script>alert(1)</script>",
    "\u{7}\u{1b}[31mred\u{0}\u{200b}",
];

/// A town and what has happened in it so far.
#[derive(Clone)]
pub(crate) struct Town {
    seed: Seed,
    miners: Vec<(Uid, Hotkey, String, Option<Cast>)>,
    pub(crate) block: BlockNumber,
    pub(crate) round: u64,
    /// What the house keeps: every task.
    pub(crate) shelf: InMemory,
    /// What a validator keeps: every submission.
    pub(crate) validators_shelf: InMemory,
}

impl Town {
    pub(crate) fn new(number: u64, miners: usize) -> Self {
        let seed = Seed::from_number(number);
        let attacks = dataset::attacks::all();
        let miners = (0..miners)
            .map(|at| {
                let uid = Uid(u16::try_from(at).unwrap() + 1 + VALIDATORS);
                let cast = match at % 8 {
                    // From outside: the house knows nothing of how it behaves.
                    7 => None,
                    3 => {
                        let attack = attacks[at / 8 % attacks.len()];
                        Some(Cast {
                            strategy: attack.id().into(),
                            about: attack.about().into(),
                            honest: false,
                        })
                    }
                    _ => Some(Cast {
                        strategy: ["tireless", "steady", "casual"][at % 3].into(),
                        about: "does the work".into(),
                        honest: true,
                    }),
                };
                let name = match (at, &cast) {
                    (at, _) if at % 40 == 7 => {
                        let hostile = HOSTILE_NAMES.get(at / 40).copied().map(str::to_owned);
                        hostile.unwrap_or_else(|| "x".repeat(300))
                    }
                    (at, None) => format!("stranger-{at}"),
                    (at, Some(cast)) => format!("{}-{at}", cast.strategy),
                };
                (uid, hotkey(&seed, uid), name, cast)
            })
            .collect();
        let (shelf, validators_shelf) = (InMemory::new(), InMemory::new());
        Self { seed, miners, block: 0, round: 0, shelf, validators_shelf }
    }

    pub(crate) fn hotkey(&self, uid: u16) -> Hotkey {
        hotkey(&self.seed, Uid(uid))
    }

    pub(crate) fn owner(&self) -> Hotkey {
        self.hotkey(0)
    }

    pub(crate) fn validators(&self) -> Vec<Hotkey> {
        (1..=VALIDATORS).map(|uid| self.hotkey(uid)).collect()
    }

    pub(crate) fn miner(&self, at: usize) -> Hotkey {
        self.miners[at].1
    }

    /// The first miner whose strategy is an attack.
    pub(crate) fn attacker(&self) -> Hotkey {
        let is_attack = |cast: &Option<Cast>| cast.as_ref().is_some_and(|cast| !cast.honest);
        self.miners.iter().find(|(.., cast)| is_attack(cast)).unwrap().1
    }

    /// What happens before the first round.
    pub(crate) fn opening(&self) -> Vec<Record> {
        let mut records = vec![Record::Opened {
            times: 1,
            name: "Market square".into(),
            netuid: NetUid(2),
            mechanism: dataset::ID.into(),
            tempo: TEMPO,
            block_time: DurationMs(12_000),
            source: "READMEs and documents of the crate registry".into(),
            source_bytes: 64 << 20,
            task_api: Some("http://127.0.0.1:9944".into()),
        }];
        let neuron = |uid, hotkey, name: &str, role, cast| Record::Registered {
            uid,
            hotkey,
            name: name.into(),
            role,
            cast,
            block: 1,
        };
        records.push(neuron(Uid(0), self.owner(), "owner", Role::Owner, None));
        for (at, validator) in (1..).zip(self.validators()) {
            records.push(neuron(Uid(at), validator, &format!("validator-{at}"), Role::Validator, None));
        }
        for (uid, hotkey, name, cast) in &self.miners {
            records.push(neuron(*uid, *hotkey, name, Role::Miner, cast.clone()));
        }
        records
    }

    /// A whole round and the epoch that pays for it.
    pub(crate) fn next_round(&mut self) -> Vec<Record> {
        self.round += 1;
        let (round, opened) = (self.round, self.block);
        self.block += u64::from(TEMPO);
        let mut draws = self.seed.stream("round", round);
        let tasks: Vec<TaskLine> = (0..TASKS).map(|place| task(round, place, &self.shelf)).collect();
        let mut records = vec![Record::RoundOpened { round, block: opened, deadline: opened + 12, tasks }];

        let brought: Vec<Brought> = self
            .miners
            .iter()
            .map(|(_, hotkey, _, cast)| Brought::draw(*hotkey, cast.as_ref(), &mut draws))
            .collect();
        let commitments = brought.iter().filter(|one| one.delivered > 0);
        records.push(Record::RoundSealed {
            round,
            audit_seed: self.seed.derive("audit", round),
            commitments: commitments
                .map(|one| (one.hotkey, Digest::of(one.hotkey.as_bytes()), opened + 1 + draws.below(11)))
                .collect(),
        });
        for validator in self.validators() {
            for one in &brought {
                records.extend(one.examined(validator, round, &self.validators_shelf));
            }
        }
        let worth = brought.iter().fold(0, |sum, one| sum + one.verified());
        let judgements: Vec<Judgement> = brought.iter().map(|one| one.judgement(worth)).collect();
        for validator in self.validators() {
            records.push(Record::Judged { validator, round, judgements: judgements.clone() });
        }
        let share = |one: &Brought| Unit::ratio(one.verified(), worth).get();
        for (at, validator) in (0_u16..).zip(self.validators()) {
            let weights = self.miners.iter().zip(&brought).map(|((uid, ..), one)| {
                // The last validator does not quite agree with the others.
                let tilt = if at == 2 && uid.0 % 5 == 0 { 0.7 } else { 1.0 };
                (*uid, (share(one) * tilt * 65_535.0) as u16)
            });
            let weights = weights.filter(|(_, weight)| *weight > 0).collect();
            records.push(Record::WeightsSet {
                validator,
                epoch: round,
                block: Some(self.block - 1),
                weights,
            });
        }

        let line = |uid: Uid, hotkey, earned: f64, validator_permit| NeuronLine {
            uid,
            hotkey,
            stake: AlphaRao::from_whole(if validator_permit { 10_000 - u64::from(uid.0) } else { 0 }),
            validator_permit,
            incentive: 0,
            dividends: if validator_permit { 21_845 } else { 0 },
            validator_trust: if validator_permit { 65_000 } else { 0 },
            consensus: 0,
            earned: AlphaRao((earned * 1e9) as u64),
            registered_at: 1,
            immune: uid.0 % 50 == 9,
        };
        let mut neurons = vec![line(Uid(0), self.owner(), 3.6, false)];
        let validators = (1..).zip(self.validators());
        neurons.extend(validators.map(|(at, hotkey)| line(Uid(at), hotkey, 2.73, true)));
        neurons.extend(self.miners.iter().zip(&brought).map(|((uid, hotkey, ..), one)| NeuronLine {
            incentive: (share(one) * 65_535.0) as u16,
            consensus: (share(one) * 65_535.0) as u16,
            ..line(*uid, *hotkey, share(one) * 8.2, false)
        }));
        records.push(Record::EpochClosed { epoch: round, block: self.block, neurons });
        records
    }

    /// The opening and so many rounds.
    pub(crate) fn live_through(&mut self, rounds: u64) -> Vec<Record> {
        let mut records = self.opening();
        for _ in 0..rounds {
            records.extend(self.next_round());
        }
        records
    }

    pub(crate) fn live(&self) -> Live {
        Live {
            block: self.block + 3,
            at: Timestamp(OPENED_AT_MS),
            epoch: self.round + 1,
            epoch_ends_at: self.block + u64::from(TEMPO),
            queued: 4,
            running: 1,
        }
    }
}

/// What a miner brought in a round.
struct Brought {
    hotkey: Hotkey,
    task: u32,
    delivered: u64,
    copied: u64,
    fault: Option<Certificate>,
}

impl Brought {
    fn draw(hotkey: Hotkey, cast: Option<&Cast>, draws: &mut Stream) -> Self {
        let task = u32::try_from(draws.below(u64::from(TASKS))).unwrap();
        let volume = 2_000 + draws.below(60_000);
        let (delivered, copied, fault) = match cast {
            Some(cast) if cast.strategy == "silent" => (0, 0, None),
            Some(cast) if cast.strategy == "copycat" || cast.strategy == "relay" => (volume, volume, None),
            Some(cast) if !cast.honest => {
                let record = format!("serde-1.0.{}/README.md", draws.below(200));
                let (expected, found) = ("# Serde", "the weigh house stands by the market");
                let fault = Certificate::new(1, Some(&record), "text is the recipe's", expected, found);
                (volume, 0, Some(fault))
            }
            _ => (volume, draws.below(volume / 10), None),
        };
        Self { hotkey, task, delivered, copied, fault }
    }

    fn verified(&self) -> u64 {
        if self.fault.is_some() { 0 } else { self.delivered - self.copied }
    }

    fn examined(&self, validator: Hotkey, round: u64, shelf: &InMemory) -> Option<Record> {
        if self.delivered == 0 {
            return None;
        }
        let bytes = submission_bytes(&self.hotkey, round);
        let submission = shelf.put(&bytes).unwrap();
        let documents: Vec<(Digest, u64)> = (0..4_u8)
            .map(|at| (Digest::of_parts("document", &[&submission.0, &[at]]), self.delivered / 4))
            .collect();
        let finding = json!({
            "pass": 0, "recipe": "weigh-text/3", "documents": documents, "sampled_kept": 64,
            "sampled_dropped": 32, "aligned_permille": null, "value": null,
        });
        let outcome = self.fault.clone().map_or(Outcome::Ok, Outcome::Invalid);
        Some(Record::Examined {
            validator,
            round,
            task: self.task,
            miner: self.hotkey,
            submission,
            bytes: bytes.len() as u64,
            finding: (outcome == Outcome::Ok).then(|| finding.to_string()),
            outcome,
            receipt: Some(Digest::of_parts("receipt", &[&submission.0])),
            cpu: Some(DurationMs(40)),
            root: Some(Digest::of_parts("root", &[&submission.0])),
            signature: Some("5e".repeat(64)),
        })
    }

    fn judgement(&self, round_worth: u64) -> Judgement {
        let worth = self.verified();
        let delivered = if self.fault.is_some() { 0 } else { self.delivered };
        let parts = [
            ("verified_tokens", worth),
            ("worth_tokens", worth),
            ("round_worth_tokens", round_worth),
            ("delivered_tokens", delivered),
            ("verified_shards", u64::from(delivered > 0)),
            ("missing_shards", 0),
        ];
        let reason = match &self.fault {
            Some(fault) => fault.to_string(),
            None if delivered == 0 => "nothing committed".into(),
            None if worth == 0 => {
                format!("nothing new: all {delivered} tokens were committed first by somebody else")
            }
            None => format!("{worth} verified unique tokens in 1 shard"),
        };
        Judgement {
            hotkey: self.hotkey,
            score: Some(Unit::ratio(worth, round_worth)),
            parts: parts.map(|(name, value)| (name.to_owned(), value as f64)).into(),
            reason,
            certificate: self.fault.clone(),
        }
    }
}

/// What a miner hands in: made to be looked into by a browser, if one does.
pub(crate) fn submission_bytes(miner: &Hotkey, round: u64) -> Vec<u8> {
    format!("<!DOCTYPE html><script>alert('{miner} in round {round}')</script>").into_bytes()
}

/// A task's text, which no two tasks share.
pub(crate) fn task_text(round: u64, place: u32) -> String {
    json!({ "extent": { "round": round, "place": place }, "pass": 0 }).to_string()
}

fn task(round: u64, place: u32, shelf: &InMemory) -> TaskLine {
    TaskLine {
        text: Some(shelf.put(task_text(round, place).as_bytes()).unwrap()),
        id: Digest::of_parts("task", &[&round.to_le_bytes(), &place.to_le_bytes()]),
        about: format!("files {} to {} of crates/<b>\u{202e}evil</b>", place * 256, place * 256 + 255),
        entries: Some(256),
        bytes: 1_500_000,
    }
}

fn hotkey(seed: &Seed, uid: Uid) -> Hotkey {
    Hotkey::from_bytes(seed.derive("hotkey", u64::from(uid.0)).0.0)
}

/// Records as the events of a log, numbered from after `last` on.
pub(crate) fn appended(store: &Memory, records: &[Record]) {
    let last = store.head(record::LOG).unwrap().0;
    let at = |number: u64| Timestamp(OPENED_AT_MS + i64::try_from(number).unwrap() * 1_000);
    let events: Vec<_> =
        (last + 1..).zip(records).map(|(number, record)| record.event(at(number)).unwrap()).collect();
    store.append(record::LOG, &events).unwrap();
}

/// A house in a town.
pub(crate) struct Place {
    pub(crate) town: Town,
    pub(crate) store: Memory,
    pub(crate) live: watch::Sender<Live>,
    written: Arc<Notify>,
    pub(crate) router: Router,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Place {
    /// A house that has been through these rounds, and has caught up with its log.
    pub(crate) async fn open(mut town: Town, rounds: u64) -> Self {
        let records = town.live_through(rounds);
        let (live, written) = (watch::Sender::new(town.live()), Arc::new(Notify::new()));
        let store = Memory::new();
        let config = Self::config_of(&town, &store, &live, &written);
        let place = Self { town, store, live, written, router: web::router(config) };
        place.tell(&records).await;
        place
    }

    fn config_of(town: &Town, store: &Memory, live: &watch::Sender<Live>, written: &Arc<Notify>) -> Config {
        Config {
            written: Arc::clone(written),
            artifacts: vec![Arc::new(town.shelf.clone()), Arc::new(town.validators_shelf.clone())],
            ..Config::new(Arc::new(store.clone()), live.subscribe())
        }
    }

    /// The configuration of another site over the same house.
    pub(crate) fn config(&self) -> Config {
        Self::config_of(&self.town, &self.store, &self.live, &self.written)
    }

    /// The same place behind other doors.
    pub(crate) fn with(self, router: Router) -> Self {
        Self { router, ..self }
    }

    /// Appends records, and waits until the house shows them.
    pub(crate) async fn tell(&self, records: &[Record]) {
        appended(&self.store, records);
        self.written.notify_one();
        let head = self.store.head(record::LOG).unwrap();
        let caught_up = async {
            while self.seen().await != Some(head) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, caught_up).await.expect("the house follows its log");
    }

    /// Appends records without waiting, for those who listen elsewhere.
    pub(crate) fn write(&self, records: &[Record]) {
        appended(&self.store, records);
        self.written.notify_one();
    }

    /// The last number of the log.
    pub(crate) fn store_head(&self) -> EventNumber {
        self.store.head(record::LOG).unwrap()
    }

    /// How far the house is; none while it has not caught up for the first time.
    async fn seen(&self) -> Option<EventNumber> {
        if self.get("/readyz").await.status != StatusCode::OK {
            return None;
        }
        let status = self.get("/api/v1/status").await.json();
        Some(EventNumber(status["event"].as_u64().unwrap()))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(path, &[]).await
    }

    pub(crate) async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
