//! `linear_map`: deviations of a flight to deviations of the wave vectors, of (Q, E) or of (h, k, l, E).

use crate::spinwave::mat3;
use insml_core::instrument::{Beam, DEVIATIONS, Pixel, hkl_rows, rows, secondary_frame, wavevector_rows};
use numpy::{IntoPyArray, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// (n, 6, 11) for `to` = "wavevectors", (n, 4, 11) for "spectrometer" and for "hkl", which needs `spec_to_rlu`.
/// `beam`: (x0, x1, xa, omega, theta_m) of a Fermi chopper or (xa, x1) of disks; m, rad/s, rad. `kf`, `distance`,
/// `two_theta`, `azimuth` (rad) (n,); `sample`, `detector` rotations (3, 3).
#[pyfunction]
#[pyo3(signature = (*, beam, ki, kf, distance, two_theta, azimuth, sample, detector, to, spec_to_rlu))]
#[allow(clippy::too_many_arguments)]
pub fn linear_map<'py>(
    py: Python<'py>,
    beam: Vec<f64>,
    ki: f64,
    kf: PyReadonlyArray1<'py, f64>,
    distance: PyReadonlyArray1<'py, f64>,
    two_theta: PyReadonlyArray1<'py, f64>,
    azimuth: PyReadonlyArray1<'py, f64>,
    sample: PyReadonlyArray2<'py, f64>,
    detector: PyReadonlyArray2<'py, f64>,
    to: &str,
    spec_to_rlu: Option<PyReadonlyArray2<'py, f64>>,
) -> PyResult<Bound<'py, PyArray3<f64>>> {
    let beam = match beam[..] {
        [moderator_to_chopper, chopper_to_sample, aperture_to_chopper, angular_frequency, moderator_angle] => {
            Beam::Fermi {
                moderator_to_chopper,
                chopper_to_sample,
                aperture_to_chopper,
                angular_frequency,
                moderator_angle,
            }
        }
        [shaping_to_mono, mono_to_sample] => Beam::Disk { shaping_to_mono, mono_to_sample },
        _ => return Err(PyValueError::new_err("beam: expected 5 or 2 numbers")),
    };
    let (sample, detector) = (mat3(&sample), mat3(&detector));
    let (kf, distance) = (kf.as_slice()?, distance.as_slice()?);
    let (two_theta, azimuth) = (two_theta.as_slice()?, azimuth.as_slice()?);
    if [distance.len(), two_theta.len(), azimuth.len()] != [kf.len(); 3] {
        return Err(PyValueError::new_err("kf, distance, two_theta, azimuth: expected one length"));
    }
    let pixels = (0..kf.len()).map(|i| Pixel {
        kf: kf[i],
        distance: distance[i],
        secondary: secondary_frame(two_theta[i], azimuth[i]),
        detector,
    });
    let (height, flat): (usize, Vec<f64>) = match (to, spec_to_rlu.as_ref().map(mat3)) {
        ("wavevectors", _) => (6, pixels.flat_map(|p| wavevector_rows(&beam, ki, &sample, &p).concat()).collect()),
        ("spectrometer", _) => (4, pixels.flat_map(|p| rows(&beam, ki, &sample, &p).concat()).collect()),
        ("hkl", Some(m)) => (4, pixels.flat_map(|p| hkl_rows(&beam, ki, &sample, &p, &m).concat()).collect()),
        _ => return Err(PyValueError::new_err("to: expected wavevectors, spectrometer or hkl with spec_to_rlu")),
    };
    flat.into_pyarray(py).reshape([kf.len(), height, DEVIATIONS])
}
