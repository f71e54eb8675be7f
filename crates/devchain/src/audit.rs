//! The books recomputed from scratch: no TAO and no alpha comes from nowhere or gets lost.
//!
//! TAO: all balances, the pools of all subnets, the fees that swaps left with them and the TAO staked on root are
//! together `TotalIssuance`, to the rao.
//!
//! Alpha of one subnet: what is staked, what is pending for the next epoch, what root stakers may claim and what
//! nobody holds (burned incentive and remainders) are together `SubnetAlphaOut`; with the pool's alpha that is the
//! subnet's issuance. Alpha bought for registrations and recycled root alpha have left `SubnetAlphaOut`. What emission
//! bought from the pool (`SubnetProtocolAlpha`) is held by the chain itself. Each coldkey's shares with a hotkey sum
//! to the hotkey's shares, but for the digits that were cut off.

use std::collections::BTreeMap;

use primitives::{AlphaRao, Hotkey, NetUid, Rao};
use thiserror::Error;

use crate::{
    State,
    ledger::Ledger,
    storage::items::{
        ALPHA, ALPHA_UNASSIGNED, BALANCE, GENESIS_POOLS, HOTKEY_ALPHA, HOTKEY_SHARES, PENDING_OWNER_CUT,
        PENDING_ROOT, PENDING_SERVER, PENDING_VALIDATOR, PROTOCOL_ALPHA, ROOT_CLAIMABLE, SUBNET_ALPHA_IN,
        SUBNET_ALPHA_OUT, SUBNET_TAO, SWAP_FEES, TOTAL_ISSUANCE,
    },
};

/// Whole shares, each worth about a rao, by which the holders' may differ from the hotkey's: every holder's are counted
/// rounded down, and every change of theirs cuts off what is below the 21st digit of the hotkey's.
const LOST_SHARES: u128 = 100_000;
/// And one in so many of them, for changes by the million.
const LOST_SHARES_PART: u128 = 1_000_000_000_000;

/// The books of one subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubnetAudit {
    /// TAO in its pool; on root, staked.
    pub tao: Rao,
    /// TAO that swaps paid as fees.
    pub fees: Rao,
    /// Alpha in its pool; without meaning on root.
    pub pool: AlphaRao,
    /// Alpha staked with all hotkeys.
    pub staked: AlphaRao,
    /// Alpha for the next epoch to distribute.
    pub pending: AlphaRao,
    /// Alpha that root stakers may claim.
    pub claimable: AlphaRao,
    /// Alpha that emission bought.
    pub protocol: AlphaRao,
    /// Alpha that nobody holds.
    pub unassigned: AlphaRao,
}

/// The books of the whole chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// All free balances.
    pub balances: Rao,
    /// All TAO.
    pub issuance: Rao,
    /// TAO that the genesis put into pools besides.
    pub genesis_pools: Rao,
    /// Per subnet, root included.
    pub subnets: BTreeMap<NetUid, SubnetAudit>,
}

/// The books don't add up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuditError {
    /// TAO came from nowhere or got lost.
    #[error("balances and pools hold {found}, issued and given by the genesis are {expect}")]
    Issuance {
        /// Found.
        found: Rao,
        /// What is booked.
        expect: Rao,
    },
    /// Alpha came from nowhere or got lost.
    #[error("holders of subnet {netuid} have {found}, outside its pool are {expect}")]
    Alpha {
        /// The subnet.
        netuid: NetUid,
        /// Found with holders.
        found: AlphaRao,
        /// What is booked as outside.
        expect: AlphaRao,
    },
    /// Root's stake is not the TAO that it holds.
    #[error("stake on root is {staked}, root holds {tao}")]
    Root {
        /// Staked with hotkeys.
        staked: AlphaRao,
        /// Held.
        tao: Rao,
    },
    /// The shares of coldkeys are not the hotkey's, counted in whole ones.
    #[error("coldkeys hold {found} shares of {hotkey} on subnet {netuid}, it has {expect}")]
    Shares {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
        /// Found with coldkeys.
        found: u128,
        /// What is booked.
        expect: u128,
    },
}

