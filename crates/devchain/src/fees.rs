//! What an extrinsic weighs and costs.

use chain::Call;
use primitives::Rao;

/// What is known of a call before it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DispatchInfo {
    /// Picoseconds.
    pub(crate) ref_time: u64,
    /// Whether the caller pays.
    pub(crate) pays: bool,
}

/// Picoseconds for one rao. Source: `runtime/src/lib.rs`, `LinearWeightToFee`.
const PICOSECONDS_PER_RAO: u64 = 2000;
/// What every extrinsic weighs. Source: `ExtrinsicBaseWeight`, 108,157,000 ps.
const BASE_FEE: u64 = 54_078;

pub(crate) fn dispatch_info(call: &Call) -> DispatchInfo {
    let (ref_time, pays) = match call {
        Call::SetWeights { .. }
        | Call::CommitWeights { .. }
        | Call::RevealWeights { .. }
        | Call::CommitTimelockedWeights { .. }
        | Call::ServeAxon { .. }
        | Call::IncreaseTake { .. }
        | Call::DecreaseTake { .. }
        | Call::SetCommitment { .. } => (400_000_000, false),
        Call::AddStake { .. } => (3_064_064_000, true),
        Call::RemoveStake { .. } => (2_569_198_000, true),
        Call::BurnedRegister { .. } => (4_086_814_000, true),
        Call::RegisterLimit { .. } => (5_529_200_000, true),
        Call::RegisterNetwork { .. } => (6_077_124_000, true),
        Call::StartCall { .. } => (364_454_000, true),
        _ => (164_050_000, true),
    };
    DispatchInfo { ref_time, pays }
}

/// The fee of an extrinsic of `length` bytes.
pub(crate) fn fee(info: &DispatchInfo, length: usize) -> Rao {
    if !info.pays {
        return Rao::ZERO;
    }
    let weight = info.ref_time / PICOSECONDS_PER_RAO;
    Rao(BASE_FEE.saturating_add(weight).saturating_add(u64::try_from(length).unwrap_or(u64::MAX)))
}
