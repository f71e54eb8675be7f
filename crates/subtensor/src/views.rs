//! What is read besides subnets: stakes, prices, weights, the beacon.

use std::num::NonZeroU32;

use chain::{
    BlockNumber, ReadError, SUBNETS_PER_MECHANISM,
    timelock::{Beacon, PublicKey},
};
use primitives::{AlphaRao, Coldkey, DurationMs, Hotkey, MechId, NetUid, Rao, Timestamp};
use subxt::{dynamic::Value, ext::scale_decode::DecodeAsType, utils::AccountId32};

use crate::{
    Subtensor,
    read::{Batch, not_understood, unreachable},
};

/// What a coldkey has staked with a hotkey on a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stake {
    /// With whom.
    pub hotkey: Hotkey,
    /// Where; 0 is root, where it is TAO.
    pub netuid: NetUid,
    /// How much.
    pub alpha: AlphaRao,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct StakeInfo {
    hotkey: AccountId32,
    netuid: u16,
    stake: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct BeaconConfig {
    public_key: Vec<u8>,
    period: u32,
    genesis_time: u32,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct DispatchInfo {
    partial_fee: u64,
}

impl Subtensor {
    /// What an extrinsic would cost: the chain's amounts have 64 bits, other than subxt's.
    pub(crate) async fn fee_of(&self, extrinsic: &[u8]) -> Result<Rao, ReadError> {
        let (api, method) = ("TransactionPaymentApi", "query_info");
        let client = self.0.client.at_current_block().await.map_err(unreachable)?;
        let metadata = client.metadata();
        let answer = metadata
            .runtime_api_trait_by_name(api)
            .and_then(|api| api.method_by_name(method).map(|method| method.output_ty()))
            .ok_or_else(|| not_understood(method, "the metadata does not describe it"))?;
        let length = u32::try_from(extrinsic.len()).unwrap_or(u32::MAX);
        let arguments = [extrinsic, &length.to_le_bytes()].concat();
        let call = format!("{api}_{method}");
        let bytes = self.0.legacy.state_call(&call, Some(&arguments), Some(client.block_hash())).await;
        let info =
            DispatchInfo::decode_as_type(&mut &bytes.map_err(unreachable)?[..], answer, metadata.types());
        info.map(|info| Rao(info.partial_fee)).map_err(|error| not_understood(method, error))
    }

    async fn ask<T: DecodeAsType>(
        &self,
        api: &'static str,
        method: &'static str,
        arguments: Vec<Value>,
        at: BlockNumber,
    ) -> Result<T, ReadError> {
        let at = self.at(at).await?;
        let call = subxt::dynamic::runtime_api_call::<Vec<Value>, T>(api, method, arguments);
        at.client.runtime_apis().call(call).await.map_err(unreachable)
    }

    /// All that a coldkey has staked, as of a block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn stakes(&self, coldkey: Coldkey, at: BlockNumber) -> Result<Vec<Stake>, ReadError> {
        let account = Value::from_bytes(coldkey.as_bytes());
        let api = "StakeInfoRuntimeApi";
        let found: Vec<StakeInfo> = self.ask(api, "get_stake_info_for_coldkey", vec![account], at).await?;
        let stake = |info: StakeInfo| Stake {
            hotkey: Hotkey::from_bytes(info.hotkey.0),
            netuid: NetUid(info.netuid),
            alpha: AlphaRao(info.stake),
        };
        Ok(found.into_iter().map(stake).collect())
    }

    /// What a new subnet would cost, as of a block.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn lock_cost(&self, at: BlockNumber) -> Result<Rao, ReadError> {
        let api = "SubnetRegistrationRuntimeApi";
        self.ask(api, "get_network_registration_cost", Vec::new(), at).await.map(Rao)
    }

    /// The weights that the first `count` neurons of a mechanism have set, each a list of uid and weight.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn weights(
        &self,
        netuid: NetUid,
        mechid: MechId,
        count: u16,
        at: BlockNumber,
    ) -> Result<Vec<Vec<(u16, u16)>>, ReadError> {
        let at = self.at(at).await?;
        let index = u128::from(mechid.0) * u128::from(SUBNETS_PER_MECHANISM) + u128::from(netuid.0);
        let mut batch = Batch::default();
        let rows: Vec<_> = (0..count)
            .map(|uid| {
                let key = vec![Value::u128(index), Value::u128(uid.into())];
                at.ask(&mut batch, "SubtensorModule", "Weights", key)
            })
            .collect::<Result<_, _>>()?;
        let answers = at.fetch(batch).await?;
        rows.into_iter().map(|row| answers.value(row)).collect()
    }

    /// The beacon that opens what is sealed on this chain: on the real networks drand's, on a local one its own.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn beacon(&self, at: BlockNumber) -> Result<Beacon, ReadError> {
        let at = self.at(at).await?;
        let mut batch = Batch::default();
        let asked = at.ask(&mut batch, "Drand", "BeaconConfig", Vec::new())?;
        let config: Option<BeaconConfig> = at.fetch(batch).await?.get(asked)?;
        let config = config.ok_or_else(|| not_understood("BeaconConfig", "there is none"))?;
        let public_key = PublicKey::from_bytes(&config.public_key)
            .map_err(|error| not_understood("BeaconConfig", error))?;
        let period_ms = NonZeroU32::new(config.period.saturating_mul(1000))
            .ok_or_else(|| not_understood("BeaconConfig", "its period is 0"))?;
        let genesis = Timestamp(0) + DurationMs(i64::from(config.genesis_time) * 1000);
        Ok(Beacon { public_key, genesis, period_ms })
    }
}
