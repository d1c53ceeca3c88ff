//! `counting_noise`: what counts add to intensities.

use insml_core::counting::counting_noise as noise;
use numpy::{PyReadonlyArray1, PyReadwriteArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Adds noise to `signal` (slices, n0, n1), contiguous, in place; `subtracted` and `unit` (slices,).
#[pyfunction]
#[pyo3(signature = (signal, subtracted, unit, *, whole, seed))]
pub fn counting_noise(
    py: Python<'_>,
    mut signal: PyReadwriteArray3<'_, f32>,
    subtracted: PyReadonlyArray1<'_, f32>,
    unit: PyReadonlyArray1<'_, f32>,
    whole: bool,
    seed: u64,
) -> PyResult<()> {
    let slices = signal.as_array().dim().0;
    let (subtracted, unit) = (subtracted.as_slice()?, unit.as_slice()?);
    if [subtracted.len(), unit.len()] != [slices; 2] {
        return Err(PyValueError::new_err(format!(
            "subtracted, unit: expected {slices} of each, found {} and {}",
            subtracted.len(),
            unit.len()
        )));
    }
    let signal = signal.as_slice_mut()?;
    py.detach(|| noise(signal, subtracted, unit, whole, seed));
    Ok(())
}
