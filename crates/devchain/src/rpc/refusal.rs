//! Errors by Substrate's codes and words, which clients read.

use chain::InvalidTransaction;
use jsonrpsee::types::{
    ErrorObjectOwned,
    error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE},
};
use primitives::Digest;
use serde::Serialize;

use crate::{NodeError, node::Rejected, queue::NotTaken, wire::runtime::CallError};

/// What a method answers with.
pub(super) type Answer<T> = Result<T, ErrorObjectOwned>;

/// The node has not got what was asked for. Source: `sc-rpc-api`, `state/error.rs`.
const STATE_CODE: i32 = 4003;
/// An extrinsic can't be read. Source: `sc-rpc-api`, `author/error.rs`, as the ones below.
const BAD_FORMAT_CODE: i32 = 1001;
const INVALID_CODE: i32 = 1010;
const ALREADY_IMPORTED_CODE: i32 = 1013;
const TOO_LOW_PRIORITY_CODE: i32 = 1014;
const DROPPED_CODE: i32 = 1016;

fn object(code: i32, message: impl Into<String>, data: Option<impl Serialize>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(code, message, data)
}

fn bare(code: i32, message: impl Into<String>) -> ErrorObjectOwned {
    object(code, message, None::<()>)
}

/// A parameter is not what the method takes.
pub(super) fn invalid_params(reason: impl Into<String>) -> ErrorObjectOwned {
    object(INVALID_PARAMS_CODE, "Invalid params", Some(reason.into()))
}

/// Something that is not the client's fault.
pub(super) fn internal(reason: impl ToString) -> ErrorObjectOwned {
    bare(INTERNAL_ERROR_CODE, reason.to_string())
}

/// The block was never made here, or is forgotten.
pub(super) fn unknown_block(hash: Digest) -> ErrorObjectOwned {
    let reason = format!("Client error: UnknownBlock: Header was not found in the database: 0x{hash}");
    bare(STATE_CODE, reason)
}

/// The block is known, its state no longer kept. Clients look for these words.
pub(super) fn discarded(hash: Digest) -> ErrorObjectOwned {
    let reason =
        format!("Client error: Api called for an unknown Block: State already discarded for 0x{hash}");
    bare(STATE_CODE, reason)
}

/// More than a method gives at once.
pub(super) fn too_much(what: &str, found: u64, most: u64) -> ErrorObjectOwned {
    bare(STATE_CODE, format!("{what} is {found}, at most {most} are answered at once"))
}

/// A page of keys that is too long. Source: `sc-rpc-api`, `state/error.rs`, `InvalidCount`.
pub(super) fn count(found: u32, most: u32) -> ErrorObjectOwned {
    const INVALID_COUNT_CODE: i32 = 4002;
    bare(INVALID_COUNT_CODE, format!("count exceeds maximum value. value: {found}, max: {most}"))
}

/// A runtime call can't be answered.
pub(super) fn runtime_call(name: &str, error: &CallError) -> ErrorObjectOwned {
    let reason = match error {
        CallError::NoMethod => format!("Other: Exported method {name} is not found"),
        CallError::Arguments => format!("Runtime panicked: Bad input data provided to {name}"),
    };
    bare(STATE_CODE, format!("Client error: Execution failed: {reason}"))
}

/// The node makes no more blocks, or refuses.
pub(super) fn node(error: &NodeError) -> ErrorObjectOwned {
    internal(error)
}

/// Why the pool's rules are against an extrinsic, in the runtime's words.
pub(super) fn reason(invalid: InvalidTransaction) -> String {
    match invalid {
        InvalidTransaction::Call => "Transaction call is not expected",
        InvalidTransaction::Payment => "Inability to pay some fees (e.g. account balance too low)",
        InvalidTransaction::Future => "Transaction will be valid in the future",
        InvalidTransaction::Stale => "Transaction is outdated",
        InvalidTransaction::BadProof => "Transaction has a bad signature",
        InvalidTransaction::AncientBirthBlock => "Transaction has an ancient birth block",
        InvalidTransaction::ExhaustsResources => "Transaction would exhaust the block limits",
        InvalidTransaction::Custom(code) => return format!("Custom error: {code}"),
        InvalidTransaction::BadMandatory => "A call was labelled as mandatory, but resulted in an Error.",
        InvalidTransaction::BadSigner => "Invalid signing address",
    }
    .to_owned()
}

impl From<Rejected> for ErrorObjectOwned {
    fn from(rejected: Rejected) -> Self {
        let (hash, why) = match rejected {
            Rejected::Malformed => {
                return bare(BAD_FORMAT_CODE, "Extrinsic has invalid format: it could not be decoded");
            }
            Rejected::NotTaken { hash, why } => (hash, why),
        };
        match why {
            NotTaken::Invalid(invalid) => object(INVALID_CODE, "Invalid Transaction", Some(reason(invalid))),
            NotTaken::AlreadyImported => {
                object(ALREADY_IMPORTED_CODE, "Already Imported", Some(format!("0x{hash}")))
            }
            NotTaken::TooLowPriority => object(
                TOO_LOW_PRIORITY_CODE,
                "Priority is too low: (1 vs 1)",
                Some(
                    "The transaction has too low priority to replace another transaction already in the pool.",
                ),
            ),
            NotTaken::Full => object(
                DROPPED_CODE,
                "Immediately Dropped",
                Some("The transaction couldn't enter the pool because of the limit"),
            ),
            NotTaken::Closed => internal("node has stopped"),
        }
    }
}
