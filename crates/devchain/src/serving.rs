//! Where neurons serve: the checks of an axon and of metrics, which the pool's guard applies before inclusion.

use std::net::{Ipv4Addr, Ipv6Addr};

use chain::{Axon, ModuleError, Prometheus};
use primitives::{BlockNumber, Hotkey, NetUid};

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::{AXONS, AxonInfo, CERTIFICATES, NeuronCertificate, PROMETHEUS, PrometheusInfo},
};

/// Longest public key of a certificate. Source: `NeuronCertificate`.
const MAX_PUBLIC_KEY_BYTES: usize = 64;

impl Ledger {
    /// Source: `validate_serve_axon` in `subnets/serving.rs`, in its order.
    pub(crate) fn check_axon(&self, hotkey: Hotkey, netuid: NetUid, axon: &Axon) -> Dispatch {
        if self.uid_of(netuid, hotkey).is_none() {
            return Err(ModuleError::HotKeyNotRegisteredInNetwork);
        }
        self.check_address(axon.ip, axon.ip_type)?;
        let previous = self.get(&AXONS, &(netuid, hotkey));
        self.check_serving_rate(netuid, previous.map(|axon| axon.block))?;
        if axon.port == 0 {
            return Err(ModuleError::InvalidPort);
        }
        Ok(())
    }

    fn check_address(&self, ip: u128, ip_type: u8) -> Dispatch {
        if ip_type != 4 && ip_type != 6 {
            return Err(ModuleError::InvalidIpType);
        }
        let is_local = self.settings.serve_on_loopback && is_loopback(ip, ip_type);
        if is_local || is_allowed(ip, ip_type) { Ok(()) } else { Err(ModuleError::InvalidIpAddress) }
    }

    fn check_serving_rate(&self, netuid: NetUid, last: Option<BlockNumber>) -> Dispatch {
        let limit = self.hyperparameters(netuid).serving_rate_limit;
        let too_soon = limit > 0 && last.is_some_and(|last| self.block.saturating_sub(last) < limit);
        if too_soon { Err(ModuleError::ServingRateLimitExceeded) } else { Ok(()) }
    }

    /// Source: `validate_serve_prometheus`, in its order; the port may be any.
    pub(crate) fn check_prometheus(
        &self,
        hotkey: Hotkey,
        netuid: NetUid,
        prometheus: &Prometheus,
    ) -> Dispatch {
        if self.uid_of(netuid, hotkey).is_none() {
            return Err(ModuleError::HotKeyNotRegisteredInNetwork);
        }
        self.check_address(prometheus.ip, prometheus.ip_type)?;
        let previous = self.get(&PROMETHEUS, &(netuid, hotkey));
        self.check_serving_rate(netuid, previous.map(|stored| stored.block))
    }

    /// Source: `do_serve_prometheus`.
    pub(crate) fn serve_prometheus(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        prometheus: &Prometheus,
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        self.check_prometheus(hotkey, netuid, prometheus)?;
        let stored = PrometheusInfo { block: self.block, prometheus: *prometheus };
        self.put(&PROMETHEUS, &(netuid, hotkey), &stored);
        self.emit(Event::PrometheusServed { netuid, hotkey });
        Ok(())
    }

    /// A certificate that is none is left out, and the axon stored all the same. Source: `do_serve_axon`.
    pub(crate) fn serve_axon(
        &mut self,
        origin: Origin,
        netuid: NetUid,
        axon: &Axon,
        certificate: Option<&[u8]>,
    ) -> Dispatch {
        let hotkey = Hotkey(origin.signed()?);
        self.check_axon(hotkey, netuid, axon)?;
        if let Some((algorithm, key)) = certificate.and_then(<[u8]>::split_first)
            && (1..=MAX_PUBLIC_KEY_BYTES).contains(&key.len())
        {
            let certificate = NeuronCertificate { public_key: key.to_vec(), algorithm: *algorithm };
            self.put(&CERTIFICATES, &(netuid, hotkey), &certificate);
        }
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
