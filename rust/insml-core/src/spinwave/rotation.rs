//! One propagation vector in a rotating frame (Toth and Lake, J. Phys.: Condens. Matter 27, 166002 (2015), section 4).
//!
//! The spin of site i in the magnetic cell l is R_n(2 pi k.l) S_i. In axes that turn along, couplings become J R and h is
//! again periodic; R_n(phi) = e^{i phi} R1 + n n + e^{-i phi} R1^* with R1 = (1 - n n - i [n]x)/2 gives
//!   S(Q) = R1 S'(Q - k) + n n S'(Q) + R1^* S'(Q + k),
//! so the modes at Q come from three wave vectors, each with a projected amplitude. Where 2k is a reciprocal lattice
//! vector the outer two are one, with projector 1 - n n; where k is one, nothing turns.

use crate::error::{Error, Result};
use crate::spinwave::model::SpinModel;
use crate::vec3::{CVec3, Mat3, Vec3, dot, mat_mul, mat_vec, symmetrised};
use num_complex::Complex64;
use std::f64::consts::TAU;

/// Relative size of a part of a coupling that does not commute with the rotation.
const TOLERANCE: f64 = 1e-6;

#[derive(Clone, Debug)]
pub struct Rotation {
    /// r.l.u. of the chemical cell.
    pub k: Vec3,
    /// Unit vector.
    pub n: Vec3,
}

/// What a block of modes contributes at Q: its wave vector is Q + shift, its amplitude is projected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Projector {
    Whole,
    /// n n
    Along(Vec3),
    /// 1 - n n
    Across(Vec3),
    /// (1 - n n - i s [n]x)/2 with the sign s
    Circular(Vec3, f64),
}

impl Projector {
    pub fn apply(&self, v: &CVec3) -> CVec3 {
        let along = |n: &Vec3| v[0] * n[0] + v[1] * n[1] + v[2] * n[2];
        match self {
            Self::Whole => *v,
            Self::Along(n) => {
                let c = along(n);
                n.map(|x| c * x)
            }
            Self::Across(n) => {
                let c = along(n);
                std::array::from_fn(|a| v[a] - c * n[a])
            }
            Self::Circular(n, sign) => {
                let c = along(n);
                std::array::from_fn(|a| {
                    let (b, d) = ((a + 1) % 3, (a + 2) % 3);
                    let turned = v[d] * n[b] - v[b] * n[d];
                    0.5 * (v[a] - c * n[a] - Complex64::I * *sign * turned)
                })
            }
        }
    }
}

fn is_whole(v: &Vec3) -> bool {
    v.iter().all(|x| (x - x.round()).abs() < 1e-9)
}

impl Rotation {
    fn magnetic(&self, model: &SpinModel) -> Vec3 {
        std::array::from_fn(|a| self.k[a] * f64::from(model.supercell[a]))
    }

    /// Blocks of modes as (shift of the wave vector in r.l.u. of the chemical cell, projector).
    pub fn blocks(&self, model: &SpinModel) -> Vec<(Vec3, Projector)> {
        let k = self.magnetic(model);
        let (n, back) = (self.n, self.k.map(|x| -x));
        if is_whole(&k) {
            vec![([0.0; 3], Projector::Whole)]
        } else if is_whole(&k.map(|x| 2.0 * x)) {
            vec![([0.0; 3], Projector::Along(n)), (self.k, Projector::Across(n))]
        } else {
            vec![
                (back, Projector::Circular(n, 1.0)),
                ([0.0; 3], Projector::Along(n)),
                (self.k, Projector::Circular(n, -1.0)),
            ]
        }
    }

    /// R_n(2 pi k.l), l in magnetic cells.
    pub fn matrix(&self, model: &SpinModel, l: &[i32; 3]) -> Mat3 {
        let turns = dot(&self.magnetic(model), &l.map(f64::from));
        let (s, c) = (TAU * turns).sin_cos();
        let n = &self.n;
        let cross = [[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]];
        std::array::from_fn(|a| {
            std::array::from_fn(|b| {
                let eye = f64::from(u8::from(a == b));
                c * eye + s * cross[a][b] + (1.0 - c) * n[a] * n[b]
            })
        })
    }

    /// Every coupling must look the same from all cells: commute with the rotations that occur.
    pub fn check_invariance(&self, model: &SpinModel) -> Result<()> {
        let k = self.magnetic(model);
        if is_whole(&k) {
            return Ok(());
        }
        // a half turn where 2k is a reciprocal lattice vector; else a generic angle stands for all
        let half = is_whole(&k.map(|x| 2.0 * x));
        let probe = Self { k: [if half { 0.5 } else { 0.19 }, 0.0, 0.0], n: self.n };
        let mut single = model.clone();
        single.supercell = [1; 3];
        let r = probe.matrix(&single, &[1, 0, 0]);
        let size = |m: &Mat3| m.as_flattened().iter().fold(0.0f64, |a, x| a.max(x.abs()));
        let broken = |m: &Mat3| {
            let (rm, mr) = (mat_mul(&r, m), mat_mul(m, &r));
            let off: Mat3 = std::array::from_fn(|a| std::array::from_fn(|b| rm[a][b] - mr[a][b]));
            size(&off) > TOLERANCE * size(m)
        };
        let fail = |term: String| {
            Err(Error::Model(format!(
                "{term}: expected a coupling that is invariant under {} n = ({:.6}, {:.6}, {:.6}), as a structure with \
                 propagation vector k needs, found one that is not; a supercell has no such limit",
                if half { "the half turn about" } else { "rotations about" },
                self.n[0],
                self.n[1],
                self.n[2]
            )))
        };
        for (index, bond) in model.bonds.iter().enumerate() {
            if broken(&bond.exchange) {
                return fail(format!("bonds[{index}].J between sites {} and {}", bond.i, bond.j));
            }
        }
        for (index, site) in model.sites.iter().enumerate() {
            if broken(&symmetrised(&site.anisotropy)) {
                return fail(format!("sites[{index}].aniso"));
            }
            let pull = mat_vec(&symmetrised(&site.g), &model.field);
            let turned = mat_vec(&r, &pull);
            let off = (0..3).fold(0.0f64, |m, a| m.max((turned[a] - pull[a]).abs()));
            if off > TOLERANCE * pull.iter().fold(0.0f64, |m, x| m.max(x.abs())) {
                return fail(format!("field with sites[{index}].g"));
            }
        }
        Ok(())
    }

    /// A g-tensor acts on spins in turning axes only if it commutes with the rotation.
    pub fn check_g(&self, model: &SpinModel) -> Result<()> {
        let mut with_g = model.clone();
        for site in &mut with_g.sites {
            site.anisotropy = site.g;
        }
        with_g.bonds.clear();
        with_g.field = [0.0; 3];
        self.check_invariance(&with_g).map_err(|e| match e {
            Error::Model(text) => Error::Model(text.replace(".aniso", ".g")),
            other => other,
        })
    }
}
