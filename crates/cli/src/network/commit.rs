//! `weigh commit`.

use chain::{Call, CommitmentField};
use clap::{Args, Subcommand};
use primitives::{AccountId, Hotkey, NetUid};
use serde_json::{Value, json};

use super::{Answer, NetworkError, Reading, Writing, read, subnet_at, write};
use crate::wallet::KeyKind;

/// Bytes that a short field holds. Source: `pallets/commitments`, `Data::Raw`.
const RAW_MAX_BYTES: usize = 128;
/// Bytes that a long field holds. Source: `Data::BigRaw`.
const BIG_RAW_MAX_BYTES: usize = 512;

/// `weigh commit …`.
#[derive(Subcommand)]
pub(crate) enum CommitCommand {
    /// Commit to something in public, as the wallet's hotkey: its last commitment is replaced.
    Set(SetArguments),
    /// Show the commitments of a subnet's hotkeys.
    Show(ShowArguments),
}

#[derive(Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    writing: Writing,
    /// The subnet.
    #[arg(long)]
    netuid: u16,
    /// What is committed: text of at most 512 bytes.
    #[arg(long, value_name = "TEXT")]
    text: String,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    reading: Reading,
    /// The subnet.
    #[arg(long)]
    netuid: u16,
    /// Only this hotkey's.
    #[arg(long, value_name = "SS58")]
    hotkey_address: Option<String>,
}

/// # Errors
/// [`NetworkError`].
pub(crate) fn run(command: &CommitCommand) -> Result<(), NetworkError> {
    match command {
        CommitCommand::Set(SetArguments { writing, netuid, text }) => {
            let bytes = text.as_bytes().to_vec();
            let length = bytes.len();
            if length > BIG_RAW_MAX_BYTES {
                let told = format!("--text has {length} bytes, a commitment at most {BIG_RAW_MAX_BYTES}");
                return Err(NetworkError::Argument(told));
            }
            let is_short = length <= RAW_MAX_BYTES;
            let field = if is_short { CommitmentField::Raw(bytes) } else { CommitmentField::BigRaw(bytes) };
            write(
                writing,
                KeyKind::Hotkey,
                Call::SetCommitment { netuid: NetUid(*netuid), fields: vec![field] },
            )
        }
        CommitCommand::Show(arguments) => show(arguments),
    }
}

fn show(arguments: &ShowArguments) -> Result<(), NetworkError> {
    let only = arguments.hotkey_address.as_deref().map(AccountId::from_ss58).transpose();
    let only = only.map_err(NetworkError::Address)?.map(Hotkey);
    let netuid = NetUid(arguments.netuid);
    read(&arguments.reading, |chain, head| async move {
        let subnet = subnet_at(&chain, netuid, head).await?;
        let mut text = String::new();
        let mut found = Vec::new();
        for (hotkey, commitment) in &subnet.commitments {
            if only.is_some_and(|only| only != *hotkey) {
                continue;
            }
            let fields: Vec<Value> = commitment.fields.iter().map(as_json).collect();
            let shown: Vec<String> = fields.iter().map(Value::to_string).collect();
            text.push_str(&format!("{hotkey}  block {}  {}\n", commitment.block, shown.join(" ")));
            found.push(json!({ "hotkey": hotkey, "block": commitment.block, "fields": fields }));
        }
        if let (Some(hotkey), true) = (only, found.is_empty()) {
            return Err(NetworkError::NotFound(format!("{hotkey} has committed nothing on subnet {netuid}")));
        }
        if found.is_empty() {
            text.push_str("no commitments\n");
        }
        Ok(Answer { json: json!({ "block": head, "commitments": found }), text })
    })
}

/// A field for people and programs: text where it is text, hexadecimal else.
fn as_json(field: &CommitmentField) -> Value {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match field {
        CommitmentField::Raw(bytes) | CommitmentField::BigRaw(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!({ "text": text }),
            Err(_) => json!({ "hex": hexadecimal(bytes) }),
        },
        CommitmentField::BlakeTwo256(hash) => json!({ "blake2_256": hexadecimal(hash) }),
        CommitmentField::Sha256(hash) => json!({ "sha256": hexadecimal(hash) }),
        CommitmentField::Keccak256(hash) => json!({ "keccak256": hexadecimal(hash) }),
        CommitmentField::ShaThree256(hash) => json!({ "sha3_256": hexadecimal(hash) }),
        CommitmentField::TimelockEncrypted { encrypted, reveal_round } => {
            json!({ "encrypted": hexadecimal(encrypted), "reveal_round": reveal_round })
        }
        CommitmentField::TimelockRevealFailed { encrypted, reveal_round } => {
            json!({ "not_revealed": hexadecimal(encrypted), "reveal_round": reveal_round })
        }
        CommitmentField::ResetBondsFlag => json!("reset bonds"),
    }
}
