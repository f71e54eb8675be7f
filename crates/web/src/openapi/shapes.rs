//! The shapes of the house's answers.

use serde_json::{Map, Value};

use super::{Field, shape};

const EVENT: Field = ("event", "integer", "The last event of the record that is in the answer.");

const MINER: Field = ("miner", "string", "The miner.");

/// What a miner committed to.
const COMMITMENT: [Field; 2] = [
    ("root", "string", "The Merkle root over what it shows."),
    ("block", "integer", "The block that included it."),
];

/// One validator's look at one submission.
const EXAMINATION: [Field; 13] = [
    ("event", "integer", "The event that told of it."),
    ("validator", "string", "The validator."),
    ("task", "integer", "The task's place in the plan."),
    MINER,
    ("submission", "string", "The submission."),
    ("bytes", "integer", "Its length."),
    ("outcome", "string", "ok, no_response, refused, invalid, too_big or validator_fault."),
    ("certificate", "Certificate?", "The proof, where it is invalid."),
    ("found", "Found?", "What was found, in numbers."),
    ("root", "string?", "The submission's own root, as the miner's manifest names it."),
    ("receipt", "string?", "The digest of the validator's receipt."),
    ("signature", "string?", "The validator's sr25519 signature of that digest's 32 bytes, in hexadecimal."),
    ("cpu_ms", "integer?", "What it cost in CPU time."),
];

/// All of them, by name.
pub(super) fn schemas() -> Map<String, Value> {
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
    say("Commitment", "What a miner put on the chain before the samples were known.", &COMMITMENT);
    say("MinerCommitment", "A commitment with its miner.", &[&[MINER], &COMMITMENT[..]].concat());
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
    say("Examination", "One validator's look at one submission.", &EXAMINATION);
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
    let repeated = [
        ("round", "integer", "The round."),
        ("audit_seed", "string?", "What draws the samples."),
        ("task_id", "string?", "The task's id."),
        ("finding", "any", "The mechanism's whole finding."),
    ];
    say(
        "SubmissionCase",
        "An examination with its round and its whole finding.",
        &[&EXAMINATION[..], &repeated].concat(),
    );
    say(
        "Case",
        "What a validator was given for one examination, but for the bytes: `weigh score` takes it as it is.",
        &[
            ("mechanism", "string", "The mechanism's name."),
            ("round", "integer", "The round."),
            ("task", "any", "The task, as its mechanism writes it."),
            ("hotkey", "string", "The miner."),
            ("root", "string", "The root under which its manifest names the bytes."),
            ("audit_seed", "string", "What draws the samples."),
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
            ("text", "string?", "BLAKE3 of the task as its mechanism writes it, where the house keeps that."),
        ],
    );
    all
}
