//! Submitting: nonces, signatures, and what a chain says to it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use chain::{
    BlockNumber, Call, Included, Inclusion, InvalidTransaction, ModuleError, ReadError, Refusal, SubmitError,
};
use primitives::{AccountId, Rao};
use subxt::{
    OnlineClientAtBlock,
    config::DefaultExtrinsicParamsBuilder,
    error::{BackendError, DispatchError, ExtrinsicError, RpcError, TokenError, TransactionEventsError},
    rpcs,
    tx::{TransactionInBlock, TransactionStatus},
    utils::{AccountId32, MultiSignature},
};
use wallet::{Keypair, Scheme};

use crate::{Certainty, Config, Salt, Subtensor, call::payload};

/// The nonces given out, so that several calls of one account can be under way at once.
#[derive(Debug, Default)]
pub(crate) struct Nonces(Mutex<BTreeMap<AccountId, u32>>);

impl Nonces {
    /// The next number, given the one that the chain and its pool expect.
    fn take(&self, account: AccountId, expected: u32) -> u32 {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nonce = next.get(&account).copied().unwrap_or(0).max(expected);
        next.insert(account, nonce.saturating_add(1));
        nonce
    }

    /// A number that was not used: all later ones are asked for anew.
    fn give_back(&self, account: AccountId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
    }
}

struct Signer<'a>(&'a Keypair, Salt);

impl subxt::tx::Signer<Config> for Signer<'_> {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.public().account.0)
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        let salt = match self.1 {
            Salt::Fixed(salt) => salt,
            Salt::Drawn => {
                let mut salt = [0; 32];
                // Without randomness of its own a signature falls back on its key and message, which is sound as well.
                let _no_matter = getrandom::fill(&mut salt);
                salt
            }
        };
        let signature = self.0.sign(payload, salt).0;
        match self.0.public().scheme {
            Scheme::Sr25519 => MultiSignature::Sr25519(signature),
            Scheme::Ed25519 => MultiSignature::Ed25519(signature),
        }
    }
}

type Submittable = subxt::tx::SubmittableTransaction<Config, subxt::client::OnlineClientAtBlockImpl<Config>>;

async fn signed(
    chain: &Subtensor,
    key: &Keypair,
    nonce: u32,
    call: &Call,
) -> Result<Submittable, SubmitError> {
    let name = call.name();
    let unknown = |reason: String| SubmitError::Unknown { call: name, reason };
    let at: OnlineClientAtBlock<Config> =
        chain.0.client.at_current_block().await.map_err(|error| unknown(error.to_string()))?;
    let period = chain.0.options.mortality_blocks.get();
    let params = DefaultExtrinsicParamsBuilder::<Config>::new()
        .nonce(nonce.into())
        .mortal_from_unchecked(period, at.block_number(), at.block_hash())
        .build();
    let transactions = at.transactions();
    let payload = payload(call);
    let mut signable =
        transactions.create_signable_offline(&payload, params).map_err(|error| not_there(name, &error))?;
    signable.sign(&Signer(key, chain.0.options.salt)).map_err(|error| unknown(error.to_string()))
}

/// A call that can't be encoded: this chain has no such call, or other arguments.
fn not_there(call: &'static str, error: &ExtrinsicError) -> SubmitError {
    SubmitError::NoCall { call, reason: error.to_string() }
}

fn key_of<'a>(chain: &'a Subtensor, origin: AccountId, call: &Call) -> Result<&'a Keypair, SubmitError> {
    chain.0.keys.get(&origin).ok_or(SubmitError::NoKey { call: call.name(), account: origin })
}

/// What the extrinsic would cost.
pub(crate) async fn fee(chain: &Subtensor, origin: AccountId, call: &Call) -> Result<Rao, SubmitError> {
    let key = key_of(chain, origin, call)?;
    let nonce = expected(chain, origin, call).await?;
    let extrinsic = signed(chain, key, nonce, call).await?;
    chain.fee_of(extrinsic.encoded()).await.map_err(|error| match error {
        ReadError::Unreachable { reason } => SubmitError::Unknown { call: call.name(), reason },
        other => SubmitError::Unknown { call: call.name(), reason: other.to_string() },
    })
}

/// The nonce that chain and pool expect next.
async fn expected(chain: &Subtensor, origin: AccountId, call: &Call) -> Result<u32, SubmitError> {
    let account = AccountId32(origin.0);
    let next = chain.0.legacy.system_account_next_index(&account).await;
    let next = next.map_err(|error| SubmitError::Unknown { call: call.name(), reason: error.to_string() })?;
    Ok(u32::try_from(next).unwrap_or(u32::MAX))
}

/// Signs and sends; what is given waits until the call stands in a block.
pub(crate) async fn send(
    chain: &Subtensor,
    origin: AccountId,
    nonce: Option<u32>,
    call: &Call,
) -> Result<Inclusion, SubmitError> {
    let key = key_of(chain, origin, call)?;
    let (nonce, is_ours) = match nonce {
        Some(nonce) => (nonce, false),
        None => (chain.0.nonces.take(origin, expected(chain, origin, call).await?), true),
    };
    let (chain, name) = (chain.clone(), call.name());
    let give_back = move |chain: &Subtensor| {
        if is_ours {
            chain.0.nonces.give_back(origin);
        }
    };
    let extrinsic = signed(&chain, key, nonce, call).await.inspect_err(|_| give_back(&chain))?;
    let sent = extrinsic.submit_and_watch().await.map_err(|error| refusal(name, &error));
    let progress = sent.inspect_err(|_| give_back(&chain))?;
    Ok(Box::pin(async move {
        let outcome = outcome(&chain, name, progress).await;
        let is_used = match &outcome {
            Ok(_) => true,
            Err(SubmitError::Refused { refusal, .. }) => {
                matches!(refusal, Refusal::Module(_) | Refusal::Unlisted { .. })
            }
            Err(_) => false,
        };
        if !is_used {
            give_back(&chain);
        }
        outcome
    }))
}

