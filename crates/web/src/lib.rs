//! Pages, client API and live events of a house: folds of its public record.

pub mod record;
