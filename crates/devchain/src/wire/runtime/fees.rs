//! What an extrinsic would cost. Source: `pallet_transaction_payment`.

use super::*;
use crate::{
    fees::{self, DispatchInfo},
    wire::extrinsic::{Signed, is_bare},
};

/// Reads the extrinsic; none for a bare one, which nobody pays for.
fn read(uxt: &UncheckedExtrinsic) -> Result<Option<DispatchInfo>, CallError> {
    if uxt.0.first().copied().is_some_and(is_bare) {
        return Ok(None);
    }
    let signed = Signed::decode(&uxt.encode()).map_err(|_| CallError::Arguments)?;
    Ok(Some(fees::dispatch_info(&signed.call)))
}

fn length(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

fn weight(ref_time_ps: u64, proof_bytes: u64) -> Weight {
    Weight { ref_time: Compact(ref_time_ps), proof_size: Compact(proof_bytes) }
}

pub(super) fn query_info(
    _: &State,
    uxt: UncheckedExtrinsic,
    len: u32,
) -> Result<RuntimeDispatchInfo, CallError> {
    Ok(match read(&uxt)? {
        None => {
            let partial_fee = TaoBalance(0);
            RuntimeDispatchInfo { weight: weight(0, 0), class: DispatchClass::Mandatory, partial_fee }
        }
        Some(info) => RuntimeDispatchInfo {
            weight: weight(info.ref_time_ps, info.proof_bytes),
            class: if info.operational { DispatchClass::Operational } else { DispatchClass::Normal },
            partial_fee: fees::fee(&info, length(len)).into(),
        },
    })
}

pub(super) fn query_fee_details(
    _: &State,
    uxt: UncheckedExtrinsic,
    len: u32,
) -> Result<FeeDetails, CallError> {
    let parts = read(&uxt)?.and_then(|info| fees::parts(&info, length(len)));
    let inclusion_fee = parts.map(|parts| InclusionFee {
        base_fee: parts.base.into(),
        len_fee: parts.length.into(),
        adjusted_weight_fee: parts.weight.into(),
    });
    Ok(FeeDetails { inclusion_fee, tip: TaoBalance(0) })
}

pub(super) fn query_weight_to_fee(_: &State, weight: Weight) -> TaoBalance {
    fees::weight_fee(weight.ref_time.0).into()
}

pub(super) fn query_length_to_fee(_: &State, length: u32) -> TaoBalance {
    TaoBalance(length.into())
}
