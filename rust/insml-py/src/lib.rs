//! Python bindings of `insml-core`: convert, call, wrap. No arithmetic here.

mod corruption;
mod derivative;
mod error;
mod flight;
mod image;
mod instrument;
mod mosaic;
mod path;
mod pixels;
mod sobol;
mod spinwave;
mod standard_form;
mod table;
mod watched;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {
    use super::*;

    #[pymodule_export]
    use super::corruption::{add_structure, counting_noise, displaced};
    #[pymodule_export]
    use super::derivative::{broadened, gradient};
    #[pymodule_export]
    use super::flight::{flights, probabilities};
    #[pymodule_export]
    use super::image::{ForwardImage, instrument_image, kinematic_third};
    #[pymodule_export]
    use super::instrument::linear_map;
    #[pymodule_export]
    use super::mosaic::convolve_mosaic;
    #[pymodule_export]
    use super::path::{met, paths};
    #[pymodule_export]
    use super::pixels::{Generator, RunGeometry, Target, accumulate, arrange, candidates, pixel_limits};
    #[pymodule_export]
    use super::sobol::draws;
    #[pymodule_export]
    use super::spinwave::Model;
    #[pymodule_export]
    use super::standard_form::{fold, standardise};
    #[pymodule_export]
    use super::table::ModeTable;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
