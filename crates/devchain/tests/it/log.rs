//! What was seen survives: the log is replayed to the same digests, cut where it was torn, refused where it was
//! damaged.

#![expect(clippy::disallowed_methods, reason = "the files are what is tested")]

use std::{fs, path::Path};

use chain::Call;
use devchain::{
    Extrinsic, State,
    log::{Log, LogError, Opened, TornTail},
};
use primitives::{Digest, Rao, Timestamp};

use crate::world::{NET, cold, genesis, hot};

/// Bytes in front of a log's first record.
const LOG_START: usize = 40;

/// What happens in block `number`: a subnet first, then registrations, then transfers, some of which fail.
fn extrinsics(number: u64) -> Vec<Extrinsic> {
    let n = u8::try_from(number % 15).unwrap() + 3;
    let (origin, call) = match number {
        1 => (cold(2), Call::RegisterNetwork { hotkey: hot(2) }),
        2 => (cold(2), Call::StartCall { netuid: NET }),
        _ if number.is_multiple_of(3) => (cold(n), Call::BurnedRegister { netuid: NET, hotkey: hot(n) }),
        _ if number % 3 == 1 => (cold(n), Call::Transfer { to: cold(4), amount: Rao(number) }),
        _ => (hot(90).0, crate::world::set_weights(&[0], &[1])),
    };
    vec![Extrinsic::new(origin, call)]
}

/// Writes blocks until `last`; returns the digest after each, block 0 first.
fn write(folder: &Path, last: u64, snapshot_at: &[u64]) -> Vec<Digest> {
    let Opened { mut log, mut state, .. } = Log::open(folder, &genesis()).unwrap();
    let mut digests = vec![State::genesis(&genesis()).unwrap().digest()];
    while state.head().number < last {
        let number = state.head().number + 1;
        let extrinsics = extrinsics(number);
        let block = state.block(Timestamp(i64::try_from(number).unwrap() * 12_000), &extrinsics);
        log.append(&block).unwrap();
        digests.push(block.state_digest);
        if snapshot_at.contains(&number) {
            log.snapshot(&state).unwrap();
        }
    }
    digests
}

fn open(folder: &Path) -> Result<Opened, LogError> {
    Log::open(folder, &genesis())
}

#[test]
fn a_log_is_replayed_to_the_same_state() {
    let folder = tempfile::tempdir().unwrap();
    let digests = write(folder.path(), 30, &[]);
    let opened = open(folder.path()).unwrap();
    assert_eq!(opened.state.digest(), digests[30]);
    assert_eq!((opened.report.replayed, opened.report.snapshot, opened.report.torn), (30, None, None));
    // It can be gone on with, and a second reader is kept out meanwhile.
    assert!(matches!(open(folder.path()), Err(LogError::InUse { .. })));
    drop(opened);
    write(folder.path(), 35, &[]);
    assert_eq!(open(folder.path()).unwrap().report.replayed, 35);
}

#[test]
fn a_snapshot_and_the_rest_of_the_log_lead_to_the_same_state() {
    let folder = tempfile::tempdir().unwrap();
    let digests = write(folder.path(), 30, &[10, 20]);
    let opened = open(folder.path()).unwrap();
    assert_eq!((opened.report.snapshot, opened.report.replayed), (Some(20), 10));
    assert_eq!(opened.state.digest(), digests[30]);
    opened.state.audit().unwrap();
    let head = opened.state.head();
    drop(opened);

    // A damaged snapshot is skipped for the one before it.
    let newest = folder.path().join("state-00000000000000000020.snapshot");
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let opened = open(folder.path()).unwrap();
    assert_eq!((opened.report.snapshot, opened.report.skipped.as_slice()), (Some(10), &[newest][..]));
    assert_eq!(opened.state.head(), head);
}

