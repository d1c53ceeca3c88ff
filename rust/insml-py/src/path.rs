//! `paths`, `met`: modes along paths of times.

use insml_core::convolution::path::{self, Density, Known, Line, PIECES};
use insml_core::parallel::for_each;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Paths that a thread takes at a time.
const SOME: usize = 1024;

/// Probabilities (n, 24) of the pieces of n paths `at` (n, 2) + tau `towards` (n, 2), tau between `ends` (n, 2), and tau
/// where modes are to be solved (n, 3). `densities`: values, first, step, (a, b), offset of functions of
/// a time_0 + b time_3 + offset, of which the density is the product.
#[pyfunction]
#[pyo3(signature = (*, densities, at, towards, ends, threads))]
#[allow(clippy::type_complexity)]
pub fn paths<'py>(
    py: Python<'py>,
    densities: Vec<(PyReadonlyArray1<'py, f64>, f64, f64, [f64; 2], f64)>,
    at: PyReadonlyArray2<'py, f64>,
    towards: PyReadonlyArray2<'py, f64>,
    ends: PyReadonlyArray2<'py, f64>,
    threads: usize,
) -> PyResult<(Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>)> {
    let at = at.as_slice()?.as_chunks::<2>().0;
    let towards = towards.as_slice()?.as_chunks::<2>().0;
    let ends = ends.as_slice()?.as_chunks::<2>().0;
    if [towards.len(), ends.len()] != [at.len(); 2] {
        return Err(PyValueError::new_err("at, towards, ends: expected (n, 2)"));
    }
    let densities = densities
        .iter()
        .map(|(values, first, step, times, offset)| {
            Ok(Density { values: values.as_slice()?, first: *first, step: *step, times: *times, offset: *offset })
        })
        .collect::<PyResult<Vec<_>>>()?;
    let n = at.len();
    let (mut share, mut solved) = (vec![0.0; n * PIECES], vec![0.0; n * 3]);
    py.detach(|| {
        let pieces = share.as_chunks_mut().0.chunks_mut(SOME).zip(solved.as_chunks_mut::<3>().0.chunks_mut(SOME));
        for_each(
            threads,
            pieces.enumerate().collect::<Vec<_>>().into_iter(),
            || (),
            |(), (piece, (share, solved))| {
                for (i, (share, solved)) in share.iter_mut().zip(solved).enumerate() {
                    let i = piece * SOME + i;
                    *solved = path::path(&densities, at[i], towards[i], ends[i], share);
                }
                None::<()>
            },
        );
    });
    Ok((share.into_pyarray(py).reshape([n, PIECES])?, solved.into_pyarray(py).reshape([n, 3])?))
}

/// (n,) sums over modes (3, n, modes) of intensity times density with which neutrons meet them, 1/meV. `share` (n, 24)
/// probability times factor; `ends` (n, 2), `solved` (n, 3) as of `paths`; `energy` (n, 2) of the neutron at tau = 0 and its
/// change. `line`: "narrow", "gaussian", "lorentzian" or "oscillator".
#[pyfunction]
#[pyo3(signature = (*, line, fwhm, ends, solved, share, energy, mode, strength, threads))]
#[allow(clippy::too_many_arguments)]
pub fn met<'py>(
    py: Python<'py>,
    line: &str,
    fwhm: f64,
    ends: PyReadonlyArray2<'py, f64>,
    solved: PyReadonlyArray2<'py, f64>,
    share: PyReadonlyArray2<'py, f64>,
    energy: PyReadonlyArray2<'py, f64>,
    mode: PyReadonlyArray3<'py, f64>,
    strength: PyReadonlyArray3<'py, f64>,
    threads: usize,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let line = match line {
        "narrow" => Line::Narrow,
        "gaussian" => Line::Gaussian { sigma: fwhm / (8.0 * 2.0f64.ln()).sqrt() },
        "lorentzian" => Line::Lorentzian { half: 0.5 * fwhm },
        "oscillator" => Line::Oscillator { gamma: 0.5 * fwhm },
        _ => return Err(PyValueError::new_err("line: expected narrow, gaussian, lorentzian or oscillator")),
    };
    let shape = mode.as_array().dim();
    let (n, modes) = (shape.1, shape.2);
    let ends = ends.as_slice()?.as_chunks::<2>().0;
    let solved = solved.as_slice()?.as_chunks::<3>().0;
    let share = share.as_slice()?.as_chunks::<PIECES>().0;
    let energy = energy.as_slice()?.as_chunks::<2>().0;
    if [ends.len(), solved.len(), share.len(), energy.len()] != [n; 4]
        || strength.as_array().dim() != shape
        || shape.0 != 3
    {
        return Err(PyValueError::new_err("mode, strength: expected (3, n, modes), others n"));
    }
    let (mode, strength) = (mode.as_slice()?, strength.as_slice()?);
    let mut out = vec![0.0; n];
    py.detach(|| {
        for_each(
            threads,
            out.chunks_mut(SOME).enumerate(),
            || (),
            |(), (piece, out)| {
                for (i, out) in out.iter_mut().enumerate() {
                    let i = piece * SOME + i;
                    let rows = |place: usize| (place * n + i) * modes..(place * n + i + 1) * modes;
                    let known = Known { ends: ends[i], solved: solved[i], share: &share[i], energy: energy[i] };
                    *out = path::met(
                        line,
                        &known,
                        [0, 1, 2].map(|place| &mode[rows(place)]),
                        [0, 1, 2].map(|place| &strength[rows(place)]),
                    );
                }
                None::<()>
            },
        );
    });
    Ok(out.into_pyarray(py))
}
