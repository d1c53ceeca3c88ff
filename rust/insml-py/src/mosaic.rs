//! `convolve_mosaic`: model to stack of mean intensities.

use crate::error::to_python;
use crate::spinwave::{Model, mat3};
use insml_core::convolution::{self, Domain, MomentumAxis, MosaicRequest, SliceSpec, Third};
use insml_core::vec3::Vec3;
use numpy::{PyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::prelude::*;

type Slice = ((f64, f64), Option<f64>, [f64; 2], Vec<f64>);

/// Flat stack (n_slices, n0, n1). Domains: (model, rotation (3, 3), weight). Axes: (vector, edges). Exactly one of
/// `integrated` (coordinates, weights) and `beam` (hkl) is given. Slices: (window, ei, sigma_axes, sigma_energy).
#[pyfunction]
#[pyo3(signature = (*, domains, axes, third_vector, integrated, beam, slices, form_factor, step, threads))]
#[allow(clippy::too_many_arguments)]
pub fn convolve_mosaic<'py>(
    py: Python<'py>,
    domains: Vec<(Py<Model>, PyReadonlyArray2<'py, f64>, f64)>,
    axes: [(Vec3, Vec<f64>); 2],
    third_vector: Vec3,
    integrated: Option<(Vec<f64>, Vec<f64>)>,
    beam: Option<Vec3>,
    slices: Vec<Slice>,
    form_factor: bool,
    step: f64,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let third = match (integrated, beam) {
        (Some((coordinates, weights)), None) => Third::Integrated { coordinates, weights },
        (None, Some(beam)) => Third::Kinematic { beam },
        _ => return Err(pyo3::exceptions::PyTypeError::new_err("exactly one of integrated and beam")),
    };
    let request = MosaicRequest {
        axes: axes.map(|(vector, edges)| MomentumAxis { vector, edges }),
        third_vector,
        third,
        slices: slices
            .into_iter()
            .map(|(energy, ei, sigma_axes, sigma_energy)| SliceSpec { energy, ei, sigma_axes, sigma_energy })
            .collect(),
        form_factor,
        step,
        threads,
    };
    let domains: Vec<Domain> = domains
        .iter()
        .map(|(model, rotation, weight)| Domain { model: &model.get().inner, rotation: mat3(rotation), weight: *weight })
        .collect();
    let stack = py.detach(|| convolution::convolve_mosaic(&domains, &request)).map_err(|e| to_python(py, e))?;
    Ok(stack.to_pyarray(py))
}
