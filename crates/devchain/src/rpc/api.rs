//! What the methods share: the node, their parameters, and how they are registered.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use jsonrpsee::{
    RpcModule, SubscriptionSink,
    core::JsonRawValue,
    server::RegisterMethodError,
    types::{ErrorObjectOwned, Params, params::ParamsSequence},
};
use primitives::{AccountId, BlockNumber, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use tokio::sync::Semaphore;

use super::{
    follow::Follows,
    refusal::{self, Answer},
};
use crate::{Handle, State};

/// Costly methods that run at a time; more wait. A few more than a small machine has cores.
const MAX_COSTLY: usize = 8;

/// What every method is given.
pub(super) struct Api {
    pub(super) node: Handle,
    pub(super) chain_name: String,
    /// How long a subscriber may take to make room for a notification.
    pub(super) patience: Duration,
    pub(super) follows: Follows,
    /// Extrinsics that are broadcast, by the operation's number.
    pub(super) broadcasts: Mutex<BTreeMap<String, Digest>>,
    costly: Semaphore,
}

impl Api {
    pub(super) fn new(node: Handle, chain_name: String, patience: Duration) -> Self {
        Self {
            node,
            chain_name,
            patience,
            follows: Follows::default(),
            broadcasts: Mutex::default(),
            costly: Semaphore::new(MAX_COSTLY),
        }
    }

    /// The state after a block, by its hash; the newest without one.
    pub(super) fn state(&self, at: Option<Hash>) -> Answer<State> {
        let Some(Hash(hash)) = at else { return Ok(self.node.state()) };
        match self.node.state_of(hash) {
            Some(state) => Ok(state),
            None if self.node.number_of(hash).is_some() => Err(refusal::discarded(hash)),
            None => Err(refusal::unknown_block(hash)),
        }
    }

    /// The number of a block, by its hash; the newest without one. None where it is not known.
    pub(super) fn number(&self, at: Option<Hash>) -> Option<BlockNumber> {
        match at {
            None => Some(self.node.heads().borrow().number),
            Some(Hash(hash)) => self.node.number_of(hash),
        }
    }

    /// Does costly work on a thread of its own, a few at a time.
    pub(super) async fn costly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let _place = self.costly.acquire().await.map_err(refusal::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(refusal::internal)?
    }

    /// Sends a notification; false where the subscription is over or the subscriber too slow.
    pub(super) async fn notify(&self, sink: &SubscriptionSink, message: &impl Serialize) -> bool {
        let Ok(message) = serde_json::value::to_raw_value(message) else { return false };
        self.notify_raw(sink, message).await
    }

    pub(super) async fn notify_raw(&self, sink: &SubscriptionSink, message: Box<JsonRawValue>) -> bool {
        sink.send_timeout(message, self.patience).await.is_ok()
    }
}

/// The methods while they are being registered.
pub(super) struct Table(pub(super) RpcModule<Api>);

/// Registering fails only where a name stands twice in the tables.
pub(super) type Registered = Result<(), RegisterMethodError>;

impl Table {
    /// A method that is answered at once, under one or more names.
    pub(super) fn quick<R: Serialize + Clone + 'static>(
        &mut self,
        names: &[&'static str],
        method: fn(&Api, &mut Arguments<'_>) -> Answer<R>,
    ) -> Registered {
        for name in names {
            self.0.register_method(name, move |params, api, _| method(api, &mut Arguments::of(&params)))?;
        }
        Ok(())
    }

    /// A method that takes a while.
    pub(super) fn costly<R: Serialize + Clone + Send + 'static>(
        &mut self,
        names: &[&'static str],
        method: fn(&Api, &mut Arguments<'_>) -> Answer<R>,
    ) -> Registered {
        for name in names {
            self.0.register_async_method(name, move |params, api, _| async move {
                let inner = api.clone();
                api.costly(move || method(&inner, &mut Arguments::of(&params))).await
            })?;
        }
        Ok(())
    }

    /// Further names for a method or subscription.
    pub(super) fn aliases(&mut self, name: &'static str, aliases: &[&'static str]) -> Registered {
        aliases.iter().try_for_each(|alias| self.0.register_alias(alias, name))
    }
}

/// A method's parameters, taken one by one. One that is null or left out counts as absent.
pub(super) struct Arguments<'a>(ParamsSequence<'a>);

impl<'a> Arguments<'a> {
    pub(super) fn of(params: &'a Params<'_>) -> Self {
        Self(params.sequence())
    }

    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Answer<T> {
        self.0.next()
    }

    pub(super) fn optional<T: DeserializeOwned>(&mut self) -> Answer<Option<T>> {
        self.0.optional_next()
    }
}

/// Bytes in hexadecimal digits; clients may leave out the 0x.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        hex::decode(digits).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&in_hex(&self.0))
    }
}

/// Bytes as clients read them.
pub(super) fn in_hex(bytes: &[u8]) -> String {
    let mut text = vec![b'0'; 2 + 2 * bytes.len()];
    text[1] = b'x';
    hex::encode_to_slice(bytes, &mut text[2..]).expect("there are two digits for each byte");
    String::from_utf8(text).expect("hexadecimal digits are ASCII")
}

/// The hash of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hash(pub(super) Digest);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Bytes(bytes) = Bytes::deserialize(from)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|bytes: Vec<u8>| {
            serde::de::Error::custom(format!("hash has {} bytes, 32 are needed", bytes.len()))
        })?;
        Ok(Self(Digest(bytes)))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&in_hex(&self.0.0))
    }
}

/// A number, or its hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum NumberOrText {
            Number(u64),
            Text(String),
        }
        match NumberOrText::deserialize(from)? {
            NumberOrText::Number(number) => Ok(Self(number)),
            NumberOrText::Text(text) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).map(Self).map_err(serde::de::Error::custom),
                None => text.parse().map(Self).map_err(serde::de::Error::custom),
            },
        }
    }
}

/// One value or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// An account by its address, or by its bytes in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(pub(super) AccountId);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match text.strip_prefix("0x").map(hex::decode) {
            None => AccountId::from_ss58(&text).map(Self).map_err(serde::de::Error::custom),
            Some(bytes) => {
                let bytes = bytes.map_err(serde::de::Error::custom)?;
                let bytes: Result<[u8; 32], _> = bytes.try_into();
                let account = bytes.map_err(|_| serde::de::Error::custom("an account has 32 bytes"))?;
                Ok(Self(AccountId(account)))
            }
        }
    }
}

/// The error for a list that is too long.
pub(super) fn at_most(what: &str, found: usize, most: usize) -> Result<(), ErrorObjectOwned> {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    if found > most { Err(refusal::too_much(what, number(found), number(most))) } else { Ok(()) }
}
