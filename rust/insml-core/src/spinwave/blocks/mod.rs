//! The fast path: h(k) split into blocks once per model, many wave vectors solved at a time.

pub mod kernel;
pub mod plan;
pub mod reduce;
pub mod split;
pub mod uniform;

pub use kernel::Batch;
pub use plan::{Plan, Splitting};
pub use reduce::Kind;
