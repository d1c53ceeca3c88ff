//! The core's errors as members of Python's `InsmlError` family.

use insml_core::Error;
use pyo3::prelude::*;

pub fn to_python(py: Python<'_>, error: Error) -> PyErr {
    let made = (|| {
        let errors = py.import("insml.errors")?;
        match &error {
            Error::Unstable { q, lowest_eigenvalue } => {
                errors.getattr("UnstableStructureError")?.call1((q.to_vec(), *lowest_eigenvalue))
            }
            Error::Model(message) => errors.getattr("ModelError")?.call1((message,)),
            Error::Geometry(message) => errors.getattr("GeometryError")?.call1((message,)),
            Error::File(message) | Error::Numerical(message) => errors.getattr("InsmlError")?.call1((message,)),
            Error::Stopped => errors.getattr("InsmlError")?.call1(("stopped",)),
        }
    })();
    match made {
        Ok(instance) => PyErr::from_value(instance),
        Err(failure) => failure,
    }
}
