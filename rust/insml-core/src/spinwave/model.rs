//! A spin model as the user means it: cell, sites, bonds, field.

use crate::error::{Error, Result};
use crate::form_factor::FormFactor;
use crate::lattice::Lattice;
use crate::spinwave::rotation::Rotation;
use crate::vec3::{Mat3, Vec3, norm};

/// Bohr magneton, meV/T.
pub const MU_B: f64 = 0.057883818066;

#[derive(Clone, Debug)]
pub struct Site {
    /// Fractional position in the magnetic cell.
    pub position: Vec3,
    /// Classical spin vector, Cartesian, of length S.
    pub spin: Vec3,
    pub anisotropy: Mat3,
    pub g: Mat3,
    pub form_factor: Option<FormFactor>,
}

/// One physical bond, counted once: energy S_i^T J S_j, site j in the magnetic cell `dl` away.
#[derive(Clone, Debug)]
pub struct Bond {
    pub i: usize,
    pub j: usize,
    pub dl: [i32; 3],
    pub exchange: Mat3,
}

/// Energy (b/2) (S_i.S_j)^2 of one physical bond.
#[derive(Clone, Debug)]
pub struct Biquadratic {
    pub i: usize,
    pub j: usize,
    pub dl: [i32; 3],
    pub b: f64,
}

#[derive(Clone, Debug)]
pub struct SpinModel {
    pub lattice: Lattice,
    /// Magnetic cell = n1 a x n2 b x n3 c.
    pub supercell: [u32; 3],
    pub sites: Vec<Site>,
    pub bonds: Vec<Bond>,
    pub biquadratic: Vec<Biquadratic>,
    /// Tesla, Cartesian.
    pub field: Vec3,
    /// Spins turn from cell to cell; None: the magnetic cell repeats.
    pub rotation: Option<Rotation>,
}

impl SpinModel {
    /// Checks indices, lengths and finiteness.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::Model(message));
        if self.sites.is_empty() {
            return fail("sites: expected at least one, found none".into());
        }
        if self.supercell.contains(&0) {
            return fail(format!("supercell: expected positive integers, found {:?}", self.supercell));
        }
        for (index, site) in self.sites.iter().enumerate() {
            let finite = site.position.iter().chain(&site.spin).chain(site.anisotropy.as_flattened());
            if !finite.chain(site.g.as_flattened()).all(|x| x.is_finite()) {
                return fail(format!("sites[{index}]: expected finite numbers, found NaN or infinity"));
            }
            if norm(&site.spin) < 1e-9 {
                return fail(format!("sites[{index}].spin: expected a vector of length S > 0, found {:?}", site.spin));
            }
        }
        let n = self.sites.len();
        let ends = (self.bonds.iter().enumerate().map(|(index, b)| ("bonds", index, b.i, b.j, b.dl)))
            .chain(self.biquadratic.iter().enumerate().map(|(index, b)| ("biquadratic", index, b.i, b.j, b.dl)));
        for (list, index, i, j, dl) in ends {
            if i >= n || j >= n {
                return fail(format!("{list}[{index}]: expected site indices below {n}, found {i} and {j}"));
            }
            if i == j && dl == [0, 0, 0] {
                return fail(format!(
                    "{list}[{index}]: expected two different spins, found a bond of site {i} to itself"
                ));
            }
        }
        for (index, term) in self.biquadratic.iter().enumerate() {
            if !term.b.is_finite() {
                return fail(format!("biquadratic[{index}].B: expected a finite number, found {}", term.b));
            }
        }
        for (index, bond) in self.bonds.iter().enumerate() {
            if !bond.exchange.as_flattened().iter().all(|x| x.is_finite()) {
                return fail(format!("bonds[{index}].J: expected finite numbers, found NaN or infinity"));
            }
        }
        if !self.field.iter().all(|x| x.is_finite()) {
            return fail(format!("field: expected finite numbers, found {:?}", self.field));
        }
        match &self.rotation {
            Some(rotation) => rotation.check_invariance(self),
            None => Ok(()),
        }
    }

    pub fn cells(&self) -> f64 {
        self.supercell.iter().map(|&n| f64::from(n)).product()
    }

    /// Modes of positive energy per wave vector.
    pub fn modes(&self) -> usize {
        self.sites.len() * self.rotation.as_ref().map_or(1, |r| r.blocks(self).len())
    }
}
