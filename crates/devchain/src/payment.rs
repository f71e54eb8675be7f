//! What the pool asks of an extrinsic before its call is looked at, and who pays what for it.
//!
//! A fee is withdrawn before the call, which then finds what is left; it goes to the block's author. A call through sudo
//! is paid back. Source: `runtime/src/check_nonce.rs`, `transaction-fee/src/lib.rs`.

use std::sync::Arc;

use chain::InvalidTransaction;
use primitives::{AccountId, Rao};

use crate::{
    Extrinsic,
    block::Payment,
    fees::{self, DispatchInfo},
    ledger::Ledger,
    storage::items::{NONCE, TOTAL_ISSUANCE},
};

/// An extrinsic that may be carried out once its nonce is the account's next.
#[derive(Clone, Debug)]
pub(crate) struct Payable {
    /// Its number.
    pub(crate) nonce: u32,
    /// Whether extrinsics of the same account are missing before it.
    pub(crate) is_early: bool,
    pub(crate) info: DispatchInfo,
    /// What is withdrawn, the tip included.
    pub(crate) cost: Rao,
    /// It as it travels.
    pub(crate) bytes: Arc<[u8]>,
}

impl Ledger {
    /// Whether the extrinsic's era, its number and its account's balance let it in.
    pub(crate) fn payable(&self, extrinsic: &Extrinsic) -> Result<Payable, InvalidTransaction> {
        let Extrinsic { origin, call, .. } = extrinsic;
        if self.block >= extrinsic.dies_at() {
            return Err(InvalidTransaction::AncientBirthBlock);
        }
        let info = fees::dispatch_info(call);
        // An account that has nothing may make calls that cost nothing.
        if info.pays && self.balance(*origin).is_zero() {
            return Err(InvalidTransaction::Payment);
        }
        let next = self.read(&NONCE, origin);
        let nonce = extrinsic.nonce.unwrap_or(next);
        if nonce < next {
            return Err(InvalidTransaction::Stale);
        }
        let bytes = extrinsic.bytes(nonce);
        let cost = fees::fee(&info, bytes.len()).saturating_add(extrinsic.tip());
        if !cost.is_zero() && !self.can_pay(*origin, cost) {
            return Err(InvalidTransaction::Payment);
        }
        Ok(Payable { nonce, is_early: nonce > next, info, cost, bytes })
    }

    /// Takes the number and the fee.
    pub(crate) fn charge(&mut self, origin: AccountId, payable: &Payable) {
        self.put(&NONCE, &origin, &payable.nonce.saturating_add(1));
        if !payable.cost.is_zero() {
            self.pay(origin, payable.cost);
        }
    }

    /// Hands the fee on after the call.
    pub(crate) fn settle(&mut self, extrinsic: &Extrinsic, payable: &Payable) -> Payment {
        let withdrawn = payable.cost;
        if withdrawn.is_zero() {
            return Payment::default();
        }
        // A tip is not given back.
        let refund =
            if payable.info.refunded { withdrawn.saturating_sub(extrinsic.tip()) } else { Rao::ZERO };
        if !refund.is_zero() {
            self.deposit(extrinsic.origin, refund);
        }
        let to_author = withdrawn.saturating_sub(refund);
        if to_author.is_zero() {
            return Payment { withdrawn, refund, ..Payment::default() };
        }
        let author = self.settings.author;
        if self.balance(author).saturating_add(to_author) >= self.settings.existential_deposit {
            self.deposit(author, to_author);
        } else {
            // What can't be deposited is gone.
            self.update(&TOTAL_ISSUANCE, &(), |total| *total = total.saturating_sub(to_author));
        }
        Payment { withdrawn, refund, to_author, tip: extrinsic.tip() }
    }
}
