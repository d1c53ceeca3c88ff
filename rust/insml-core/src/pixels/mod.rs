//! Measured pixels as Horace keeps them: generated from runs, binned, chosen and put in order of their bins.
//!
//! A pixel is nine float32: u1, u2, u3 (crystal Cartesian Q, 1/Angstrom), energy transfer (meV), run, detector, energy bin,
//! signal, variance. Results never depend on how many threads made them.

pub mod accumulate;
pub mod arrange;
pub mod candidates;
pub mod generate;
pub mod grid;
pub mod projection;
pub mod source;
pub mod target;
pub mod watch;
#[cfg(target_arch = "x86_64")]
mod wide;

/// Numbers of a pixel.
pub const FIELDS: usize = 9;
/// Bytes of a pixel.
pub const BYTES: usize = 4 * FIELDS;
/// Pixels that are worked on at a time: what one thread has of them stays in its nearest cache.
pub const LANES: usize = 256;
/// What stands for the bin of a pixel that lies in none.
pub const NOWHERE: u32 = u32::MAX;

/// Where signal and variance are.
pub const SIGNAL: usize = 7;
pub const VARIANCE: usize = 8;

// pixels go between memory and files as they are
const _: () = assert!(cfg!(target_endian = "little"), "expected a little-endian machine");
