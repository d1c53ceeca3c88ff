//! What can go wrong, one enum for the whole core.

use thiserror::Error;

#[derive(Debug, Error, Clone, PartialEq)]
pub enum Error {
    #[error("model: {0}")]
    Model(String),
    #[error("geometry: {0}")]
    Geometry(String),
    #[error("unstable structure: lowest eigenvalue {lowest_eigenvalue} meV at q = {q:?} r.l.u.")]
    Unstable { q: [f64; 3], lowest_eigenvalue: f64 },
    #[error("numerical failure: {0}")]
    Numerical(String),
}

pub type Result<T> = std::result::Result<T, Error>;
