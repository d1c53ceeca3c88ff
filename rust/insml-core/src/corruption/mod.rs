//! What a measurement does to simulated slices. What is drawn comes from the caller; here is what is done to every pixel.
//! The same numbers on every machine: nothing is fused.

pub mod counting;
pub mod displacement;
mod gaussian;
pub mod structured;
