//! `Model`: a spin model held on the Rust side.

use crate::error::to_python;
use insml_core::form_factor::FormFactor;
use insml_core::lattice::Lattice;
use insml_core::spinwave::{Bond, Site, SpectrumOptions, SpinModel, spectrum};
use insml_core::vec3::{Mat3, Vec3};
use insml_core::{Complex64, Error};
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, ToPyArray};
use pyo3::prelude::*;

pub fn vec3s(array: &PyReadonlyArray2<'_, f64>) -> Vec<Vec3> {
    array.as_array().rows().into_iter().map(|r| [r[0], r[1], r[2]]).collect()
}

pub fn mat3(array: &PyReadonlyArray2<'_, f64>) -> Mat3 {
    let a = array.as_array();
    std::array::from_fn(|i| std::array::from_fn(|j| a[[i, j]]))
}

fn mat3s(array: &PyReadonlyArray3<'_, f64>) -> Vec<Mat3> {
    let a = array.as_array();
    a.outer_iter().map(|m| std::array::from_fn(|i| std::array::from_fn(|j| m[[i, j]]))).collect()
}

#[pyclass(frozen, module = "insml._core")]
pub struct Model {
    pub inner: SpinModel,
}

type SpectrumArrays<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<Complex64>>);

#[pymethods]
impl Model {
    /// Shapes: lattice (3, 3) rows a b c; positions, spins (n, 3); anisotropy, g (n, 3, 3); form_factors one list of
    /// coefficients per site (empty: none); bond_sites (nb, 2); bond_cells (nb, 3); exchange (nb, 3, 3); field (3,).
    #[new]
    #[pyo3(signature = (*, lattice, supercell, positions, spins, anisotropy, g, form_factors, bond_sites, bond_cells, exchange, field))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        lattice: PyReadonlyArray2<'_, f64>,
        supercell: [u32; 3],
        positions: PyReadonlyArray2<'_, f64>,
        spins: PyReadonlyArray2<'_, f64>,
        anisotropy: PyReadonlyArray3<'_, f64>,
        g: PyReadonlyArray3<'_, f64>,
        form_factors: Vec<Vec<f64>>,
        bond_sites: PyReadonlyArray2<'_, i64>,
        bond_cells: PyReadonlyArray2<'_, i64>,
        exchange: PyReadonlyArray3<'_, f64>,
        field: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<Self> {
        let fail = |e: Error| to_python(py, e);
        let (positions, spins) = (vec3s(&positions), vec3s(&spins));
        let (anisotropy, g, exchange) = (mat3s(&anisotropy), mat3s(&g), mat3s(&exchange));
        let mut sites = Vec::with_capacity(positions.len());
        for i in 0..positions.len() {
            let form_factor = if form_factors[i].is_empty() {
                None
            } else {
                Some(FormFactor::new(&form_factors[i]).ok_or_else(|| {
                    fail(Error::Model(format!("sites[{i}].ff: expected an odd number of finite coefficients")))
                })?)
            };
            sites.push(Site {
                position: positions[i],
                spin: spins[i],
                anisotropy: anisotropy[i],
                g: g[i],
                form_factor,
            });
        }
        let (ends, cells) = (bond_sites.as_array(), bond_cells.as_array());
        let bonds = (0..exchange.len())
            .map(|b| Bond {
                i: usize::try_from(ends[[b, 0]]).unwrap_or(usize::MAX),
                j: usize::try_from(ends[[b, 1]]).unwrap_or(usize::MAX),
                dl: std::array::from_fn(|a| cells[[b, a]] as i32),
                exchange: exchange[b],
            })
            .collect();
        let f = field.as_array();
        let inner = SpinModel {
            lattice: Lattice::new(mat3(&lattice)).map_err(fail)?,
            supercell,
            sites,
            bonds,
            field: [f[0], f[1], f[2]],
        };
        inner.validate().map_err(fail)?;
        Ok(Self { inner })
    }

    /// Flat (energy, intensity, tensor) for q (nq, 3); modes run fastest. Tensor is empty unless asked for.
    #[pyo3(signature = (q, *, form_factor, g_tensor, tensor, threads))]
    fn spectrum<'py>(
        &self,
        py: Python<'py>,
        q: PyReadonlyArray2<'py, f64>,
        form_factor: bool,
        g_tensor: bool,
        tensor: bool,
        threads: usize,
    ) -> PyResult<SpectrumArrays<'py>> {
        let q = vec3s(&q);
        let options = SpectrumOptions { form_factor, g_tensor, tensor, threads };
        let s = py.detach(|| spectrum(&self.inner, &q, options)).map_err(|e| to_python(py, e))?;
        Ok((s.energy.to_pyarray(py), s.intensity.to_pyarray(py), s.tensor.to_pyarray(py)))
    }
}
