//! A spin model as the user means it: cell, sites, bonds, field.

use crate::error::{Error, Result};
use crate::form_factor::FormFactor;
use crate::lattice::Lattice;
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

#[derive(Clone, Debug)]
pub struct SpinModel {
    pub lattice: Lattice,
    /// Magnetic cell = n1 a x n2 b x n3 c.
    pub supercell: [u32; 3],
    pub sites: Vec<Site>,
    pub bonds: Vec<Bond>,
    /// Tesla, Cartesian.
    pub field: Vec3,
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
        for (index, bond) in self.bonds.iter().enumerate() {
            let n = self.sites.len();
            if bond.i >= n || bond.j >= n {
                return fail(format!(
                    "bonds[{index}]: expected site indices below {n}, found {} and {}",
                    bond.i, bond.j
                ));
            }
            if bond.i == bond.j && bond.dl == [0, 0, 0] {
                return fail(format!(
                    "bonds[{index}]: expected two different spins, found a bond of site {} to itself",
                    bond.i
                ));
            }
            if !bond.exchange.as_flattened().iter().all(|x| x.is_finite()) {
                return fail(format!("bonds[{index}].J: expected finite numbers, found NaN or infinity"));
            }
        }
        if !self.field.iter().all(|x| x.is_finite()) {
            return fail(format!("field: expected finite numbers, found {:?}", self.field));
        }
        Ok(())
    }

    pub fn cells(&self) -> f64 {
        self.supercell.iter().map(|&n| f64::from(n)).product()
    }
}
