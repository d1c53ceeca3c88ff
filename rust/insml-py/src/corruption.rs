//! What a measurement does to simulated slices: `counting_noise`, `displaced`, `add_structure`.

use half::f16;
use half::slice::HalfFloatSliceExt;
use insml_core::corruption::counting::counting_noise as noise;
use insml_core::corruption::displacement::{self, Displacement};
use insml_core::corruption::structured::{self, Arc, Cone, Shapes, Spot, Structure, Tile};
use numpy::{
    IntoPyArray, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, PyReadwriteArray3,
};
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
    expect("subtracted, unit", slices, &[subtracted.len(), unit.len()])?;
    let signal = signal.as_slice_mut()?;
    py.detach(|| noise(signal, subtracted, unit, whole, seed));
    Ok(())
}

#[derive(FromPyObject)]
pub enum Stack<'py> {
    Half(PyReadonlyArray3<'py, f16>),
    Single(PyReadonlyArray3<'py, f32>),
}

/// `clean` (slices, n0, n1), contiguous: mirrored along `mirrored`, axes `swapped`, moved by `shift` bins, then each slice mixed
/// with a `share` of an `other` one and scaled (slices,).
#[pyfunction]
#[pyo3(signature = (clean, *, mirrored, swapped, shift, other, share, scale))]
#[allow(clippy::too_many_arguments)]
pub fn displaced<'py>(
    py: Python<'py>,
    clean: Stack<'py>,
    mirrored: [bool; 2],
    swapped: bool,
    shift: [f32; 2],
    other: PyReadonlyArray1<'py, i64>,
    share: PyReadonlyArray1<'py, f32>,
    scale: PyReadonlyArray1<'py, f32>,
) -> PyResult<Bound<'py, PyArray3<f32>>> {
    let (slices, rows, columns) = match &clean {
        Stack::Half(stack) => stack.as_array().dim(),
        Stack::Single(stack) => stack.as_array().dim(),
    };
    let other: Vec<usize> = other.as_slice()?.iter().map(|s| *s as usize).collect();
    let (share, scale) = (share.as_slice()?, scale.as_slice()?);
    expect("other, share, scale", slices, &[other.len(), share.len(), scale.len()])?;
    if swapped && rows != columns || other.iter().any(|s| *s >= slices) {
        return Err(PyValueError::new_err(format!(
            "swapped, other: expected a square tile and numbers below {slices}, found {rows} x {columns} and {other:?}"
        )));
    }
    let how = Displacement { mirrored, swapped, shift, other: &other, share, scale };
    let out = match &clean {
        Stack::Half(stack) => {
            let stack = stack.as_slice()?;
            py.detach(|| displacement::displaced(&stack.to_f32_vec(), [rows, columns], &how))
        }
        Stack::Single(stack) => {
            let stack = stack.as_slice()?;
            py.detach(|| displacement::displaced(stack, [rows, columns], &how))
        }
    };
    out.into_pyarray(py).reshape([slices, rows, columns])
}

type OfRuns<'py> = (PyReadonlyArray3<'py, f32>, PyReadonlyArray2<'py, f32>);

/// Adds structure to `signal` (slices, n0, n1), contiguous, in place: `q` (n0, n1), `run` and `share` (slices,). `arcs` (middle,
/// sigma), `cones` (tip, tip, sigma, reach) and `spots` (place, place, sigma): shapes (runs, n, 2, 4 or 3) and their intensities
/// (slices, n).
#[pyfunction]
#[pyo3(signature = (signal, *, q, run, share, arcs, cones, spots))]
#[allow(clippy::too_many_arguments)]
pub fn add_structure<'py>(
    py: Python<'py>,
    mut signal: PyReadwriteArray3<'py, f32>,
    q: PyReadonlyArray2<'py, f32>,
    run: PyReadonlyArray1<'py, i64>,
    share: PyReadonlyArray1<'py, f32>,
    arcs: OfRuns<'py>,
    cones: OfRuns<'py>,
    spots: OfRuns<'py>,
) -> PyResult<()> {
    let (slices, rows, columns) = signal.as_array().dim();
    let run: Vec<usize> = run.as_slice()?.iter().map(|r| *r as usize).collect();
    let (q, share) = (q.as_slice()?, share.as_slice()?);
    expect("run, share", slices, &[run.len(), share.len()])?;
    expect("q", rows * columns, &[q.len()])?;
    let runs = run.iter().max().map_or(0, |last| last + 1);
    let arc_shapes = shapes(&arcs, runs, slices, |[middle, sigma]| Arc { middle, sigma })?;
    let cone_shapes = shapes(&cones, runs, slices, |[a, b, sigma, reach]| Cone { tip: [a, b], sigma, reach })?;
    let spot_shapes = shapes(&spots, runs, slices, |[a, b, sigma]| Spot { place: [a, b], sigma })?;
    let structure = Structure {
        run: &run,
        share,
        arcs: of_runs(&arcs, &arc_shapes)?,
        cones: of_runs(&cones, &cone_shapes)?,
        spots: of_runs(&spots, &spot_shapes)?,
    };
    let signal = signal.as_slice_mut()?;
    py.detach(|| structured::add(signal, &Tile { rows, columns, q }, &structure));
    Ok(())
}

fn shapes<T, const N: usize>(
    (shapes, intensity): &OfRuns<'_>,
    runs: usize,
    slices: usize,
    one: impl Fn([f32; N]) -> T,
) -> PyResult<Vec<T>> {
    let (of_runs, each, numbers) = shapes.as_array().dim();
    let found = intensity.as_array().dim();
    if (of_runs, numbers) != (runs, N) || found != (slices, each) {
        return Err(PyValueError::new_err(format!(
            "shapes: expected ({runs}, n, {N}) and intensities ({slices}, n), found ({of_runs}, {each}, {numbers}) and {found:?}"
        )));
    }
    Ok(shapes.as_slice()?.as_chunks::<N>().0.iter().map(|numbers| one(*numbers)).collect())
}

fn of_runs<'a, T>((_, intensity): &'a OfRuns<'_>, shapes: &'a [T]) -> PyResult<Shapes<'a, T>> {
    Ok(Shapes { each: intensity.as_array().dim().1, shapes, intensity: intensity.as_slice()? })
}

fn expect(what: &str, expected: usize, found: &[usize]) -> PyResult<()> {
    if found.iter().all(|n| *n == expected) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("{what}: expected {expected} of each, found {found:?}")))
}
