//! Several small dense problems at once, one in each lane of a SIMD vector: same code, same operations, no branches on
//! data. Everything here is inlined into a caller that
//! turns the vector instructions on (`spinwave::blocks::kernel`). Products are fused, so the numbers are the same on every
//! machine; where the machine has no such instruction the general path is faster.

pub mod factor;
pub mod scalar;
pub mod tridiagonal;
pub mod trig;

pub use scalar::{Complex, LANES, Real, Scalar};
