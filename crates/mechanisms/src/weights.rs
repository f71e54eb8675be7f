//! From shares to a weight vector: lanes mixed, every neuron named, zeros explicit.

use std::collections::BTreeMap;

use primitives::{Hotkey, Uid};

/// What happens to the weight of a lane in which nobody earned anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyLane {
    /// The other lanes share it.
    Return,
    /// It goes to the subnet's owner, whose miner reward the chain burns. This lowers the subnet's emission.
    Burn,
}

/// A mechanism's part in one chain mechanism's weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lane {
    /// The mechanism's name in the catalogue.
    pub mechanism: &'static str,
    /// Its part, relative to the other lanes; positive.
    pub weight: f64,
    /// What happens when nobody earned anything in it.
    pub empty: EmptyLane,
}

/// A lane with its shares by hotkey, which sum to 1 or are empty.
pub type LaneShares = (Lane, BTreeMap<Hotkey, f64>);

/// `Σ lane.weight · shares`, scaled to sum 1; empty where nothing was earned or burned.
/// `owner` receives what is burned.
#[must_use]
pub fn mix(lanes: &[LaneShares], owner: Hotkey) -> BTreeMap<Hotkey, f64> {
    let mut mixed = BTreeMap::new();
    let mut total = 0.0;
    for (lane, shares) in lanes {
        match (shares.is_empty(), lane.empty) {
            (true, EmptyLane::Return) => continue,
            (true, EmptyLane::Burn) => *mixed.entry(owner).or_insert(0.0) += lane.weight,
            (false, _) => {
                for (hotkey, share) in shares {
                    *mixed.entry(*hotkey).or_insert(0.0) += lane.weight * share;
                }
            }
        }
        total += lane.weight;
    }
    if total > 0.0 {
        for share in mixed.values_mut() {
            *share /= total;
        }
    }
    mixed
}

/// The weight vector over all `neurons` but `own` (unless it has a share, as the owner has of what is burned): explicit zeros for those who earned nothing (with liquid
/// alpha the chain drops the bond of a neuron that is left out), the largest weight scaled to 65535.
///
/// A hotkey that has left the subnet has no slot and so no weight: a uid's newcomer does not inherit it. None
/// where no present neuron earned anything, for then there is nothing to say.
#[must_use]
pub fn to_weights(
    shares: &BTreeMap<Hotkey, f64>,
    neurons: &[(Uid, Hotkey)],
    own: &Hotkey,
) -> Option<Vec<(Uid, u16)>> {
    // The chain takes no weight for oneself, but from the owner, to whom burned weight goes.
    let others = neurons.iter().filter(|(_, hotkey)| hotkey != own || shares.contains_key(own));
    let raw: Vec<(Uid, f64)> =
        others.map(|(uid, hotkey)| (*uid, shares.get(hotkey).copied().unwrap_or(0.0))).collect();
    let best = raw.iter().fold(0.0_f64, |best, (_, share)| best.max(*share));
    if best <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 65535")]
    let scaled = |share: f64| (share / best * f64::from(u16::MAX)).round() as u16;
    Some(raw.into_iter().map(|(uid, share)| (uid, scaled(share))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(at: u8) -> Hotkey {
        Hotkey::from_bytes([at; 32])
    }

    fn lane(weight: f64, empty: EmptyLane, shares: &[(u8, f64)]) -> LaneShares {
        let shares = shares.iter().map(|(at, share)| (key(*at), *share)).collect();
        (Lane { mechanism: "test", weight, empty }, shares)
    }

    #[test]
    fn an_empty_lane_returns_or_burns_its_weight() {
        let full = lane(3.0, EmptyLane::Return, &[(1, 0.5), (2, 0.5)]);
        let returned = mix(&[full.clone(), lane(1.0, EmptyLane::Return, &[])], key(9));
        assert_eq!(returned, BTreeMap::from([(key(1), 0.5), (key(2), 0.5)]));
        let burned = mix(&[full, lane(1.0, EmptyLane::Burn, &[])], key(9));
        assert_eq!(burned, BTreeMap::from([(key(1), 0.375), (key(2), 0.375), (key(9), 0.25)]));
    }

    #[test]
    fn weights_name_every_other_neuron_and_nobody_who_left() {
        let shares = BTreeMap::from([(key(1), 0.6), (key(2), 0.3), (key(7), 0.1)]);
        let neurons: Vec<_> = (0..4).map(|at| (Uid(at), key(u8::try_from(at).unwrap()))).collect();
        let weights = to_weights(&shares, &neurons, &key(0)).unwrap();
        assert_eq!(weights, vec![(Uid(1), 65_535), (Uid(2), 32_768), (Uid(3), 0)]);
        assert_eq!(to_weights(&BTreeMap::from([(key(7), 1.0)]), &neurons, &key(0)), None);
        let burned = to_weights(&BTreeMap::from([(key(0), 0.5), (key(1), 0.5)]), &neurons, &key(0)).unwrap();
        assert_eq!(burned, vec![(Uid(0), 65_535), (Uid(1), 65_535), (Uid(2), 0), (Uid(3), 0)]);
    }
}
