//! Free balances: transfers of three kinds, and what sudo may do to them.

use chain::ModuleError;
use primitives::{AccountId, Rao};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{BALANCE, TOTAL_ISSUANCE},
};

/// Whether a sender may be emptied. Source: `frame_support`, `Preservation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preservation {
    /// It stays at or above the existential deposit.
    Preserve,
    /// It may fall below, and what is left is then lost.
    Expendable,
}

impl Ledger {
    /// Moves TAO; the receiver ends at or above the existential deposit. Source: `pallet_balances`,
    /// `transfer_keep_alive`, `transfer_allow_death`.
    pub(crate) fn transfer(
        &mut self,
        origin: Origin,
        to: AccountId,
        amount: Rao,
        preservation: Preservation,
    ) -> Dispatch {
        let from = origin.signed()?;
        let rest = self.balance(from).checked_sub(amount).map_err(|_| ModuleError::InsufficientBalance)?;
        let least = self.settings.existential_deposit;
        if from != to {
            let sum = self.balance(to).checked_add(amount).map_err(|_| ModuleError::InvalidValue)?;
            if sum < least {
                return Err(ModuleError::ExistentialDeposit);
            }
            if rest < least && preservation == Preservation::Preserve {
                return Err(ModuleError::Expendability);
            }
            self.set_free(from, rest);
            self.put(&BALANCE, &to, &sum);
        }
        self.emit(Event::Transfer { from, to, amount });
        Ok(())
    }

    /// Moves all that can be moved. Source: `transfer_all`.
    pub(crate) fn transfer_all(&mut self, origin: Origin, to: AccountId, keep_alive: bool) -> Dispatch {
        let free = self.balance(origin.signed()?);
        if keep_alive {
            let amount = free.saturating_sub(self.settings.existential_deposit);
            self.transfer(origin, to, amount, Preservation::Preserve)
        } else {
            self.transfer(origin, to, free, Preservation::Expendable)
        }
    }

    /// Gives an account a balance, below the existential deposit none; the issuance follows.
    /// Source: `force_set_balance`.
    pub(crate) fn set_balance(&mut self, origin: Origin, account: AccountId, free: Rao) -> Dispatch {
        origin.ensure_root()?;
        let free = if free < self.settings.existential_deposit { Rao::ZERO } else { free };
        let old = self.balance(account);
        let issuance = self.read(&TOTAL_ISSUANCE, &()).saturating_sub(old);
        let issuance = issuance.checked_add(free).map_err(|_| ModuleError::InvalidValue)?;
        self.put(&TOTAL_ISSUANCE, &(), &issuance);
        self.set_free(account, free);
        self.emit(Event::BalanceSet { account, free });
        Ok(())
    }

    /// Writes a balance; dust is taken out of the issuance.
    fn set_free(&mut self, account: AccountId, free: Rao) {
        if free >= self.settings.existential_deposit {
            self.put(&BALANCE, &account, &free);
            return;
        }
        self.remove(&BALANCE, &account);
        if !free.is_zero() {
            self.update(&TOTAL_ISSUANCE, &(), |total| *total = total.saturating_sub(free));
            self.emit(Event::DustLost { account, amount: free });
        }
    }
}
