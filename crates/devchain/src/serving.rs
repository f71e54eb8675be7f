//! Where neurons serve: the checks of an axon, which the pool's guard applies before inclusion.

use std::net::{Ipv4Addr, Ipv6Addr};

use chain::{Axon, ModuleError};
use primitives::{Hotkey, NetUid};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{AXONS, AxonInfo},
};

impl Ledger {
    /// Source: `validate_serve_axon` in `subnets/serving.rs`, in its order.
    pub(crate) fn check_axon(&self, hotkey: Hotkey, netuid: NetUid, axon: &Axon) -> Dispatch {
        if self.uid_of(netuid, hotkey).is_none() {
            return Err(ModuleError::HotKeyNotRegisteredInNetwork);
        }
        if axon.ip_type != 4 && axon.ip_type != 6 {
            return Err(ModuleError::InvalidIpType);
        }
        let is_local = self.settings.serve_on_loopback && is_loopback(axon.ip, axon.ip_type);
        if !is_local && !is_allowed(axon.ip, axon.ip_type) {
            return Err(ModuleError::InvalidIpAddress);
        }
        let limit = self.hyperparameters(netuid).serving_rate_limit;
        let previous = self.get(&AXONS, &(netuid, hotkey));
        if limit > 0 && previous.is_some_and(|axon| self.block.saturating_sub(axon.block) < limit) {
            return Err(ModuleError::ServingRateLimitExceeded);
        }
        if axon.port == 0 {
            return Err(ModuleError::InvalidPort);
        }
        Ok(())
    }

    /// Source: `do_serve_axon`.
    pub(crate) fn serve_axon(&mut self, origin: Origin, netuid: NetUid, axon: &Axon) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        self.check_axon(hotkey, netuid, axon)?;
        self.put(&AXONS, &(netuid, hotkey), &AxonInfo { block: self.block, axon: *axon });
        self.emit(Event::AxonServed { netuid, hotkey });
        Ok(())
    }
}

fn is_loopback(ip: u128, ip_type: u8) -> bool {
    match u32::try_from(ip) {
        Ok(ip) if ip_type == 4 => Ipv4Addr::from(ip).is_loopback(),
        _ => ip_type == 6 && Ipv6Addr::from(ip).is_loopback(),
    }
}

/// Zero says "not reachable" and is allowed, a private address too; neither the own host nor the broadcast
/// address is. Source: `is_valid_ip_address`.
fn is_allowed(ip: u128, ip_type: u8) -> bool {
    if ip == 0 {
        return true;
    }
    if ip_type == 4 {
        let Ok(ip) = u32::try_from(ip).map(Ipv4Addr::from) else { return false };
        return !ip.is_broadcast() && !ip.is_loopback() && !ip.is_unspecified();
    }
    let ip = Ipv6Addr::from(ip);
    ip != Ipv6Addr::from([0xFF; 16]) && !ip.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_judged_as_observed() {
        let check =
            |ip: [u8; 4], expect| assert_eq!(is_allowed(u32::from_be_bytes(ip).into(), 4), expect, "{ip:?}");
        check([1, 2, 3, 4], true);
        check([10, 0, 0, 1], true);
        check([0, 0, 0, 0], true);
        check([127, 0, 0, 1], false);
        check([255, 255, 255, 255], false);
        assert!(!is_allowed(1 << 32, 4));
        assert!(is_allowed(1 << 64, 6));
        assert!(!is_allowed(1, 6));
        assert!(!is_allowed(u128::MAX, 6));
    }
}