type Progress = subxt::tx::TransactionProgress<Config, subxt::client::OnlineClientAtBlockImpl<Config>>;

/// Waits until it is known what became of an extrinsic.
async fn outcome(
    chain: &Subtensor,
    name: &'static str,
    mut progress: Progress,
) -> Result<Included, SubmitError> {
    let unknown = |reason: String| SubmitError::Unknown { call: name, reason };
    while let Some(status) = progress.next().await {
        match (status.map_err(|error| unknown(error.to_string()))?, chain.0.options.certainty) {
            (TransactionStatus::InBestBlock(block), Certainty::Included)
            | (TransactionStatus::InFinalizedBlock(block), _) => return included(chain, name, &block).await,
            (TransactionStatus::Invalid { message }, _) => {
                return Err(match invalid(&message) {
                    Some(refused) => SubmitError::Refused { call: name, refusal: refused.into() },
                    None => unknown(message),
                });
            }
            (TransactionStatus::Error { message } | TransactionStatus::Dropped { message }, _) => {
                return Err(unknown(message));
            }
            _ => {}
        }
    }
    Err(unknown("the node stopped telling of it".to_owned()))
}

type InBlock = TransactionInBlock<Config, subxt::client::OnlineClientAtBlockImpl<Config>>;

async fn included(chain: &Subtensor, call: &'static str, block: &InBlock) -> Result<Included, SubmitError> {
    let unknown = |reason: String| SubmitError::Unknown { call, reason };
    let header = chain.0.legacy.chain_get_header(Some(block.block_hash())).await;
    let header = header.map_err(|error| unknown(error.to_string()))?;
    let number: BlockNumber =
        header.map(|header| header.number).ok_or_else(|| unknown("its block is gone".into()))?;
    match block.wait_for_success().await {
        Ok(events) => {
            Ok(Included { block: number, index: u32::try_from(events.extrinsic_index()).unwrap_or(u32::MAX) })
        }
        Err(TransactionEventsError::ExtrinsicFailed(error)) => Err(match dispatch(&error) {
            Some(refusal) => SubmitError::Refused { call, refusal },
            None => unknown(error.to_string()),
        }),
        Err(error) => Err(unknown(error.to_string())),
    }
}

/// A failed dispatch by our names.
fn dispatch(error: &DispatchError) -> Option<Refusal> {
    let token = |token: &TokenError| match token {
        TokenError::FundsUnavailable => Some(ModuleError::InsufficientBalance),
        TokenError::BelowMinimum => Some(ModuleError::ExistentialDeposit),
        TokenError::NotExpendable => Some(ModuleError::Expendability),
        _ => None,
    };
    match error {
        DispatchError::BadOrigin => Some(ModuleError::BadOrigin.into()),
        DispatchError::Token(error) => token(error).map(Refusal::Module),
        DispatchError::Module(error) => {
            let name = error.details().ok().and_then(|details| ModuleError::from_name(&details.variant.name));
            let unlisted = Refusal::Unlisted { pallet: error.pallet_index(), error: error.error_index() };
            Some(name.map_or(unlisted, Refusal::Module))
        }
        _ => None,
    }
}

/// What a node says to an extrinsic that it does not take.
fn refusal(call: &'static str, error: &ExtrinsicError) -> SubmitError {
    let unknown = || SubmitError::Unknown { call, reason: error.to_string() };
    let ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(RpcError::ClientError(
        rpcs::Error::User(said),
    ))) = error
    else {
        return unknown();
    };
    let data = said.data.as_ref().map(|data| data.get().trim_matches('"').to_owned()).unwrap_or_default();
    match invalid(&format!("{} {data}", said.message)) {
        Some(refused) => SubmitError::Refused { call, refusal: refused.into() },
        None => unknown(),
    }
}

/// The reason in a node's words. Source: the texts of `sp_runtime`'s `InvalidTransaction`.
fn invalid(text: &str) -> Option<InvalidTransaction> {
    let custom = text.split("Custom error: ").nth(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().map(InvalidTransaction::Custom)
    });
    if let Some(custom) = custom {
        return custom;
    }
    let says = [
        ("Inability to pay some fees", InvalidTransaction::Payment),
        ("Transaction is outdated", InvalidTransaction::Stale),
        ("Transaction will be valid in the future", InvalidTransaction::Future),
        ("Transaction has a bad signature", InvalidTransaction::BadProof),
        ("Transaction has an ancient birth block", InvalidTransaction::AncientBirthBlock),
        ("Transaction would exhaust the block limits", InvalidTransaction::ExhaustsResources),
        ("Transaction call is not expected", InvalidTransaction::Call),
        ("Invalid signing address", InvalidTransaction::BadSigner),
    ];
    says.into_iter().find(|(words, _)| text.contains(words)).map(|(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_words_are_understood() {
        assert_eq!(invalid("Invalid Transaction Custom error: 12"), Some(InvalidTransaction::Custom(12)));
        assert_eq!(invalid("Invalid Transaction Transaction is outdated"), Some(InvalidTransaction::Stale));
        assert_eq!(invalid("Invalid Transaction Custom error: many"), None);
        assert_eq!(invalid("the node is on fire"), None);
    }

    #[test]
    fn numbers_rise_until_one_is_given_back() {
        let nonces = Nonces::default();
        let account = AccountId([1; 32]);
        assert_eq!([nonces.take(account, 4), nonces.take(account, 4), nonces.take(account, 9)], [4, 5, 9]);
        nonces.give_back(account);
        assert_eq!(nonces.take(account, 6), 6);
    }
}
