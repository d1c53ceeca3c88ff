//! Python bindings of `insml-core`. No arithmetic here.

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {}
