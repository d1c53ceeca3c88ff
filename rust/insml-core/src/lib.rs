//! Numerical core of insml: linear spin waves, their convolution with a resolution, and what a measurement makes of images.
//! No Python, no global state; every parallel function takes its thread count.

pub mod convolution;
pub mod corruption;
pub mod error;
pub mod form_factor;
pub mod instrument;
pub mod lanes;
pub mod lattice;
pub mod parallel;
pub mod pixels;
pub mod sobol;
pub mod spinwave;
pub mod standard_form;
pub mod table;
pub mod vec3;

pub use error::{Error, Result};
pub use num_complex::Complex64;
