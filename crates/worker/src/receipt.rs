//! Receipts: what was examined and what was found, in one canonical form that any validator arrives at.
//!
//! A receipt holds nothing of a run: not who examined, when, how long, or in which kind of evaluator. Whoever has
//! the submission, the source and the engine that it names gets the same bytes, or has caught somebody.

use mechanisms::{CaseResult, ErasedTask, Outcome};
use primitives::{Digest, Hotkey, Seed};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wallet::{Keypair, PublicKey, Scheme, Signature};

use crate::Examination;

/// The version of a receipt's form.
pub const RECEIPT_VERSION: u32 = 1;

/// Domain of receipts' digests; what is signed is such a digest.
const RECEIPT_DOMAIN: &str = "weighhouse receipt v1";
/// Domain of findings' digests.
const FINDING_DOMAIN: &str = "weighhouse finding v1";
/// The longest receipt, in bytes: a certificate's three texts of 200 characters, escaped, and an engine's text.
const RECEIPT_MAX_BYTES: usize = 64 << 10;

/// Bytes are not a receipt.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// They are too many.
    #[error("receipt has {found} bytes, at most {RECEIPT_MAX_BYTES} are allowed")]
    TooLong {
        /// How many.
        found: usize,
    },
    /// They are of another version.
    #[error("receipt has version {found}, this program knows {RECEIPT_VERSION}")]
    Version {
        /// The version.
        found: u32,
    },
    /// They are not in the one form that a receipt has.
    #[error("receipt can't be read: {reason}")]
    Foreign {
        /// What the reader said.
        reason: String,
    },
}

/// What came of one examination, as anybody can find it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`RECEIPT_VERSION`].
    pub version: u32,
    /// The mechanism's id.
    pub mechanism: String,
    /// What computes the result: versions and digests of all that its bits depend on, as the caller names them.
    pub engine: String,
    /// The round.
    pub round: u64,
    /// The task's name.
    pub task: Digest,
    /// Whose submission.
    pub hotkey: Hotkey,
    /// The submission's root, as committed.
    pub root: Digest,
    /// The digest of the submission's bytes.
    pub submission: Digest,
    /// What drew the samples.
    pub audit_seed: Seed,
    /// How far the examination came.
    pub outcome: Outcome,
    /// The digest of the finding, where there is one.
    pub finding: Option<Digest>,
}

impl Receipt {
    /// The receipt of a result.
    #[must_use]
    pub fn of(job: &Examination, result: &CaseResult<String>, engine: &str) -> Self {
        let finding = result.examined.as_ref();
        Self {
            version: RECEIPT_VERSION,
            mechanism: job.mechanism.clone(),
            engine: engine.to_owned(),
            round: job.round,
            task: ErasedTask::id_of(&job.mechanism, job.task_json.as_bytes()),
            hotkey: job.hotkey,
            root: job.root,
            submission: job.part,
            audit_seed: job.audit_seed,
            outcome: result.outcome.clone(),
            finding: finding.map(|text| Digest::of_parts(FINDING_DOMAIN, &[text.as_bytes()])),
        }
    }

    /// The canonical bytes: JSON without spaces, with the fields in the order of the type.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a receipt is plain data")
    }

    /// The receipt whose canonical bytes these are.
    ///
    /// # Errors
    /// [`ReceiptError`] where they are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_MAX_BYTES {
            return Err(ReceiptError::TooLong { found: bytes.len() });
        }
        let foreign = |reason: String| ReceiptError::Foreign { reason };
        let receipt: Self = serde_json::from_slice(bytes).map_err(|error| foreign(error.to_string()))?;
        if receipt.version != RECEIPT_VERSION {
            return Err(ReceiptError::Version { found: receipt.version });
        }
        if receipt.bytes() != bytes {
            return Err(foreign("its bytes are not canonical".to_owned()));
        }
        Ok(receipt)
    }

    /// The receipt's name: the digest of its canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts(RECEIPT_DOMAIN, &[&self.bytes()])
    }

    /// The receipt in a validator's hand. The salt hardens the signature and need not be secret.
    #[must_use]
    pub fn sign(self, validator: &Keypair, salt: [u8; 32]) -> SignedReceipt {
        let signature = validator.sign(&self.digest().0, salt);
        SignedReceipt { receipt: self, validator: validator.hotkey(), signature }
    }
}

