//! Snapshots: a state written whole under its block's number, checked entry by entry when it is read.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use chain::Head;
use parity_scale_codec::{Decode, DecodeAll, Encode};
use primitives::Digest;

use super::{LogError, io_error, sync_folder};
use crate::{
    State,
    storage::{Key, Value},
};

/// First bytes of a snapshot.
const MAGIC: &[u8; 8] = b"WHSTATE2";
/// How a snapshot's name begins; the block's number follows, padded so that names sort.
const PREFIX: &str = "state-";
/// How it ends.
const SUFFIX: &str = ".snapshot";

#[derive(Encode, Decode)]
struct Content {
    number: u64,
    hash: Digest,
    parent: Digest,
    time: primitives::Timestamp,
    state_digest: Digest,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Writes `state` into `folder`: beside its final name first, so that there is never half a snapshot under it.
pub(super) fn write(folder: &Path, state: &State) -> Result<PathBuf, LogError> {
    let Head { number, hash, parent, time } = state.head();
    let entries = state.entries().map(|(key, value)| (key.as_bytes().to_vec(), value.to_vec())).collect();
    let content = Content { number, hash, parent, time, state_digest: state.digest(), entries }.encode();
    let path = folder.join(format!("{PREFIX}{number:020}{SUFFIX}"));
    let unfinished = path.with_extension("unfinished");
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(MAGIC)?;
        file.write_all(&Digest::of(&content).0)?;
        file.write_all(&content)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)
    };
    write().map_err(io_error("write", &path))?;
    sync_folder(folder)?;
    Ok(path)
}

/// All snapshots in `folder`, the newest first.
pub(super) fn newest_first(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io_error("read", folder))? {
        let path = entry.map_err(io_error("read", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    paths.reverse();
    Ok(paths)
}

/// Reads a snapshot; none unless its checksum, every entry's type and the state's digest are right.
pub(super) fn read(path: &Path) -> Option<State> {
    let bytes = std::fs::read(path).ok()?;
    let (digest, content) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    if Digest::of(content).0 != *digest {
        return None;
    }
    let Content { number, hash, parent, time, state_digest, entries } =
        Content::decode_all(&mut &content[..]).ok()?;
    let entries: Option<Vec<(Key, Value)>> =
        entries.into_iter().map(|(key, value)| Some((Key::from_bytes(&key)?, Value::from(value)))).collect();
    let state = State::from_entries(Head { number, hash, parent, time }, entries?)?;
    (state.digest() == state_digest).then_some(state)
}
