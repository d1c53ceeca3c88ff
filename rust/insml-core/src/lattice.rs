//! Chemical cell and its reciprocal: Q = 2 pi (a b c)^-T hkl, Cartesian, 1/Angstrom.

use crate::error::{Error, Result};
use crate::vec3::{Mat3, Vec3, inverse, mat_vec, scale, transpose};
use std::f64::consts::TAU;

#[derive(Clone, Debug)]
pub struct Lattice {
    /// Rows a, b, c in Cartesian Angstrom.
    pub vectors: Mat3,
    /// B: Q_cartesian = B hkl.
    pub reciprocal: Mat3,
}

impl Lattice {
    pub fn new(vectors: Mat3) -> Result<Self> {
        let inverse = inverse(&vectors)
            .ok_or_else(|| Error::Model("lattice vectors: expected a cell with a volume, found none".into()))?;
        // rows r_i of `vectors` and columns of its inverse are dual
        let reciprocal = inverse.map(|row| scale(&row, TAU));
        Ok(Self { vectors, reciprocal })
    }

    pub fn q_cartesian(&self, hkl: &Vec3) -> Vec3 {
        mat_vec(&self.reciprocal, hkl)
    }

    /// hkl of a Cartesian Q.
    pub fn hkl(&self, q: &Vec3) -> Vec3 {
        scale(&mat_vec(&self.vectors, q), 1.0 / TAU)
    }

    /// Matrix on hkl for the wave vector seen by a domain that is rotated by `rotation` (Cartesian, acting on the
    /// crystal): Q_domain = rotation^T Q.
    pub fn domain_map(&self, rotation: &Mat3) -> Mat3 {
        let columns: [Vec3; 3] = std::array::from_fn(|j| {
            let mut hkl = [0.0; 3];
            hkl[j] = 1.0;
            self.hkl(&mat_vec(&transpose(rotation), &self.q_cartesian(&hkl)))
        });
        transpose(&columns)
    }
}
