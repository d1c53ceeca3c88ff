//! Linear spin wave theory of commensurate cells and of structures with one propagation vector.
//!
//! H = sum over bonds, each once, S_i^T J S_j + sum_i S_i^T A_i S_i - muB sum_i B^T g_i S_i.
//! Holstein-Primakoff to second order, x = (b(k), b^+(-k)), H2 = 1/2 sum_k x^+ h(k) x (Toth and Lake, J. Phys.:
//! Condens. Matter 27, 166002 (2015)); h is diagonalised by Colpa's method (Physica A 93, 327 (1978)).

pub mod amplitude;
pub mod blocks;
pub mod bogoliubov;
pub mod derivative;
pub mod frame;
pub mod hamiltonian;
pub mod model;
pub mod rotation;
pub mod spectrum;

pub use amplitude::Amplitudes;
pub use bogoliubov::{Bogoliubov, modes};
pub use hamiltonian::Hamiltonian;
pub use model::{Biquadratic, Bond, Site, SpinModel};
pub use rotation::{Projector, Rotation};
pub use spectrum::{Compiled, Spectrum, SpectrumOptions};
