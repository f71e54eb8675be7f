//! The surface proven by one small mechanism of each shape, and the dataset mechanism against its adversaries.
//!
//! Everything goes through `&dyn ErasedMechanism` and bytes, as it does in a validator.

#[cfg(test)]
mod arena;
#[cfg(test)]
mod dataset;
#[cfg(test)]
mod shapes;
