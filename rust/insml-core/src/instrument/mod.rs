//! A direct-geometry spectrometer to first order: how the small deviations of one neutron's flight move (Q, E).

pub mod linear_map;

pub use linear_map::{
    Beam, DEVIATIONS, Pixel, Rows, hkl_rows, rows, secondary_frame, secondary_frame_along, wavevector_rows,
};
