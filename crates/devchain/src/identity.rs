//! Who stands behind a coldkey, what a subnet is, and the symbol of its token.

use chain::{ChainIdentity, ModuleError, SubnetIdentity};
use primitives::{Coldkey, NetUid};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{IDENTITIES, SUBNET_IDENTITIES, SUBNET_OWNER, TOKEN_SYMBOL, UIDS},
    symbols,
};

/// Bytes of a short field. Source: `is_valid_identity`, `is_valid_subnet_identity` in `utils/identity.rs`.
const SHORT: usize = 256;
/// Bytes of a long field.
const LONG: usize = 1024;

fn fits(fields: &[(&Vec<u8>, usize)]) -> bool {
    fields.iter().all(|(field, most)| field.len() <= *most)
}

fn is_valid_identity(identity: &ChainIdentity) -> bool {
    let ChainIdentity { name, url, github_repo, image, discord, description, additional } = identity;
    fits(&[(name, SHORT), (url, SHORT), (github_repo, SHORT), (discord, SHORT)])
        && fits(&[(image, LONG), (description, LONG), (additional, LONG)])
}

/// Whether no field is too long.
pub(crate) fn is_valid_subnet_identity(identity: &SubnetIdentity) -> bool {
    let SubnetIdentity {
        subnet_name,
        github_repo,
        subnet_contact,
        subnet_url,
        discord,
        description,
        logo_url,
        additional,
    } = identity;
    fits(&[(subnet_name, SHORT), (discord, SHORT)])
        && fits(&[(github_repo, LONG), (subnet_contact, LONG), (subnet_url, LONG)])
        && fits(&[(description, LONG), (logo_url, LONG), (additional, LONG)])
}

impl Ledger {
    /// For coldkeys with a neuron anywhere. Source: `do_set_identity` in `utils/identity.rs`.
    pub(crate) fn set_identity(&mut self, origin: Origin, identity: &ChainIdentity) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        let mut hotkeys = self.owned_hotkeys(coldkey).into_iter();
        if !hotkeys.any(|hotkey| self.is_registered_anywhere(hotkey)) {
            return Err(ModuleError::HotKeyNotRegisteredInNetwork);
        }
        if !is_valid_identity(identity) {
            return Err(ModuleError::InvalidIdentity);
        }
        self.put(&IDENTITIES, &coldkey, identity);
        self.emit(Event::ChainIdentitySet { coldkey });
        Ok(())
    }

    /// Whether a hotkey has a slot on root or on any subnet. Source: `is_hotkey_registered_on_any_network`.
    pub(crate) fn is_registered_anywhere(&self, hotkey: primitives::Hotkey) -> bool {
        let all = std::iter::once(NetUid::ROOT).chain(self.subnets());
        all.into_iter().any(|netuid| self.contains(&UIDS, &(netuid, hotkey)))
    }

    /// Source: `do_set_subnet_identity`.
    pub(crate) fn set_subnet_identity(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        identity: &SubnetIdentity,
    ) -> Dispatch {
        let coldkey = Coldkey(origin.signed()?);
        if self.get(&SUBNET_OWNER, &netuid) != Some(coldkey) {
            return Err(ModuleError::NotSubnetOwner);
        }
        if !is_valid_subnet_identity(identity) {
            return Err(ModuleError::InvalidIdentity);
        }
        self.put_subnet_identity(netuid, identity);
        Ok(())
    }

    pub(crate) fn put_subnet_identity(&mut self, netuid: NetUid, identity: &SubnetIdentity) {
        self.put(&SUBNET_IDENTITIES, &netuid, identity);
        self.emit(Event::SubnetIdentitySet { netuid });
    }

    /// The symbol of a subnet's token, in UTF-8; root's is TAO's own.
    pub(crate) fn symbol(&self, netuid: NetUid) -> Vec<u8> {
        self.get(&TOKEN_SYMBOL, &netuid).unwrap_or_else(|| symbols::symbol(netuid).into_bytes())
    }

    fn is_symbol_taken(&self, symbol: &[u8]) -> bool {
        self.store.scan(&TOKEN_SYMBOL, &()).any(|(_, taken)| taken == symbol)
    }

    /// The symbol of a new subnet: that of its number, or the first one that no subnet has. Source:
    /// `get_next_available_symbol` in `subnets/symbols.rs`.
    pub(crate) fn free_symbol(&self, netuid: NetUid) -> String {
        let own = symbols::symbol(netuid);
        if !self.is_symbol_taken(own.as_bytes()) {
            return own;
        }
        let mut all = symbols::of_subnets().map(String::from);
        all.find(|symbol| !self.is_symbol_taken(symbol.as_bytes()))
            .unwrap_or_else(|| symbols::symbol(NetUid::ROOT))
    }

    /// Source: `update_symbol`, `ensure_symbol_exists`, `ensure_symbol_available`.
    pub(crate) fn update_symbol(&mut self, origin: Origin, netuid: NetUid, symbol: &[u8]) -> Dispatch {
        self.ensure_owner_or_root(origin, netuid)?;
        self.ensure_subnet(netuid)?;
        if !symbols::of_subnets().any(|known| known.to_string().as_bytes() == symbol) {
            return Err(ModuleError::SymbolDoesNotExist);
        }
        if self.is_symbol_taken(symbol) {
            return Err(ModuleError::SymbolAlreadyInUse);
        }
        let symbol = symbol.to_vec();
        self.put(&TOKEN_SYMBOL, &netuid, &symbol);
        self.emit(Event::SymbolUpdated { netuid, symbol });
        Ok(())
    }
}