impl State {
    /// Recomputes the books; the time it takes grows with the state.
    ///
    /// # Errors
    /// [`AuditError`] for the first sum that is off.
    pub fn audit(&self) -> Result<Audit, AuditError> {
        self.ledger().audit()
    }
}

impl Ledger {
    /// [`State::audit`].
    pub(crate) fn audit(&self) -> Result<Audit, AuditError> {
        let ledger = self;
        let balances: Rao = ledger.store.scan(&BALANCE, &()).map(|(_, balance)| balance).sum();
        let mut subnets: BTreeMap<NetUid, SubnetAudit> = BTreeMap::new();
        for netuid in std::iter::once(NetUid::ROOT).chain(ledger.subnets()) {
            let pending = [&PENDING_SERVER, &PENDING_VALIDATOR, &PENDING_ROOT, &PENDING_OWNER_CUT];
            let claimable = ledger.store.scan(&ROOT_CLAIMABLE, &netuid).map(|(_, amount)| amount).sum();
            let books = SubnetAudit {
                tao: ledger.read(&SUBNET_TAO, &netuid),
                fees: ledger.read(&SWAP_FEES, &netuid),
                pool: ledger.read(&SUBNET_ALPHA_IN, &netuid),
                staked: AlphaRao::ZERO,
                pending: pending.iter().map(|item| ledger.read(item, &netuid)).sum(),
                claimable,
                protocol: ledger.read(&PROTOCOL_ALPHA, &netuid),
                unassigned: ledger.read(&ALPHA_UNASSIGNED, &netuid),
            };
            subnets.insert(netuid, books);
        }
        for ((_, netuid), staked) in ledger.store.scan(&HOTKEY_ALPHA, &()) {
            let books = subnets.entry(netuid).or_default();
            books.staked = books.staked.saturating_add(staked);
        }
        let (issuance, genesis_pools) = (ledger.read(&TOTAL_ISSUANCE, &()), ledger.read(&GENESIS_POOLS, &()));
        let audit = Audit { balances, issuance, genesis_pools, subnets };
        audit.check_tao()?;
        for (netuid, books) in &audit.subnets {
            books.check_alpha(*netuid, ledger.read(&SUBNET_ALPHA_OUT, netuid))?;
        }
        self.check_shares()?;
        Ok(audit)
    }

    fn check_shares(&self) -> Result<(), AuditError> {
        let store = &self.store;
        // Each hotkey's shares by its holders, and by itself.
        let mut counts: BTreeMap<(Hotkey, NetUid), (u128, u128)> = BTreeMap::new();
        for ((hotkey, _, netuid), shares) in store.scan(&ALPHA, &()) {
            counts.entry((hotkey, netuid)).or_default().0 += u128::from(shares.whole());
        }
        for ((hotkey, netuid), shares) in store.scan(&HOTKEY_SHARES, &()) {
            counts.entry((hotkey, netuid)).or_default().1 = shares.whole().into();
        }
        for ((hotkey, netuid), (found, expect)) in counts {
            if found.abs_diff(expect) > LOST_SHARES + expect / LOST_SHARES_PART {
                return Err(AuditError::Shares { netuid, hotkey, found, expect });
            }
        }
        Ok(())
    }
}

impl Audit {
    fn check_tao(&self) -> Result<(), AuditError> {
        let pools: Rao = self.subnets.values().map(|books| books.tao.saturating_add(books.fees)).sum();
        let expect = self.issuance.saturating_add(self.genesis_pools);
        let found = self.balances.saturating_add(pools);
        if found == expect { Ok(()) } else { Err(AuditError::Issuance { found, expect }) }
    }
}

impl SubnetAudit {
    /// Everything outside the pool, by who holds it.
    #[must_use]
    pub fn outside(&self) -> AlphaRao {
        [self.staked, self.pending, self.claimable, self.protocol, self.unassigned].into_iter().sum()
    }

    fn check_alpha(&self, netuid: NetUid, expect: AlphaRao) -> Result<(), AuditError> {
        if netuid == NetUid::ROOT && self.staked.0 != self.tao.0 {
            return Err(AuditError::Root { staked: self.staked, tao: self.tao });
        }
        let found = self.outside();
        if found == expect { Ok(()) } else { Err(AuditError::Alpha { netuid, found, expect }) }
    }
}
