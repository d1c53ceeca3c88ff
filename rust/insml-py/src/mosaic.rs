//! `convolve_mosaic`: model to stack of mean intensities.

use crate::error::to_python;
use crate::spinwave::{Model, mat3};
use insml_core::convolution::{self, Domain, MomentumAxis, MosaicRequest, ScatteringAngles, SliceSpec, Third};
use insml_core::vec3::Vec3;
use numpy::{PyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::prelude::*;

type Integrated = (Vec<f64>, Vec<f64>, Option<(f64, f64, f64)>);
type Slice = ((f64, f64), Option<f64>, [f64; 2], Vec<f64>, [f64; 3]);

/// Flat stack (n_slices, n0, n1) and the slopes that set its grid. Domains: (model, rotation (3, 3), weight). Axes: (vector, edges). Exactly one of
/// `integrated` (coordinates, weights, scattering angles in radians and half a cell) and `beam` (hkl) is given. Slices: (window, ei, sigma_axes, sigma_energy, grid_sigma).
#[pyfunction]
#[pyo3(signature = (*, domains, axes, third_vector, integrated, beam, slices, form_factor, slopes, step, threads))]
#[allow(clippy::too_many_arguments)]
pub fn convolve_mosaic<'py>(
    py: Python<'py>,
    domains: Vec<(Py<Model>, PyReadonlyArray2<'py, f64>, f64)>,
    axes: [(Vec3, Vec<f64>); 2],
    third_vector: Vec3,
    integrated: Option<Integrated>,
    beam: Option<Vec3>,
    slices: Vec<Slice>,
    form_factor: bool,
    slopes: Option<[f64; 2]>,
    step: f64,
    threads: usize,
) -> PyResult<(Bound<'py, PyArray1<f64>>, [f64; 2])> {
    let third = match (integrated, beam) {
        (Some((coordinates, weights, angles)), None) => {
            let angles = angles.map(|(smallest, largest, half)| ScatteringAngles::new(smallest, largest, half));
            Third::Integrated { coordinates, weights, angles }
        }
        (None, Some(beam)) => Third::Kinematic { beam },
        _ => return Err(pyo3::exceptions::PyTypeError::new_err("exactly one of integrated and beam")),
    };
    let request = MosaicRequest {
        axes: axes.map(|(vector, edges)| MomentumAxis { vector, edges }),
        third_vector,
        third,
        slices: slices
            .into_iter()
            .map(|(energy, ei, sigma_axes, sigma_energy, grid_sigma)| SliceSpec {
                energy,
                ei,
                sigma_axes,
                sigma_energy,
                grid_sigma,
            })
            .collect(),
        form_factor,
        slopes,
        step,
        threads,
    };
    let domains: Vec<Domain> = domains
        .iter()
        .map(|(model, rotation, weight)| Domain {
            model: &model.get().inner.model,
            rotation: mat3(rotation),
            weight: *weight,
        })
        .collect();
    let (stack, slopes) =
        py.detach(|| convolution::convolve_mosaic(&domains, &request)).map_err(|e| to_python(py, e))?;
    Ok((stack.to_pyarray(py), slopes))
}
