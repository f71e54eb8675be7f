//! The SDKs' own timelock, both ways. Each test runs where `WEIGH_BITTENSOR11_PYTHON` (bittensor 11.3.0) or
//! `WEIGH_BITTENSOR10_PYTHON` (10.5.0, with `bittensor-drand`) names a Python, and says for each that it skips.

use std::{
    env,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use chain::{
    EpochSchedule,
    timelock::{Beacon, MAX_PAYLOAD_BYTES, decrypt, encrypt},
};
use primitives::{DurationMs, Seed, Timestamp};
use serde_json::json;

use crate::timelock::{check_theirs, quicknet_signature, weights};

const VARIABLES: [&str; 2] = ["WEIGH_BITTENSOR10_PYTHON", "WEIGH_BITTENSOR11_PYTHON"];
const ROUNDS: [u64; 2] = [1_000, 657_413];

/// What `tests/peers/timelock.py` prints in each SDK that there is, line by line.
fn run(arguments: &[&str], input: &str) -> Vec<(&'static str, Vec<String>)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/timelock.py");
    let mut outputs = Vec::new();
    for variable in VARIABLES {
        let Some(python) = env::var_os(variable) else {
            println!("skipped: {variable} names no Python with the SDK");
            continue;
        };
        let mut child = Command::new(python)
            .arg(&script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Their panics talk.
            .stderr(if arguments == ["decrypt"] { Stdio::null() } else { Stdio::inherit() })
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{variable}");
        let lines = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        outputs.push((variable, lines));
    }
    outputs
}

#[test]
fn what_the_sdks_lock_opens_here() {
    let rounds = ROUNDS.map(|round| round.to_string());
    for (variable, lines) in run(&["encrypt", &rounds[0], &rounds[1]], "") {
        assert_eq!(lines.len(), 8, "{variable}");
        for line in lines {
            let [round, payload, ciphertext] = line.split('|').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            check_theirs(round.parse().unwrap(), payload, &hex::decode(ciphertext).unwrap());
        }
    }
}

#[test]
fn what_is_locked_here_opens_in_the_sdks() {
    let key = Beacon::quicknet().public_key;
    let payloads = [vec![], b"hello".to_vec(), weights().encode(), vec![9; MAX_PAYLOAD_BYTES]];
    let (mut input, mut expected) = (String::new(), Vec::new());
    for round in ROUNDS {
        for payload in &payloads {
            let ciphertext = hex::encode(encrypt(&key, round, payload, &Seed::from_number(4)).unwrap());
            for signed in ROUNDS {
                input += &format!("{round} {} {ciphertext}\n", quicknet_signature(signed));
                expected.push(match signed == round {
                    true => format!("opened {}", hex::encode(payload)),
                    false => "closed".to_owned(),
                });
            }
        }
    }
    for (variable, lines) in run(&["decrypt"], &input) {
        assert_eq!(lines, expected, "{variable}");
    }
}

/// `ciphertext` with each byte changed in turn, with its lengths changed, and with bytes put in and left out.
fn altered(ciphertext: &[u8]) -> Vec<Vec<u8>> {
    const BODY_AT: usize = 96 + 2 * (8 + 32);
    let mut all = vec![ciphertext.to_vec(), [ciphertext, b"abc"].concat()];
    for at in 0..ciphertext.len() {
        let mut other = ciphertext.to_vec();
        other[at] ^= 1 << (at % 8);
        all.push(other);
    }
    for cut in 1..40 {
        all.push(ciphertext[..ciphertext.len() - cut].to_vec());
    }
    // One byte more or less in a vector: v, w, the body behind its nonce.
    let body_end = ciphertext.len() - 16;
    for (length_at, end) in [(96, 96 + 40), (96 + 40, BODY_AT), (BODY_AT, body_end)] {
        let (mut longer, mut shorter) = (ciphertext.to_vec(), ciphertext.to_vec());
        longer.insert(end, 0);
        longer[length_at] += 1;
        shorter.remove(end - 1);
        shorter[length_at] -= 1;
        all.extend([longer, shorter]);
    }
    all
}

#[test]
fn altered_ciphertexts_open_here_where_they_open_there() {
    let ciphertext = encrypt(&Beacon::quicknet().public_key, 1_000, b"hello", &Seed::from_number(6)).unwrap();
    let signature = quicknet_signature(1_000);
    let (mut input, mut expected) = (String::new(), Vec::new());
    for other in altered(&ciphertext) {
        input += &format!("1000 {signature} {}\n", hex::encode(&other));
        let opened = decrypt(&other, &signature).map(|payload| format!("opened {}", hex::encode(payload)));
        expected.push(opened.unwrap_or_else(|_| "closed".to_owned()));
    }
    // Itself, with bytes behind it, eight in the cipher's name, one behind the nonce; a length of the name that is
    // shorter than the name may open too.
    assert!(expected.iter().filter(|verdict| *verdict != "closed").count() >= 11);
    for (variable, lines) in run(&["decrypt"], &input) {
        assert_eq!(lines, expected, "{variable}");
    }
}

/// Schedules of all kinds with a head each, and a time between blocks in milliseconds.
fn schedules() -> Vec<(EpochSchedule, u64, i64)> {
    let mut stream = Seed::from_number(5).stream("schedules", 0);
    let mut cases = Vec::new();
    for number in 0..300 {
        let head = 100_000 + stream.below(1_000_000);
        let tempo = [1, 2, 10, 99, 360, 361, 1_000, 50_400][stream.index(8)];
        let since = stream.below(tempo + 2);
        let blocks_since_last_step = match number % 3 {
            // Around the last resort.
            0 => 50_395 + stream.below(10),
            _ => since,
        };
        let pending_epoch_at = if stream.chance(300) { head - 2 + stream.below(30) } else { 0 };
        let schedule = EpochSchedule {
            tempo: u16::try_from(tempo).unwrap(),
            last_epoch_block: head - since,
            pending_epoch_at,
            epoch_index: stream.below(10_000),
            blocks_since_last_step,
            reveal_period_epochs: 1 + stream.below(if tempo > 1_000 { 2 } else { 100 }),
        };
        cases.push((schedule, head, [250, 1_000, 12_000][stream.index(3)]));
    }
    cases.push((EpochSchedule { reveal_period_epochs: 1, ..EpochSchedule::default() }, 7, 12_000));
    cases
}

/// Where both SDKs predict another block: the epoch of the commitment's own block runs by the last resort, which they
/// overlook, so that they take the commitment to belong to the epoch before.
fn is_overlooked_by_them(schedule: &EpochSchedule, head: u64) -> bool {
    !schedule.is_due(head + 1) && schedule.after(head + 1).epoch_index > schedule.epoch_index
}

#[test]
fn reveal_rounds_are_those_of_the_sdks() {
    let cases = schedules();
    let mut input = String::new();
    for (schedule, head, block_time_ms) in &cases {
        let line = json!({
            "last_epoch_block": schedule.last_epoch_block,
            "pending_epoch_at": schedule.pending_epoch_at,
            "subnet_epoch_index": schedule.epoch_index,
            "tempo": schedule.tempo,
            "blocks_since_last_step": schedule.blocks_since_last_step,
            "current_block": head,
            "reveal_period_epochs": schedule.reveal_period_epochs,
            "block_time_ms": block_time_ms,
        });
        input += &format!("{line}\n");
    }
    assert!(cases.iter().any(|(schedule, head, _)| is_overlooked_by_them(schedule, *head)));
    for (variable, lines) in run(&["rounds"], &input) {
        assert_eq!(lines.len(), cases.len(), "{variable}");
        for ((schedule, head, block_time_ms), line) in cases.iter().zip(lines) {
            let (before, theirs, after): (i64, Option<u64>, i64) = serde_json::from_str(&line).unwrap();
            // They read the clock, somewhere between the two times.
            let [first, last] = [before - 1, after + 1].map(|now| {
                Beacon::quicknet().reveal_round(schedule, *head, Timestamp(now), DurationMs(*block_time_ms))
            });
            let agree = (first..=last).contains(&theirs);
            assert_eq!(
                agree,
                !is_overlooked_by_them(schedule, *head),
                "{variable}: {schedule:?} after {head}: {line}"
            );
        }
    }
}
