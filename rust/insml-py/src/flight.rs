//! `flights`: true (h, k, l, E) of drawn flights.

use crate::spinwave::mat3;
use insml_core::convolution::flight::{Counted, Flights, Joint, Mosaic, QUANTILES, Quantiles};
use insml_core::instrument::{DEVIATIONS, Rows};
use insml_core::sobol::{Generator, MAX_DIMENSIONS, Points};
use numpy::{IntoPyArray, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Table<'py> =
    (PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, f64>, PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, f64>);

type Turns<'py> = ([f64; 3], PyReadonlyArray1<'py, f64>, PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, f64>);

fn joint<'a>(table: &'a Table<'_>) -> PyResult<Joint<'a>> {
    let (s, x, density, area) = (table.0.as_slice()?, table.1.as_slice()?, table.2.as_slice()?, table.3.as_slice()?);
    if s.len() < 2 || x.len() < 2 || [density.len(), area.len()] != [s.len() * x.len(); 2] {
        return Err(PyValueError::new_err("table: expected (m,), (n,) and (m, n) twice, at least two of each"));
    }
    Ok(Joint { s, x, density, area })
}

fn quantiles<'a>(table: &'a PyReadonlyArray1<'_, f64>) -> PyResult<Quantiles<'a>> {
    let table = table.as_slice()?;
    let fixed = table
        .try_into()
        .map_err(|_| PyValueError::new_err(format!("quantiles: expected {QUANTILES}, found {}", table.len())))?;
    Ok(Quantiles(fixed))
}

/// Probabilities (4097,) at which `flights` wants quantiles.
#[pyfunction]
pub fn probabilities(py: Python<'_>) -> Bound<'_, numpy::PyArray1<f64>> {
    Quantiles::probabilities().into_pyarray(py)
}

/// (4, n, samples) true h, k, l, E of n pixels of one run: `centre` (n, 4) moved by `rows` (n, 4, 11) times deviations.
/// `dimensions`: of the draws for the eleven deviations and three angles of the mosaic. Deviations are uniform of `full`
/// (n, 11), or follow `quantiles` (column, (4097,)), or are zero. `times`, `tube`: (m,), (n,), density and areas (m, n)
/// of deviation 3 given 0, and of the angle at which a tube is met; `tube` then diameters in absorption lengths and
/// inner radii (n,). `mosaic`: sigmas, quantiles of a Gaussian, r.l.u. to the sample's axes and back.
#[pyfunction]
#[pyo3(signature = (
    *, seed, pixels, samples, sobol, dimensions, centre, rows, full, quantiles, times, tube, mosaic, threads
))]
#[allow(clippy::too_many_arguments)]
pub fn flights<'py>(
    py: Python<'py>,
    seed: u64,
    pixels: PyReadonlyArray1<'py, u64>,
    samples: usize,
    sobol: bool,
    dimensions: [usize; DEVIATIONS + 3],
    centre: PyReadonlyArray2<'py, f64>,
    rows: PyReadonlyArray3<'py, f64>,
    full: PyReadonlyArray2<'py, f64>,
    quantiles: Vec<(usize, PyReadonlyArray1<'py, f64>)>,
    times: Option<Table<'py>>,
    tube: Option<(Table<'py>, PyReadonlyArray1<'py, f64>, PyReadonlyArray1<'py, f64>)>,
    mosaic: Option<Turns<'py>>,
    threads: usize,
) -> PyResult<Bound<'py, PyArray3<f64>>> {
    let wrong = |what: &str| PyValueError::new_err(what.to_string());
    if dimensions.iter().any(|d| *d >= MAX_DIMENSIONS) || quantiles.iter().any(|(c, _)| *c >= DEVIATIONS) {
        return Err(wrong("dimensions, quantiles: expected dimensions and columns that exist"));
    }
    let pixels = pixels.as_slice()?;
    let centre = centre.as_slice()?.as_chunks::<4>().0;
    let full = full.as_slice()?.as_chunks::<DEVIATIONS>().0;
    let rows = rows.as_slice()?.as_chunks::<DEVIATIONS>().0.as_chunks::<4>().0;
    let rows: &[Rows<4>] = rows;
    let each =
        tube.as_ref().map(|(_, alpha, radius)| Ok::<_, PyErr>((alpha.as_slice()?, radius.as_slice()?))).transpose()?;
    let n = pixels.len();
    if [centre.len(), full.len(), rows.len()] != [n; 3]
        || each.is_some_and(|(alpha, radius)| [alpha.len(), radius.len()] != [n; 2])
    {
        return Err(wrong("pixels, centre, rows, full, tube: expected one length"));
    }
    let flights = Flights {
        dimensions,
        quantiles: quantiles.iter().map(|(c, table)| Ok((*c, self::quantiles(table)?))).collect::<PyResult<_>>()?,
        times: times.as_ref().map(joint).transpose()?,
        tube: tube.as_ref().map(|(table, _, _)| joint(table)).transpose()?,
        mosaic: mosaic
            .as_ref()
            .map(|(sigma, normal, frame, inverse)| {
                let normal = self::quantiles(normal)?;
                Ok::<_, PyErr>(Mosaic { sigma: *sigma, normal, frame: mat3(frame), inverse: mat3(inverse) })
            })
            .transpose()?,
    };
    let out = py.detach(|| {
        let count = 1 + dimensions.iter().max().expect("fourteen");
        let points = Points::new(if sobol { Generator::Sobol } else { Generator::Random }, seed, samples, count);
        let pixel = |i: usize| Counted {
            address: pixels[i],
            centre: &centre[i],
            rows: &rows[i],
            full: &full[i],
            tube: each.map_or([0.0; 2], |(alpha, radius)| [alpha[i], radius[i]]),
        };
        flights.all(&points, n, pixel, threads)
    });
    out.into_pyarray(py).reshape([4, n, samples])
}