#[test]
fn a_replay_passes_over_snapshots_and_needs_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let digests = write(folder.path(), 30, &[10, 20]);
    let in_use = open(folder.path()).unwrap();
    let (state, report) = Log::replay(folder.path(), &genesis()).unwrap();
    assert_eq!((state.digest(), report.replayed, report.snapshot), (digests[30], 30, None));
    assert_eq!(state.digest(), in_use.state.digest());
    drop(in_use);
    // A record that is being written is left out, and nothing is cut off.
    let path = folder.path().join("blocks.log");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
    let (state, report) = Log::replay(folder.path(), &genesis()).unwrap();
    assert_eq!((state.digest(), report.torn.map(|torn| torn.block)), (digests[29], Some(30)));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), length - 1);
    assert!(matches!(Log::replay(&folder.path().join("nowhere"), &genesis()), Err(LogError::Io { .. })));
}

#[test]
fn a_log_cut_anywhere_in_its_last_record_loses_that_block_alone() {
    let folder = tempfile::tempdir().unwrap();
    let digests = write(folder.path(), 7, &[]);
    let path = folder.path().join("blocks.log");
    let before = fs::metadata(&path).unwrap().len();
    write(folder.path(), 8, &[]);
    let whole = fs::read(&path).unwrap();
    for cut in usize::try_from(before).unwrap() + 1..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let opened = open(folder.path()).unwrap();
        let torn = TornTail { block: 8, offset: before, bytes: cut as u64 - before };
        assert_eq!(opened.report.torn, Some(torn));
        assert_eq!(opened.state.digest(), digests[7]);
        assert_eq!(fs::metadata(&path).unwrap().len(), before);
    }
    // What was cut can be written again.
    write(folder.path(), 8, &[]);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn zeros_at_the_end_are_a_torn_record() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3, &[]);
    let path = folder.path().join("blocks.log");
    let mut bytes = fs::read(&path).unwrap();
    let whole = bytes.len();
    bytes.extend([0; 100]);
    fs::write(&path, bytes).unwrap();
    let torn = TornTail { block: 4, offset: whole as u64, bytes: 100 };
    assert_eq!(open(folder.path()).unwrap().report.torn, Some(torn));
}

#[test]
fn damage_in_the_middle_names_block_and_byte() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3, &[]);
    let path = folder.path().join("blocks.log");
    let third = fs::metadata(&path).unwrap().len();
    write(folder.path(), 6, &[]);
    let whole = fs::read(&path).unwrap();
    let start = usize::try_from(third).unwrap();
    // Length, both checksums, content.
    for at in [start, start + 3, start + 5, start + 21, start + 40] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        let error = open(folder.path()).unwrap_err();
        assert!(matches!(error, LogError::Damaged { block: 4, offset } if offset == third), "{at}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "a damaged log is left as it is");
    }
}

#[test]
fn a_log_of_another_chain_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2, &[]);
    let mut other = genesis();
    other.accounts[0].1 = Rao(7000);
    assert!(matches!(Log::open(folder.path(), &other), Err(LogError::OtherGenesis { .. })));
    let path = folder.path().join("blocks.log");
    fs::write(&path, [b'x'; LOG_START]).unwrap();
    assert!(matches!(open(folder.path()), Err(LogError::NotALog { .. })));
    // Cut off before its first block, a log starts anew.
    fs::write(&path, b"WHBL").unwrap();
    assert_eq!(open(folder.path()).unwrap().state.head().number, 0);
}

#[test]
fn refused_extrinsics_are_not_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let Opened { mut log, mut state, .. } = open(folder.path()).unwrap();
    let stale = Extrinsic { nonce: Some(5), ..extrinsics(1).remove(0) };
    let failing = Extrinsic::new(cold(99), Call::Transfer { to: cold(1), amount: Rao(1) });
    let given = vec![stale, failing];
    let block = state.block(Timestamp(1), &given);
    log.append(&block).unwrap();
    let (head, digest) = (state.head(), state.digest());
    assert!(matches!(log.append(&block), Err(LogError::OutOfOrder { found: 1, last: 1 })));
    drop(log);
    let opened = open(folder.path()).unwrap();
    assert_eq!((opened.state.head(), opened.state.digest()), (head, digest));
    let bytes = fs::read(folder.path().join("blocks.log")).unwrap();
    assert!(bytes.len() < LOG_START + 300, "{}", bytes.len());
}