/// A receipt that a validator stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReceipt {
    /// What it says.
    pub receipt: Receipt,
    /// Who says it: an sr25519 key, as hotkeys are.
    pub validator: Hotkey,
    /// Over the receipt's digest.
    pub signature: Signature,
}

impl SignedReceipt {
    /// Whether the validator has signed this receipt.
    #[must_use]
    pub fn verify(&self) -> bool {
        let key = PublicKey { scheme: Scheme::Sr25519, account: self.validator.0 };
        key.verify(&self.receipt.digest().0, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use mechanisms::Certificate;

    use super::*;

    fn job() -> Examination {
        Examination {
            mechanism: "sums".to_owned(),
            round: 3,
            hotkey: Hotkey::default(),
            task: 0,
            task_json: "{}".to_owned(),
            root: Digest::of(b"root"),
            part: Digest::of(b"part"),
            audit_seed: Seed::from_number(4),
        }
    }

    fn receipt() -> Receipt {
        let proof = Certificate::new(1, Some("a \"record\""), "rule", "ä", "\u{1}");
        let result = CaseResult { outcome: Outcome::Invalid(proof), examined: None };
        Receipt::of(&job(), &result, "recipe 1, kernel 2")
    }

    #[test]
    fn parsing_the_canonical_bytes_is_the_identity() {
        let receipt = receipt();
        let bytes = receipt.bytes();
        assert_eq!(Receipt::parse(&bytes).unwrap(), receipt);
        assert!(matches!(Receipt::parse(&[&bytes[..], b"\n"].concat()), Err(ReceiptError::Foreign { .. })));
        let newer = Receipt { version: 2, ..receipt };
        assert!(matches!(Receipt::parse(&newer.bytes()), Err(ReceiptError::Version { found: 2 })));
    }

    #[test]
    fn every_field_moves_the_digest() {
        let base = receipt();
        let ok = CaseResult { outcome: Outcome::Ok, examined: Some("1".to_owned()) };
        let other = CaseResult { outcome: Outcome::Ok, examined: Some("2".to_owned()) };
        let changed = [
            base.clone(),
            Receipt { mechanism: "primes".to_owned(), ..base.clone() },
            Receipt { engine: String::new(), ..base.clone() },
            Receipt { round: 4, ..base.clone() },
            Receipt { task: Digest::of(b"1"), ..base.clone() },
            Receipt { root: Digest::of(b"1"), ..base.clone() },
            Receipt { submission: Digest::of(b"1"), ..base.clone() },
            Receipt { audit_seed: Seed::from_number(5), ..base.clone() },
            Receipt { outcome: Outcome::TooBig, ..base },
            Receipt::of(&job(), &ok, ""),
            Receipt::of(&job(), &other, ""),
        ];
        let digests: std::collections::BTreeSet<Digest> = changed.iter().map(Receipt::digest).collect();
        assert_eq!(digests.len(), changed.len());
    }

    #[test]
    fn a_signature_holds_for_one_receipt_and_one_validator() {
        let [alice, bob] = ["Alice", "Bob"].map(|name| Keypair::development(name).unwrap());
        let signed = receipt().sign(&alice, [0; 32]);
        assert!(signed.verify());
        assert!(!SignedReceipt { validator: bob.hotkey(), ..signed.clone() }.verify());
        let receipt = Receipt { round: 4, ..signed.receipt.clone() };
        assert!(!SignedReceipt { receipt, ..signed.clone() }.verify());
        assert!(!SignedReceipt { signature: Signature([0; 64]), ..signed }.verify(), "an empty signature");
    }
}
