//! Linear spin wave theory on commensurate magnetic cells.
//!
//! H = sum over bonds, each once, S_i^T J S_j + sum_i S_i^T A_i S_i - muB sum_i B^T g_i S_i.
//! Holstein-Primakoff to second order, x = (b(k), b^+(-k)), H2 = 1/2 sum_k x^+ h(k) x (Toth and Lake, J. Phys.:
//! Condens. Matter 27, 166002 (2015)); h is diagonalised by Colpa's method (Physica A 93, 327 (1978)).

pub mod amplitude;
pub mod bogoliubov;
pub mod frame;
pub mod hamiltonian;
pub mod model;
pub mod spectrum;

pub use amplitude::Amplitudes;
pub use bogoliubov::Bogoliubov;
pub use hamiltonian::Hamiltonian;
pub use model::{Bond, Site, SpinModel};
pub use spectrum::{Spectrum, SpectrumOptions, spectrum};
