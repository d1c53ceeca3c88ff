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
    #[error("{0}")]
    File(String),
    #[error("numerical failure: {0}")]
    Numerical(String),
    #[error("stopped")]
    Stopped,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Orders errors: the lowest eigenvalue of an unstable structure, below all else what is not about stability.
    pub fn depth(&self) -> f64 {
        match self {
            Self::Unstable { lowest_eigenvalue, .. } => *lowest_eigenvalue,
            _ => f64::NEG_INFINITY,
        }
    }
}
