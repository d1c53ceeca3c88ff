//! `ModeTable`: modes of one domain over a period of the wave vector.

use crate::error::to_python;
use crate::spinwave::{Model, rows};
use insml_core::spinwave::Amplitudes;
use insml_core::table::Modes;
use insml_core::table::periodic::PeriodicTable;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

type Arrays<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

#[pyclass(frozen)]
pub struct ModeTable {
    model: Py<Model>,
    amplitudes: Amplitudes,
    inner: PeriodicTable,
}

#[pymethods]
impl ModeTable {
    /// None where modes do not come in blocks that depend on two components of the wave vector alone.
    #[staticmethod]
    #[pyo3(signature = (model, *, step, limit, form_factor, threads))]
    fn build(
        py: Python<'_>,
        model: Py<Model>,
        step: f64,
        limit: usize,
        form_factor: bool,
        threads: usize,
    ) -> PyResult<Option<Self>> {
        let compiled = &model.get().inner;
        let amplitudes = Amplitudes::new(&compiled.model, &compiled.hamiltonian, form_factor, false);
        let built = py
            .detach(|| match Modes::new(compiled, &amplitudes)? {
                Some(modes) => PeriodicTable::build(&modes, step, limit, threads).map(Some),
                None => Ok(None),
            })
            .map_err(|e| to_python(py, e))?;
        Ok(built.map(|inner| Self { model, amplitudes, inner }))
    }

    /// Nodes along both components, and their distance.
    #[getter]
    fn nodes(&self) -> ([usize; 2], [f64; 2]) {
        (self.inner.table.grid.count.map(|n| n - 1), self.inner.table.grid.step)
    }

    #[getter]
    fn nbytes(&self) -> usize {
        4 * (self.inner.table.energies.len() + self.inner.table.products.len())
    }

    /// Energies and S_perp, (q, modes) flat.
    #[pyo3(signature = (q, *, threads))]
    fn spectrum<'py>(&self, py: Python<'py>, q: PyReadonlyArray2<'py, f64>, threads: usize) -> PyResult<Arrays<'py>> {
        let compiled = &self.model.get().inner;
        let q = rows(&q)?;
        let found = py
            .detach(|| {
                let Some(modes) = Modes::new(compiled, &self.amplitudes)? else { return Ok(Default::default()) };
                let mut energies = vec![0.0; q.len() * modes.count];
                let mut intensities = energies.clone();
                let lattice = &compiled.model.lattice;
                self.inner.spectrum(&modes, lattice, q, &mut energies, &mut intensities, threads);
                Ok((energies, intensities))
            })
            .map_err(|e| to_python(py, e))?;
        Ok((found.0.into_pyarray(py), found.1.into_pyarray(py)))
    }
}
