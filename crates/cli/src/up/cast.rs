//! Who mines in a local subnet: honest miners of differing diligence, and attackers.

use std::sync::Arc;

use mechanisms::{
    ErasedMechanism as _, Strategy,
    dataset::{Dataset, miner::HONEST},
};
use miette::Diagnostic;
use thiserror::Error;

/// The attackers where none are named.
pub(crate) const ATTACKS: [&str; 4] = ["limit-and-run", "made-up", "copycat", "silent"];

/// Nobody behaves like that.
#[derive(Debug, Error, Diagnostic)]
#[error("there is no attack {name:?}")]
#[diagnostic(help("one of: {known}"))]
pub(crate) struct UnknownStrategy {
    name: String,
    known: String,
}

/// Names of the strategies: `honest` honest miners, the most diligent first and then from the top again, and the attacks
/// that were asked for.
pub(crate) fn names(honest: usize, attacks: Option<&[String]>) -> Result<Vec<String>, UnknownStrategy> {
    let honest = HONEST.iter().cycle().take(honest).map(|honest| honest.id.to_owned());
    let attacks = match attacks {
        Some(named) => named.to_vec(),
        None => ATTACKS.map(str::to_owned).to_vec(),
    };
    for name in &attacks {
        self::attack(name)?;
    }
    Ok(honest.chain(attacks).collect())
}

/// The strategy of this name.
pub(crate) fn strategy(name: &str) -> Result<Arc<dyn Strategy>, UnknownStrategy> {
    match Dataset.strategies().into_iter().find(|strategy| strategy.id() == name) {
        Some(strategy) => Ok(Arc::new(strategy)),
        None => attack(name),
    }
}

fn attack(name: &str) -> Result<Arc<dyn Strategy>, UnknownStrategy> {
    let known = Dataset.attacks();
    match known.iter().find(|attack| attack.id() == name) {
        Some(attack) => Ok(Arc::new(*attack)),
        None => Err(UnknownStrategy {
            name: name.to_owned(),
            known: known.iter().map(|attack| attack.id()).collect::<Vec<_>>().join(", "),
        }),
    }
}
