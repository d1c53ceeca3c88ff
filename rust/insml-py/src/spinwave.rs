//! `Model`: a spin model held on the Rust side.

use crate::error::to_python;
use insml_core::form_factor::FormFactor;
use insml_core::lattice::Lattice;
use insml_core::spinwave::blocks::Splitting;
use insml_core::spinwave::{Biquadratic, Bond, Compiled, Rotation, Site, SpectrumOptions, SpinModel, modes};
use insml_core::vec3::{Mat3, Vec3};
use insml_core::{Complex64, Error};
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3,
};
use pyo3::prelude::*;

pub fn vec3s(array: &PyReadonlyArray2<'_, f64>) -> Vec<Vec3> {
    array.as_array().rows().into_iter().map(|r| [r[0], r[1], r[2]]).collect()
}

/// Rows of a C-ordered (n, 3) array, in place.
pub fn rows<'a>(array: &'a PyReadonlyArray2<'_, f64>) -> PyResult<&'a [Vec3]> {
    Ok(array.as_slice()?.as_chunks::<3>().0)
}

pub fn mat3(array: &PyReadonlyArray2<'_, f64>) -> Mat3 {
    let a = array.as_array();
    std::array::from_fn(|i| std::array::from_fn(|j| a[[i, j]]))
}

fn mat3s(array: &PyReadonlyArray3<'_, f64>) -> Vec<Mat3> {
    let a = array.as_array();
    a.outer_iter().map(|m| std::array::from_fn(|i| std::array::from_fn(|j| m[[i, j]]))).collect()
}

/// (i, j, dl) of each row; a negative index becomes one that the core refuses.
fn links<'a>(
    sites: &'a PyReadonlyArray2<'_, i64>,
    cells: &'a PyReadonlyArray2<'_, i64>,
) -> impl Iterator<Item = (usize, usize, [i32; 3])> + 'a {
    let index = |x: i64| usize::try_from(x).unwrap_or(usize::MAX);
    let (sites, cells) = (sites.as_array(), cells.as_array());
    (0..sites.nrows())
        .map(move |b| (index(sites[[b, 0]]), index(sites[[b, 1]]), std::array::from_fn(|a| cells[[b, a]] as i32)))
}

#[pyclass(frozen, module = "insml._core")]
pub struct Model {
    pub inner: Compiled,
}

/// Modes, order, kind, real.
type BlockTuple = (usize, usize, &'static str, bool);
type ModeArrays<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray3<Complex64>>);
type SpectrumArrays<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<Complex64>>);

