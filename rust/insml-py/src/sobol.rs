//! `draws`: points of a Monte Carlo.

use insml_core::parallel::for_each;
use insml_core::sobol::{Generator, MAX_DIMENSIONS, Points};
use numpy::{IntoPyArray, PyArray3, PyArrayMethods, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// (pixels, samples, dimensions) in (0, 1); each number depends on its seed, pixel, sample and dimension alone.
#[pyfunction]
#[pyo3(signature = (*, seed, pixels, samples, dimensions, sobol, threads))]
pub fn draws<'py>(
    py: Python<'py>,
    seed: u64,
    pixels: PyReadonlyArray1<'py, u64>,
    samples: usize,
    dimensions: usize,
    sobol: bool,
    threads: usize,
) -> PyResult<Bound<'py, PyArray3<f64>>> {
    if dimensions > MAX_DIMENSIONS {
        return Err(PyValueError::new_err(format!(
            "dimensions: expected at most {MAX_DIMENSIONS}, found {dimensions}"
        )));
    }
    let pixels = pixels.as_slice()?;
    let one = samples * dimensions;
    let mut out = vec![0.0; pixels.len() * one];
    py.detach(|| {
        let points = Points::new(if sobol { Generator::Sobol } else { Generator::Random }, seed, samples, dimensions);
        let some = 1024;
        let pieces = out.chunks_mut((some * one).max(1)).zip(pixels.chunks(some));
        for_each(
            threads,
            pieces,
            || (),
            |(), (out, pixels)| {
                for (out, pixel) in out.chunks_exact_mut(one.max(1)).zip(pixels) {
                    points.fill(*pixel, out);
                }
                None::<()>
            },
        );
    });
    out.into_pyarray(py).reshape([pixels.len(), samples, dimensions])
}
