//! What neurons say to each other and what they commit to on chain.

use chain::CommitmentField;
use primitives::{Digest, Hotkey, merkle};
use serde::{Deserialize, Serialize};
use store::Fence;

/// Lines in one manifest: more tasks than this nobody does in a round.
pub const PARTS_MAX: usize = 256;
/// First word of a commitment; the number is the version of the form.
const COMMITMENT_TAG: &str = "weigh:1";
/// Longest mechanism id in a commitment, so that the whole fits one field of 128 bytes.
const MECHANISM_ID_MAX: usize = 24;

/// Whom a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Peer {
    /// The subnet owner's task desk.
    Desk,
    /// A neuron.
    Neuron(Hotkey),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// To the desk: lease me tasks of this round, up to `want` altogether. Asking again gives the same ones.
    Lease {
        /// The round.
        round: u64,
        /// Tasks wanted in total.
        want: u32,
    },
    /// To the desk: these tasks of mine are committed to, lease them to nobody else.
    Done {
        /// The round.
        round: u64,
        /// The tasks, as they were leased.
        tasks: Vec<LeasedTask>,
    },
    /// To a miner: what did you commit to in this round?
    Manifest {
        /// The round.
        round: u64,
    },
    /// To a miner: the bytes with this digest.
    Part {
        /// BLAKE3 of the bytes.
        digest: Digest,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Ask::Lease`].
    Leases(Vec<LeasedTask>),
    /// To [`Ask::Done`]: it is noted, as far as the fences allow.
    Noted,
    /// To [`Ask::Manifest`]; at most [`PARTS_MAX`] lines count.
    Manifest(Vec<PartLine>),
    /// To [`Ask::Part`].
    Part(Vec<u8>),
    /// The answerer has nothing to show, or not to this asker.
    Refused,
}

/// A task leased by the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasedTask {
    /// Its place in the round's plan.
    pub task: u32,
    /// The lease's fence.
    pub fence: Fence,
}

/// One line of a miner's manifest: an answer to one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLine {
    /// The task's id.
    pub task: Digest,
    /// The answer's own Merkle root, where it has one; else its digest.
    pub root: Digest,
    /// BLAKE3 of the answer's bytes.
    pub part: Digest,
    /// Length of the answer's bytes.
    pub bytes: u64,
}

/// The Merkle root over a manifest's lines, in their order: what is committed on chain.
#[must_use]
pub fn manifest_root(lines: &[PartLine]) -> Digest {
    let leaf = |line: &PartLine| {
        let mut bytes = Vec::with_capacity(3 * 32 + 8);
        bytes.extend(line.task.0);
        bytes.extend(line.root.0);
        bytes.extend(line.part.0);
        bytes.extend(line.bytes.to_le_bytes());
        merkle::leaf(&bytes)
    };
    merkle::root(&lines.iter().map(leaf).collect::<Vec<_>>())
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AskFailure {
    /// Nothing came back in time.
    TimedOut,
    /// The other side could not be reached.
    Unreachable,
}

/// What a miner puts on chain: the root of its manifest for one round of one mechanism.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundCommitment {
    /// The mechanism's id.
    pub mechanism: String,
    /// The round.
    pub round: u64,
    /// [`manifest_root`].
    pub root: Digest,
}

impl RoundCommitment {
    /// The commitment as a field of `set_commitment`: readable text.
    #[must_use]
    pub fn field(&self) -> CommitmentField {
        let text = format!("{COMMITMENT_TAG}:{}:{}:{}", self.mechanism, self.round, self.root);
        CommitmentField::Raw(text.into_bytes())
    }

    /// The first of `fields` that is such a commitment. Anything else that a miner may have written is passed
    /// over.
    #[must_use]
    pub fn find(fields: &[CommitmentField]) -> Option<Self> {
        fields.iter().find_map(|field| match field {
            CommitmentField::Raw(bytes) => Self::parse(bytes),
            _ => None,
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut words = text.strip_prefix(COMMITMENT_TAG)?.strip_prefix(':')?.split(':');
        let (mechanism, round, root) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || mechanism.is_empty() || mechanism.len() > MECHANISM_ID_MAX {
            return None;
        }
        let number: u64 = round.parse().ok()?;
        // One number has one spelling.
        let canonical = number.to_string() == round;
        canonical.then_some(())?;
        Some(Self { mechanism: mechanism.to_owned(), round: number, root: root.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitments_are_read_back_and_nothing_else_is() {
        let commitment = RoundCommitment { mechanism: "dataset".into(), round: 7, root: Digest([9; 32]) };
        let CommitmentField::Raw(bytes) = commitment.field() else { panic!("raw") };
        assert!(bytes.len() <= 128);
        assert_eq!(RoundCommitment::find(&[commitment.field()]), Some(commitment));
        let root = Digest([9; 32]).to_string();
        for text in [
            String::new(),
            format!("weigh:1:dataset:07:{root}"),
            format!("weigh:1:dataset:+7:{root}"),
            format!("weigh:1::7:{root}"),
            format!("weigh:1:dataset:7:{root}:x"),
            format!("weigh:2:dataset:7:{root}"),
            "weigh:1:dataset:7:00".into(),
        ] {
            assert_eq!(
                RoundCommitment::find(&[CommitmentField::Raw(text.clone().into_bytes())]),
                None,
                "{text}"
            );
        }
        assert_eq!(RoundCommitment::find(&[CommitmentField::Raw(vec![0xff, 0xfe])]), None);
    }
}