#[pymethods]
impl Model {
    /// Shapes: lattice (3, 3) rows a b c; positions, spins (n, 3); anisotropy, g (n, 3, 3); form_factors one list of
    /// coefficients per site (empty: none); bond_sites (nb, 2); bond_cells (nb, 3); exchange (nb, 3, 3); field (3,).
    /// `like` is a model whose blocks are tried first.
    #[new]
    #[pyo3(signature = (*, lattice, supercell, positions, spins, anisotropy, g, form_factors, bond_sites, bond_cells, exchange, biquadratic_sites, biquadratic_cells, biquadratic, field, like, rotating))]
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
        biquadratic_sites: PyReadonlyArray2<'_, i64>,
        biquadratic_cells: PyReadonlyArray2<'_, i64>,
        biquadratic: PyReadonlyArray1<'_, f64>,
        field: PyReadonlyArray1<'_, f64>,
        like: Option<PyRef<'_, Self>>,
        rotating: Option<([f64; 3], [f64; 3])>,
    ) -> PyResult<Self> {
        let fail = |e: Error| to_python(py, e);
        let (positions, spins) = (vec3s(&positions), vec3s(&spins));
        let (anisotropy, g, exchange) = (mat3s(&anisotropy), mat3s(&g), mat3s(&exchange));
        let mut sites: Vec<Site> = Vec::with_capacity(positions.len());
        for i in 0..positions.len() {
            // equal ions share one table
            let form_factor = match form_factors[..i].iter().position(|f| *f == form_factors[i]) {
                Some(known) => sites[known].form_factor.clone(),
                None if form_factors[i].is_empty() => None,
                None => Some(FormFactor::new(&form_factors[i]).ok_or_else(|| {
                    fail(Error::Model(format!("sites[{i}].ff: expected an odd number of finite coefficients")))
                })?),
            };
            sites.push(Site {
                position: positions[i],
                spin: spins[i],
                anisotropy: anisotropy[i],
                g: g[i],
                form_factor,
            });
        }
        let bonds = links(&bond_sites, &bond_cells)
            .zip(exchange)
            .map(|((i, j, dl), exchange)| Bond { i, j, dl, exchange })
            .collect();
        let biquadratic = links(&biquadratic_sites, &biquadratic_cells)
            .zip(biquadratic.as_array())
            .map(|((i, j, dl), &b)| Biquadratic { i, j, dl, b })
            .collect();
        let f = field.as_array();
        let inner = SpinModel {
            lattice: Lattice::new(mat3(&lattice)).map_err(fail)?,
            supercell,
            sites,
            bonds,
            biquadratic,
            field: [f[0], f[1], f[2]],
            rotation: rotating.map(|(k, n)| Rotation { k, n }),
        };
        Ok(Self { inner: Compiled::like(inner, like.as_ref().map(|m| &m.inner)).map_err(fail)? })
    }

    /// Flat (energy, intensity, tensor) for q (nq, 3); modes run fastest. Tensor is empty unless asked for.
    #[pyo3(signature = (q, *, form_factor, g_tensor, tensor, general, blocks, threads))]
    #[allow(clippy::too_many_arguments)]
    fn spectrum<'py>(
        &self,
        py: Python<'py>,
        q: PyReadonlyArray2<'py, f64>,
        form_factor: bool,
        g_tensor: bool,
        tensor: bool,
        general: bool,
        blocks: bool,
        threads: usize,
    ) -> PyResult<SpectrumArrays<'py>> {
        let q = rows(&q)?;
        let options = SpectrumOptions { form_factor, g_tensor, tensor, general, blocks, threads };
        let s = py.detach(|| self.inner.spectrum(q, options)).map_err(|e| to_python(py, e))?;
        Ok((s.energy.into_pyarray(py), s.intensity.into_pyarray(py), s.tensor.into_pyarray(py)))
    }

    /// Blocks of the fast path, one by one: modes, order of the eigenproblem, "particles", "mirror" or "pairs", and whether
    /// it is real. None where h is solved as a whole.
    fn blocks(&self, py: Python<'_>) -> PyResult<Option<Vec<BlockTuple>>> {
        let found = py.detach(|| self.inner.splitting()).map_err(|e| to_python(py, e))?;
        let with_modes = |s: &Splitting| {
            s.blocks
                .iter()
                .filter(|b| b.particles > 0)
                .map(|b| (b.particles, b.order(), b.kind.name(), b.real))
                .collect()
        };
        Ok(found.map(with_modes))
    }

    /// Modes per wave vector.
    #[getter]
    fn modes(&self) -> usize {
        self.inner.model.modes()
    }

    /// (nq, 2 n, 2 n) quadratic boson form h at q (nq, 3), r.l.u. of the chemical cell.
    fn hamiltonian<'py>(
        &self,
        py: Python<'py>,
        q: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray3<Complex64>>> {
        let (hamiltonian, q) = (&self.inner.hamiltonian, vec3s(&q));
        let size = 2 * hamiltonian.n();
        let flat = hamiltonian.matrices(&q);
        flat.into_pyarray(py).reshape([q.len(), size, size])
    }

    /// Energies (nq, n) of the positive modes and their columns of T as rows (nq, n, 2 n).
    fn bogoliubov<'py>(&self, py: Python<'py>, q: PyReadonlyArray2<'py, f64>) -> PyResult<ModeArrays<'py>> {
        let hamiltonian = &self.inner.hamiltonian;
        let (q, n) = (vec3s(&q), hamiltonian.n());
        let (energies, t) = py.detach(|| modes(hamiltonian, &q)).map_err(|e| to_python(py, e))?;
        Ok((energies.into_pyarray(py).reshape([q.len(), n])?, t.into_pyarray(py).reshape([q.len(), n, 2 * n])?))
    }
}
