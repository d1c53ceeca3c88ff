//! Neutron amplitudes: per mode one complex three-vector,
//!   amp_a(n) = sum_i sqrt(S_i/2) F_i(|Q|) e^{-2 pi i Q.r_i} [u_i^{a*} T_{i,n} + u_i^a T_{i+N,n}],
//! per square root of chemical cells; S^{ab}_n = conj(amp_a) amp_b (the order of Toth and Lake).

use crate::form_factor::FormFactor;
use crate::spinwave::bogoliubov::Bogoliubov;
use crate::spinwave::hamiltonian::Hamiltonian;
use crate::spinwave::model::SpinModel;
use crate::vec3::{CVec3, Vec3, conj, dot, mat_cvec, symmetrised};
use num_complex::Complex64;
use std::f64::consts::TAU;

/// What turns eigenvectors into amplitudes; compiled once per model.
#[derive(Clone, Debug)]
pub struct Amplitudes {
    /// sqrt(S_i/2) u_i (g u_i when the g-tensor is asked for) over sqrt(cells).
    pub vectors: Vec<CVec3>,
    pub positions: Vec<Vec3>,
    /// Distinct form factors and which one each site has.
    form_factors: Vec<FormFactor>,
    kind: Vec<usize>,
}

impl Amplitudes {
    pub fn new(model: &SpinModel, hamiltonian: &Hamiltonian, form_factor: bool, g_tensor: bool) -> Self {
        let cells = model.cells();
        let vectors = model
            .sites
            .iter()
            .zip(&hamiltonian.frames)
            .map(|(site, frame)| {
                let u = if g_tensor { mat_cvec(&symmetrised(&site.g), &frame.u) } else { frame.u };
                u.map(|x| x * (0.5 * frame.length / cells).sqrt())
            })
            .collect();
        let mut form_factors: Vec<FormFactor> = Vec::new();
        let mut kind = Vec::new();
        for site in &model.sites {
            kind.push(match &site.form_factor {
                Some(f) if form_factor => form_factors.iter().position(|g| g == f).unwrap_or_else(|| {
                    form_factors.push(f.clone());
                    form_factors.len() - 1
                }),
                _ => usize::MAX,
            });
        }
        Self { vectors, positions: hamiltonian.positions.clone(), form_factors, kind }
    }

    pub fn n(&self) -> usize {
        self.vectors.len()
    }

    /// Per mode and site, the part that does not know the zone: u_i^{a*} T_{i,n} + u_i^a T_{i+N,n}, scaled. Layout
    /// (mode, site); `out` has n * n entries.
    pub fn contract(&self, solution: &Bogoliubov, out: &mut [CVec3]) {
        let n = self.n();
        for mode in 0..n {
            let t = &solution.t[mode * 2 * n..(mode + 1) * 2 * n];
            for i in 0..n {
                let u = &self.vectors[i];
                let c = conj(u);
                out[mode * n + i] = std::array::from_fn(|a| c[a] * t[i] + u[a] * t[n + i]);
            }
        }
    }

    /// e^{-2 pi i k.r_i} for every site, k in r.l.u. of the magnetic cell.
    pub fn phases(&self, k: &Vec3, out: &mut [Complex64]) {
        for (slot, r) in out.iter_mut().zip(&self.positions) {
            let angle = -TAU * dot(k, r);
            *slot = Complex64::new(angle.cos(), angle.sin());
        }
    }

    /// The distinct projections of the sites on `k` per unit, and which one each site has: what a move along `k` needs.
    pub fn layers(&self, k: &Vec3) -> (Vec<f64>, Vec<usize>) {
        let mut distinct: Vec<f64> = Vec::new();
        let which = self
            .positions
            .iter()
            .map(|r| {
                let height = dot(k, r);
                distinct.iter().position(|d| (d - height).abs() < 1e-12).unwrap_or_else(|| {
                    distinct.push(height);
                    distinct.len() - 1
                })
            })
            .collect();
        (distinct, which)
    }

    /// <j0>(|Q|) of the distinct ions, |Q|^2 in 1/Angstrom^2.
    pub fn form_factors(&self, q_squared: f64, out: &mut Vec<f64>) {
        out.clear();
        out.extend(self.form_factors.iter().map(|f| f.at(q_squared)));
    }

    /// Number of distinct form factors.
    pub fn ions(&self) -> usize {
        self.form_factors.len()
    }

    /// Which of the distinct ions a site has; None without a form factor.
    pub fn ion(&self, site: usize) -> Option<usize> {
        (self.kind[site] < self.form_factors.len()).then_some(self.kind[site])
    }

    /// <j0> of one site, from the list that `form_factors` filled.
    pub fn form_factor_of(&self, site: usize, factors: &[f64]) -> f64 {
        factors.get(self.kind[site]).copied().unwrap_or(1.0)
    }

    /// F_i(|Q|) e^{-2 pi i Q.r_i} for every site, with k in r.l.u. of the magnetic cell and |Q|^2 in 1/Angstrom^2.
    pub fn weights(&self, k: &Vec3, q_squared: f64, factors: &mut Vec<f64>, out: &mut Vec<Complex64>) {
        self.form_factors(q_squared, factors);
        out.resize(self.n(), Complex64::ZERO);
        self.phases(k, out);
        for (site, weight) in out.iter_mut().enumerate() {
            *weight *= self.form_factor_of(site, factors);
        }
    }
}

/// Sum over sites of contracted eigenvectors and weights: the amplitude of one mode.
pub fn amplitude(contracted: &[CVec3], weights: &[Complex64]) -> CVec3 {
    let mut sum = [Complex64::ZERO; 3];
    for (p, w) in contracted.iter().zip(weights) {
        for a in 0..3 {
            sum[a] += p[a] * w;
        }
    }
    sum
}

/// Unpolarised intensity sum_ab (delta_ab - Qhat_a Qhat_b) S^ab of a rank-one amplitude.
pub fn perpendicular(amplitude: &CVec3, q_hat: &Vec3) -> f64 {
    let total: f64 = amplitude.iter().map(|x| x.norm_sqr()).sum();
    let along = amplitude[0] * q_hat[0] + amplitude[1] * q_hat[1] + amplitude[2] * q_hat[2];
    let across = total - along.norm_sqr();
    // rounding must not make it negative; NaN stays
    if across < 0.0 { 0.0 } else { across }
}
