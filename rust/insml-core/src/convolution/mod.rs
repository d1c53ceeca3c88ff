//! Convolution of spectra with Gaussian resolution on the bins of a mosaic.
//!
//! Momentum is integrated on a regular grid, energy in closed form. Where a grid direction is rational in the magnetic
//! reciprocal cell the grid is made commensurate with it, so that every distinct eigenproblem is solved once.

pub mod bins;
pub mod flight;
pub mod footprint;
pub mod forward;
pub mod grid;
pub mod half_turn;
pub mod image;
pub mod kernel;
pub mod meeting;
pub mod mosaic;
pub mod nodes;
pub mod normal;
pub mod path;
pub mod sheet;
pub mod slice;
pub mod third;

pub use mosaic::{Domain, MomentumAxis, MosaicRequest, SliceSpec, convolve_mosaic};
pub use third::{ScatteringAngles, Third};
