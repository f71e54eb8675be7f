//! Where a chain is reached.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// A chain's address: one of the networks by name, or a WebSocket URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The main network.
    Finney,
    /// The test network.
    Test,
    /// A node on this machine, at its usual port.
    Local,
    /// Any node, as `ws://…` or `wss://…`.
    Url(String),
}

/// A text names no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no network: expected finney, test, local or a URL that begins with ws:// or wss://")]
pub struct EndpointError {
    /// The text.
    pub text: String,
}

impl Endpoint {
    /// The URL to connect to. Sources of the names: `bittensor.core.settings` of the Python SDK.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Self::Finney => "wss://entrypoint-finney.opentensor.ai:443",
            Self::Test => "wss://test.finney.opentensor.ai:443",
            Self::Local => "ws://127.0.0.1:9944",
            Self::Url(url) => url,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        match text {
            "finney" => Ok(Self::Finney),
            "test" => Ok(Self::Test),
            "local" => Ok(Self::Local),
            url if url.starts_with("ws://") || url.starts_with("wss://") => Ok(Self::Url(url.to_owned())),
            _ => Err(EndpointError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finney => f.pad("finney"),
            Self::Test => f.pad("test"),
            Self::Local => f.pad("local"),
            Self::Url(url) => f.pad(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_urls_are_read_and_anything_else_is_not() {
        assert_eq!("finney".parse(), Ok(Endpoint::Finney));
        assert_eq!("ws://127.0.0.1:9".parse(), Ok(Endpoint::Url("ws://127.0.0.1:9".to_owned())));
        for text in ["", "Finney", "http://127.0.0.1", "127.0.0.1:9944"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
