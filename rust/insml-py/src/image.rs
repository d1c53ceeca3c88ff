//! `instrument_image`: spin waves through a whole instrument, on the bins of a mosaic.

use crate::error::to_python;
use crate::spinwave::{Model, mat3, rows, vec3s};
use insml_core::convolution::footprint::{Footprint, Spread};
use insml_core::convolution::forward::{ForwardImage as Core, ForwardSlice};
use insml_core::convolution::image::{Evaluation, ImageRequest, ImageSlice, image};
use insml_core::convolution::kernel::TimingKernel;
use insml_core::convolution::sheet::Raster;
use insml_core::convolution::slice::{Domain, Slice};
use insml_core::convolution::third::Kinematics;
use insml_core::lattice::Lattice;
use insml_core::vec3::Vec3;
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, ToPyArray};
use pyo3::prelude::*;

type Kernel<'py> = ((f64, f64), (f64, f64), PyReadonlyArray3<'py, f32>, [f64; 3]);
/// Window, ei, third coordinates (bins, 3), along kf (bins, 3), along ki, kernel.
type PySlice<'py> = ((f64, f64), f64, PyReadonlyArray2<'py, f64>, PyReadonlyArray2<'py, f64>, Vec3, Kernel<'py>);
type Domains<'py> = Vec<(Py<Model>, PyReadonlyArray2<'py, f64>, f64)>;

fn slice(s: &PySlice<'_>) -> PyResult<Slice> {
    let (window, ei, thirds, along_kf, along_ki, (beta, x, cumulative, variance)) = s;
    Ok(Slice {
        window: *window,
        ei: *ei,
        thirds: rows(thirds)?.to_vec(),
        along_kf: vec3s(along_kf),
        along_ki: *along_ki,
        kernel: TimingKernel::new(*beta, *x, cumulative.as_array().dim(), cumulative.as_slice()?, *variance),
    })
}

fn core_domains<'a>(domains: &'a Domains<'_>) -> Vec<Domain<'a>> {
    let one = |(model, map, weight): &'a (Py<Model>, PyReadonlyArray2<'_, f64>, f64)| Domain {
        model: &model.get().inner,
        map: mat3(map),
        weight: *weight,
    };
    domains.iter().map(one).collect()
}

/// Images of one instrument on one layout, ready for any model.
#[pyclass(frozen)]
pub struct ForwardImage {
    inner: Core,
}

#[pymethods]
impl ForwardImage {
    /// Bins are those of the layout with a margin around; slices with deviations (3 bins, variables) of the layout's own
    /// bins. `points` (samples, variables): draws of the variables.
    #[new]
    #[pyo3(signature = (*, bins, margin, first, widths, cells, vectors, slices, points))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        bins: [usize; 2],
        margin: [usize; 2],
        first: [f64; 2],
        widths: [f64; 2],
        cells: usize,
        vectors: [Vec3; 3],
        slices: Vec<(PySlice<'_>, PyReadonlyArray2<'_, f64>)>,
        points: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<Self> {
        let variables = points.as_array().ncols();
        let slices = slices
            .iter()
            .map(|(s, deviations)| {
                let spread = Spread {
                    bins,
                    margin,
                    widths,
                    cells,
                    rows: deviations.as_slice()?,
                    points: points.as_slice()?,
                    variables,
                };
                Ok(ForwardSlice { slice: slice(s)?, footprint: Footprint::new(&spread) })
            })
            .collect::<PyResult<Vec<_>>>()?;
        Ok(Self { inner: Core { raster: Raster { bins, margin, first, widths, cells, vectors }, slices } })
    }

    /// Flat image (slices, axis 0, axis 1), or None where modes do not come in blocks that depend on axes 0 and 1 alone.
    #[pyo3(signature = (domains, *, form_factor, threads))]
    fn intensities<'py>(
        &self,
        py: Python<'py>,
        domains: Domains<'py>,
        form_factor: bool,
        threads: usize,
    ) -> PyResult<Option<Bound<'py, PyArray1<f64>>>> {
        let domains = core_domains(&domains);
        let found =
            py.detach(|| self.inner.intensities(&domains, form_factor, threads)).map_err(|e| to_python(py, e))?;
        Ok(found.map(|x| x.to_pyarray(py)))
    }
}

/// Flat image (slices, axis 0, axis 1), or None where the modes do not come in blocks that depend on two components alone.
/// Domains: (model, map of hkl (3, 3), weight). Slices: (window, ei, third coordinates (bins, 3), along kf (bins, 3), along
/// ki, kernel ((first, step) of beta and of the argument, cumulative, variance)), each with deviations (3 bins, variables).
/// `grid_step` None: every sample exact.
#[pyfunction]
#[pyo3(signature = (*, domains, centres, widths, vectors, slices, points, gaussians, smooth, cells, seed, grid_step, form_factor, threads))]
#[allow(clippy::too_many_arguments)]
pub fn instrument_image<'py>(
    py: Python<'py>,
    domains: Domains<'py>,
    centres: [PyReadonlyArray1<'py, f64>; 2],
    widths: [PyReadonlyArray1<'py, f64>; 2],
    vectors: [Vec3; 3],
    slices: Vec<(PySlice<'py>, PyReadonlyArray2<'py, f64>)>,
    points: PyReadonlyArray2<'py, u32>,
    gaussians: usize,
    smooth: f64,
    cells: u32,
    seed: u64,
    grid_step: Option<f64>,
    form_factor: bool,
    threads: usize,
) -> PyResult<Option<Bound<'py, PyArray1<f64>>>> {
    let slices = slices
        .iter()
        .map(|(s, deviations)| Ok(ImageSlice { slice: slice(s)?, rows: deviations.as_slice()?.to_vec() }))
        .collect::<PyResult<Vec<_>>>()?;
    let domains = core_domains(&domains);
    let request = ImageRequest {
        centres: [centres[0].as_slice()?, centres[1].as_slice()?],
        widths: [widths[0].as_slice()?, widths[1].as_slice()?],
        vectors,
        slices: &slices,
        variables: points.as_array().ncols() - 2,
        points: points.as_slice()?,
        gaussians,
        smooth,
        cells,
        seed,
        form_factor,
        threads,
    };
    let evaluation = grid_step.map_or(Evaluation::Exact, |step| Evaluation::Table { step });
    let found = py.detach(|| image(&domains, &request, evaluation)).map_err(|e| to_python(py, e))?;
    Ok(found.map(|x| x.to_pyarray(py)))
}

/// Third coordinate of each in-plane hkl (n, 3) at each energy transfer, (n, energies) flat; NaN out of reach.
#[pyfunction]
#[pyo3(signature = (*, lattice, beam, third, hkl, ei, energy))]
pub fn kinematic_third<'py>(
    py: Python<'py>,
    lattice: PyReadonlyArray2<'py, f64>,
    beam: Vec3,
    third: Vec3,
    hkl: PyReadonlyArray2<'py, f64>,
    ei: f64,
    energy: Vec<f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let lattice = Lattice::new(mat3(&lattice)).map_err(|e| to_python(py, e))?;
    let kinematics = Kinematics::new(&lattice, &beam, &third);
    let found: Vec<f64> = rows(&hkl)?
        .iter()
        .flat_map(|q| {
            let plane = lattice.q_cartesian(q);
            let kinematics = &kinematics;
            energy.iter().map(move |e| kinematics.coordinate(&plane, ei, *e).unwrap_or(f64::NAN))
        })
        .collect();
    Ok(found.to_pyarray(py))
}
