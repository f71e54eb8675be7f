//! Reading storage: many values at one block in few requests, each decoded by the metadata of that block.

use chain::ReadError;
use primitives::Digest;
use subxt::{
    ArcMetadata, OnlineClientAtBlock, config::RpcConfigFor, dynamic::Value, ext::scale_decode::DecodeAsType,
    rpcs::LegacyRpcMethods, utils::H256,
};

use crate::Config;

/// Keys in one request: a node bounds the request's size.
const KEYS_PER_REQUEST: usize = 512;

/// The chain as of one block.
pub(crate) struct At {
    pub(crate) client: OnlineClientAtBlock<Config>,
    pub(crate) legacy: LegacyRpcMethods<RpcConfigFor<Config>>,
}

/// One value that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    index: usize,
    ty: u32,
}

/// Values to be read together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    keys: Vec<Vec<u8>>,
    defaults: Vec<Option<Vec<u8>>>,
}

/// What a batch came to.
pub(crate) struct Answers {
    values: Vec<Option<Vec<u8>>>,
    metadata: ArcMetadata,
}

/// Says that a node's answer can't be understood.
pub(crate) fn not_understood(what: &str, why: impl std::fmt::Display) -> ReadError {
    ReadError::Unreachable { reason: format!("{what} of the node's answer can't be read: {why}") }
}

/// Says that a node did not answer.
pub(crate) fn unreachable(error: impl std::fmt::Display) -> ReadError {
    ReadError::Unreachable { reason: error.to_string() }
}

impl At {
    pub(crate) fn hash(&self) -> Digest {
        Digest(self.client.block_hash().0)
    }

    /// Whether the chain's metadata has such an item: chains of other versions may have lost or not have it yet.
    pub(crate) fn has(&self, pallet: &str, item: &str) -> bool {
        let metadata = self.client.metadata_ref();
        let storage = metadata.pallet_by_name(pallet).and_then(|pallet| pallet.storage());
        storage.is_some_and(|storage| storage.entry_by_name(item).is_some())
    }

    /// Puts a value on the list.
    pub(crate) fn ask(
        &self,
        batch: &mut Batch,
        pallet: &str,
        item: &str,
        key: Vec<Value>,
    ) -> Result<Asked, ReadError> {
        let address = subxt::dynamic::storage::<Vec<Value>, Value>(pallet, item);
        let storage = self.client.storage();
        let entry = storage.entry(address).map_err(|error| not_understood(item, error))?;
        let metadata = self.client.metadata_ref();
        let described = metadata
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.storage())
            .and_then(|storage| storage.entry_by_name(item))
            .ok_or_else(|| not_understood(item, "the metadata does not describe it"))?;
        let index = batch.keys.len();
        batch.keys.push(entry.fetch_key(key).map_err(|error| not_understood(item, error))?);
        batch.defaults.push(described.default_value().map(<[u8]>::to_vec));
        Ok(Asked { index, ty: described.value_ty() })
    }

    /// Reads all that is on the list.
    pub(crate) async fn fetch(&self, batch: Batch) -> Result<Answers, ReadError> {
        let mut found = std::collections::HashMap::new();
        let at = H256(self.client.block_hash().0);
        for keys in batch.keys.chunks(KEYS_PER_REQUEST) {
            let keys = keys.iter().map(Vec::as_slice);
            let changes = self.legacy.state_query_storage_at(keys, Some(at)).await.map_err(unreachable)?;
            for (key, value) in changes.into_iter().flat_map(|set| set.changes) {
                if let Some(value) = value {
                    found.insert(key.0, value.0);
                }
            }
        }
        let values = batch.keys.iter().zip(batch.defaults);
        Ok(Answers {
            values: values.map(|(key, default)| found.remove(key).or(default)).collect(),
            metadata: self.client.metadata(),
        })
    }
}

impl Answers {
    /// The value, or the item's default; none where neither is there.
    pub(crate) fn get<T: DecodeAsType>(&self, asked: Asked) -> Result<Option<T>, ReadError> {
        let Some(bytes) = self.values.get(asked.index).and_then(Option::as_ref) else { return Ok(None) };
        let decoded = T::decode_as_type(&mut &bytes[..], asked.ty, self.metadata.types());
        decoded.map(Some).map_err(|error| not_understood("a value", error))
    }

    /// The value, where there always is one.
    pub(crate) fn value<T: DecodeAsType + Default>(&self, asked: Asked) -> Result<T, ReadError> {
        Ok(self.get(asked)?.unwrap_or_default())
    }
}
