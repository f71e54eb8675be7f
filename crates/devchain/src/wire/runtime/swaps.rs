//! Prices, and what swaps would come to. Source: `SwapRuntimeApi` in `runtime/src/lib.rs`.

use primitives::{AlphaRao, Rao};
use substrate_fixed::types::U64F64;

use super::*;
use crate::pool::Price;

/// Prices are told in rao per whole alpha.
const PRICE_SCALE: u64 = 1_000_000_000;

/// The mechanism of subnets whose alpha has a price of its own. Source: `SubnetMechanism`.
const DYNAMIC: u16 = 1;

/// Whether a network's alpha has a price of its own. Root's is TAO, and so is that of networks that don't exist.
pub(super) fn has_price(state: &State, netuid: Net) -> bool {
    value::<u16>(state, "SubnetMechanism", netuid) == DYNAMIC
}

fn price(state: &State, netuid: Net) -> Price {
    if has_price(state, netuid) { state.ledger().alpha_price(netuid) } else { Price::from_num(1) }
}

pub(super) fn current_alpha_price(state: &State, netuid: NetUid) -> u64 {
    price(state, netuid.into()).saturating_mul(Price::from_num(PRICE_SCALE)).saturating_to_num()
}

pub(super) fn current_alpha_price_all(state: &State) -> Vec<SubnetPrice> {
    let one = |netuid: Net| {
        let netuid = NetUid::from(netuid);
        SubnetPrice { price: current_alpha_price(state, netuid.clone()), netuid }
    };
    networks(state).into_iter().map(one).collect()
}

/// What a swap takes and gives; all nothing where the pool can't serve it.
#[derive(Clone, Copy, Debug, Default)]
struct Swap {
    /// Without the fee.
    paid_in: u64,
    paid_out: u64,
    fee: u64,
    /// How much less comes out than at the present price, on the whole amount.
    slippage: u64,
}

/// A swap in a network, by what its pool quotes (amount that comes out, and fee) and what the amount would be worth.
fn swap(
    state: &State,
    netuid: Net,
    amount: u64,
    worth: impl FnOnce(U64F64, Price) -> U64F64,
    quote: impl FnOnce() -> Option<(u64, u64)>,
) -> Swap {
    let (paid_in, paid_out, fee) = if has_price(state, netuid) {
        match quote() {
            Some((out, fee)) if out > 0 || amount == fee => (amount - fee, out, fee),
            _ => return Swap::default(),
        }
    } else if state.ledger().subnet_exists(netuid) {
        (amount, amount, 0)
    } else {
        (0, 0, 0)
    };
    let worth = worth(U64F64::saturating_from_num(amount), price(state, netuid));
    let slippage = worth.saturating_to_num::<u64>().saturating_sub(paid_out);
    Swap { paid_in, paid_out, fee, slippage }
}

pub(super) fn sim_swap_tao_for_alpha(state: &State, netuid: NetUid, tao: TaoBalance) -> SimSwapResult {
    let netuid = Net::from(netuid);
    let swap = swap(
        state,
        netuid,
        tao.0,
        |tao, price| tao.checked_div(price).unwrap_or_default(),
        || {
            let bought = state.ledger().quote_purchase(netuid, Rao(tao.0))?;
            Some((bought.alpha.0, bought.fee.0))
        },
    );
    SimSwapResult {
        tao_amount: TaoBalance(swap.paid_in),
        alpha_amount: AlphaBalance(swap.paid_out),
        tao_fee: TaoBalance(swap.fee),
        alpha_fee: AlphaBalance(0),
        tao_slippage: TaoBalance(0),
        alpha_slippage: AlphaBalance(swap.slippage),
    }
}

pub(super) fn sim_swap_alpha_for_tao(state: &State, netuid: NetUid, alpha: AlphaBalance) -> SimSwapResult {
    let netuid = Net::from(netuid);
    let swap = swap(
        state,
        netuid,
        alpha.0,
        |alpha, price| alpha.saturating_mul(price),
        || {
            let sold = state.ledger().quote_sale(netuid, AlphaRao(alpha.0))?;
            Some((sold.tao.0, sold.fee.0))
        },
    );
    SimSwapResult {
        tao_amount: TaoBalance(swap.paid_out),
        alpha_amount: AlphaBalance(swap.paid_in),
        tao_fee: TaoBalance(0),
        alpha_fee: AlphaBalance(swap.fee),
        tao_slippage: TaoBalance(swap.slippage),
        alpha_slippage: AlphaBalance(0),
    }
}
