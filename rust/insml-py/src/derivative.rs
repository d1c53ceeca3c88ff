//! Derivatives of a spectrum along directions of the couplings, each given as a `Model` of the couplings' derivatives.

use crate::error::to_python;
use crate::spinwave::{Model, vec3s};
use insml_core::spinwave::Compiled;
use insml_core::spinwave::derivative::{self, DerivativeOptions, Profile};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

/// (nq, 2 modes (1 + np)): energy (modes), intensity (modes), d energy (modes, np), d intensity (modes, np) of each q.
#[pyfunction]
#[pyo3(signature = (model, directions, q, *, form_factor, g_tensor, blocks, threads))]
#[allow(clippy::too_many_arguments)]
pub fn gradient<'py>(
    py: Python<'py>,
    model: PyRef<'py, Model>,
    directions: Vec<PyRef<'py, Model>>,
    q: PyReadonlyArray2<'py, f64>,
    form_factor: bool,
    g_tensor: bool,
    blocks: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let q = vec3s(&q);
    let options = DerivativeOptions { form_factor, g_tensor, blocks, threads };
    let directions: Vec<&Compiled> = directions.iter().map(|d| &d.inner).collect();
    let model = &model.inner;
    let width = 2 * model.model.modes() * (1 + directions.len());
    let flat: Bound<'py, PyArray1<f64>> = py
        .detach(|| derivative::gradient(model, &directions, &q, options))
        .map_err(|e| to_python(py, e))?
        .into_pyarray(py);
    flat.reshape([q.len(), width])
}

/// (nq, nE (1 + np)): S (nE), dS (nE, np) of each q. energy, sigma (nE,) in meV; modes up to `lowest` are left out.
#[pyfunction]
#[pyo3(signature = (model, directions, q, *, energy, sigma, lowest, form_factor, g_tensor, blocks, threads))]
#[allow(clippy::too_many_arguments)]
pub fn broadened<'py>(
    py: Python<'py>,
    model: PyRef<'py, Model>,
    directions: Vec<PyRef<'py, Model>>,
    q: PyReadonlyArray2<'py, f64>,
    energy: PyReadonlyArray1<'py, f64>,
    sigma: PyReadonlyArray1<'py, f64>,
    lowest: f64,
    form_factor: bool,
    g_tensor: bool,
    blocks: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let q = vec3s(&q);
    let options = DerivativeOptions { form_factor, g_tensor, blocks, threads };
    let directions: Vec<&Compiled> = directions.iter().map(|d| &d.inner).collect();
    let model = &model.inner;
    let profile = Profile { energy: energy.as_array().to_vec(), sigma: sigma.as_array().to_vec(), lowest };
    let width = profile.energy.len() * (1 + directions.len());
    let flat: Bound<'py, PyArray1<f64>> = py
        .detach(|| derivative::broadened(model, &directions, &q, &profile, options))
        .map_err(|e| to_python(py, e))?
        .into_pyarray(py);
    flat.reshape([q.len(), width])
}
