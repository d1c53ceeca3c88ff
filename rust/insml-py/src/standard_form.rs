//! `fold` and `standardise`: the form in which networks see slices.

use insml_core::standard_form::{self, Intensity, folded_size};
use numpy::{Element, IntoPyArray, PyArray3, PyArrayMethods, PyReadonlyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[derive(FromPyObject)]
pub enum Stack<'py> {
    Single(PyReadonlyArray3<'py, f32>),
    Double(PyReadonlyArray3<'py, f64>),
}

type Mask<'py> = PyReadonlyArray3<'py, bool>;
type Folded<'py> = PyResult<(Bound<'py, PyAny>, Bound<'py, PyArray3<bool>>)>;

/// Means of `signal` (slices, n0, n1) over the mirror images that have a detector, and where none has.
#[pyfunction]
#[pyo3(signature = (signal, mask, *, mirrors))]
pub fn fold<'py>(py: Python<'py>, signal: Stack<'py>, mask: Mask<'py>, mirrors: [bool; 2]) -> Folded<'py> {
    match signal {
        Stack::Single(signal) => fold_of(py, &signal, &mask, mirrors),
        Stack::Double(signal) => fold_of(py, &signal, &mask, mirrors),
    }
}

fn fold_of<'py, T: Intensity + Element>(
    py: Python<'py>,
    signal: &PyReadonlyArray3<'py, T>,
    mask: &Mask<'py>,
    mirrors: [bool; 2],
) -> Folded<'py> {
    let (slices, rows, columns) = of_one_shape(signal, mask)?;
    let size = [rows, columns];
    let (signal, mask) = (signal.as_slice()?, mask.as_slice()?);
    let (mean, hidden) = py.detach(|| standard_form::fold(signal, mask, size, mirrors));
    let [m, n] = folded_size(size, mirrors);
    Ok((mean.into_pyarray(py).reshape([slices, m, n])?.into_any(), hidden.into_pyarray(py).reshape([slices, m, n])?))
}

/// The standard form of `signal` (slices, n0, n1); `mask` True without detector.
#[pyfunction]
pub fn standardise<'py>(py: Python<'py>, signal: Stack<'py>, mask: Mask<'py>) -> PyResult<Bound<'py, PyArray3<f32>>> {
    match signal {
        Stack::Single(signal) => standardise_of(py, &signal, &mask),
        Stack::Double(signal) => standardise_of(py, &signal, &mask),
    }
}

fn standardise_of<'py, T: Intensity + Element>(
    py: Python<'py>,
    signal: &PyReadonlyArray3<'py, T>,
    mask: &Mask<'py>,
) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let (slices, rows, columns) = of_one_shape(signal, mask)?;
    let (signal, mask) = (signal.as_slice()?, mask.as_slice()?);
    let out = py.detach(|| standard_form::standardise(signal, mask, rows * columns));
    out.into_pyarray(py).reshape([slices, rows, columns])
}

fn of_one_shape<T: Element>(signal: &PyReadonlyArray3<'_, T>, mask: &Mask<'_>) -> PyResult<(usize, usize, usize)> {
    let (shape, found) = (signal.as_array().dim(), mask.as_array().dim());
    if shape != found {
        return Err(PyValueError::new_err(format!("mask: expected shape {shape:?}, found {found:?}")));
    }
    Ok(shape)
}
