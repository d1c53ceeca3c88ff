//! One wave vector with h as a whole.

use crate::error::{Error, Result};
use crate::spinwave::amplitude::Amplitudes;
use crate::spinwave::bogoliubov::Bogoliubov;
use crate::spinwave::derivative::Setting;
use crate::spinwave::derivative::response::Response;
use crate::spinwave::hamiltonian::{Hamiltonian, Term};
use crate::spinwave::rotation::Projector;
use crate::vec3::{CVec3, Vec3, dot};
use faer::{Mat, MatRef, Side};
use num_complex::Complex64;
use std::f64::consts::TAU;

/// dh/dp as what it does to vectors.
pub struct Direction {
    displacements: Vec<Vec3>,
    terms: Vec<Term>,
    /// (site, A part, B part) where not zero.
    local: Vec<(usize, f64, Complex64)>,
}

impl Direction {
    pub fn new(h: &Hamiltonian) -> Self {
        let local = h.diagonal.iter().zip(&h.pairing).enumerate().map(|(i, (&d, &b))| (i, d, b));
        Self {
            displacements: h.displacements.iter().map(|d| d.map(f64::from)).collect(),
            terms: h.terms.iter().filter(|t| t.a != Complex64::ZERO || t.b != Complex64::ZERO).cloned().collect(),
            local: local.filter(|(_, d, b)| *d != 0.0 || *b != Complex64::ZERO).collect(),
        }
    }

    fn phases(&self, k: &Vec3, out: &mut Vec<Complex64>) {
        out.clear();
        out.extend(self.displacements.iter().map(|d| Complex64::from_polar(1.0, TAU * dot(d, k))));
    }

    /// y = (dh/dp) t
    fn apply(&self, phases: &[Complex64], t: &[Complex64], y: &mut [Complex64]) {
        let n = t.len() / 2;
        y.fill(Complex64::ZERO);
        for &(i, d, b) in &self.local {
            y[i] += d * t[i] + b * t[n + i];
            y[n + i] += d * t[n + i] + b.conj() * t[i];
        }
        for term in &self.terms {
            let (i, j, phase) = (term.row, term.column, phases[term.phase]);
            let b = term.b * phase;
            y[i] += term.a * phase * t[j] + b * t[n + j];
            y[n + i] += term.a.conj() * phase * t[n + j];
            y[n + j] += b.conj() * t[i];
        }
    }
}

fn inner(a: &[Complex64], b: &[Complex64]) -> Complex64 {
    a.iter().zip(b).map(|(x, y)| x.conj() * y).sum()
}

/// Scratch of one thread.
pub struct Dense {
    here: Bogoliubov,
    opposite: Bogoliubov,
    /// Columns of T for the modes of negative energy.
    negative: Vec<Complex64>,
    amplitudes: Vec<CVec3>,
    along: Vec<Complex64>,
    /// W_mn, m of positive energy, row by row.
    overlaps: Vec<Complex64>,
    /// What mixing with negative energies does, as a vector for each mode.
    outer: Vec<Complex64>,
    y: Vec<Complex64>,
    phases: Vec<Complex64>,
    factors: Vec<f64>,
    weights: Vec<Complex64>,
}

impl Dense {
    pub fn new(n: usize) -> Self {
        let square = vec![Complex64::ZERO; 2 * n * n];
        Self {
            here: Bogoliubov::new(n),
            opposite: Bogoliubov::new(n),
            negative: square.clone(),
            amplitudes: vec![[Complex64::ZERO; 3]; 2 * n],
            overlaps: square.clone(),
            along: vec![Complex64::ZERO; 2 * n],
            outer: square,
            y: vec![Complex64::ZERO; 2 * n],
            phases: Vec::new(),
            factors: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// Replaces modes of one energy by those combinations of them that have no W between them; whether there were any.
    fn separate_levels(&mut self, width: f64) -> Result<bool> {
        let (n, mut any, mut start) = (self.here.energies.len(), false, 0);
        while start < n {
            let energies = &self.here.energies;
            let end = (start + 1..n).find(|&m| energies[m] - energies[m - 1] >= width).unwrap_or(n);
            let count = end - start;
            if count > 1 {
                any = true;
                let w = Mat::from_fn(count, count, |a, b| self.overlaps[(start + a) * 2 * n + start + b]);
                let found = w
                    .self_adjoint_eigen(Side::Lower)
                    .map_err(|_| Error::Numerical("eigenvalues did not converge".into()))?;
                let before = self.here.energies[start..end].to_vec();
                for (m, energy) in self.here.energies[start..end].iter_mut().enumerate() {
                    *energy = before.iter().enumerate().map(|(a, e)| e * found.U()[(a, m)].norm_sqr()).sum();
                }
                let level = &mut self.here.t[2 * n * start..2 * n * end];
                let turned = MatRef::from_column_major_slice(level, 2 * n, count) * found.U();
                for (m, t) in level.chunks_exact_mut(2 * n).enumerate() {
                    for (i, x) in t.iter_mut().enumerate() {
                        *x = turned[(i, m)];
                    }
                }
            }
            start = end;
        }
        Ok(any)
    }

    /// W_mn from T.
    fn find_overlaps(&mut self, amplitudes: &Amplitudes, projector: &Projector, q_hat: &Vec3) {
        let n = self.here.energies.len();
        let columns = self.here.t.chunks_exact(2 * n).chain(self.negative.chunks_exact(2 * n));
        for (m, t) in columns.enumerate() {
            let mut sum = [Complex64::ZERO; 3];
            for i in 0..n {
                let u = &amplitudes.vectors[i];
                for a in 0..3 {
                    sum[a] += self.weights[i] * (u[a].conj() * t[i] + u[a] * t[n + i]);
                }
            }
            let amp = projector.apply(&sum);
            self.along[m] = (0..3).map(|a| amp[a] * q_hat[a]).sum();
            self.amplitudes[m] = amp;
        }
        for (m, row) in self.overlaps.chunks_exact_mut(2 * n).enumerate() {
            for (other, w) in row.iter_mut().enumerate() {
                *w = inner(&self.amplitudes[m], &self.amplitudes[other]) - self.along[m].conj() * self.along[other];
            }
        }
    }

    pub fn solve(
        &mut self,
        setting: &Setting,
        hkl: &Vec3,
        shift: &Vec3,
        projector: &Projector,
        q_hat: &Vec3,
        out: &mut Response,
    ) -> Result<()> {
        let (hamiltonian, amplitudes) = (setting.hamiltonian, setting.amplitudes);
        let n = hamiltonian.n();
        let size = 2 * n;
        let shifted: Vec3 = std::array::from_fn(|a| hkl[a] + shift[a]);
        self.here.solve(hamiltonian, &shifted)?;
        // modes of negative energy at k are those of positive energy at -k, conjugate, creation and annihilation exchanged
        self.opposite.solve(hamiltonian, &shifted.map(|x| -x))?;
        for (target, t) in self.negative.chunks_exact_mut(size).zip(self.opposite.t.chunks_exact(size)) {
            for i in 0..n {
                target[i] = t[n + i].conj();
                target[n + i] = t[i].conj();
            }
        }
        let q = setting.model.lattice.q_cartesian(hkl);
        amplitudes.weights(&hamiltonian.magnetic(hkl), dot(&q, &q), &mut self.factors, &mut self.weights);
        self.find_overlaps(amplitudes, projector, q_hat);
        if let Some(width) = setting.level
            && self.separate_levels(width)?
        {
            self.find_overlaps(amplitudes, projector, q_hat);
        }
        out.energy.copy_from_slice(&self.here.energies);
        self.outer.fill(Complex64::ZERO);
        for m in 0..n {
            out.intensity[m] = self.overlaps[m * size + m].re.max(0.0);
            for (other, t) in self.negative.chunks_exact(size).enumerate() {
                let sum = self.here.energies[m] + self.opposite.energies[other];
                if sum > 0.0 {
                    let factor = -2.0 / sum * self.overlaps[m * size + n + other].conj();
                    for (slot, x) in self.outer[m * size..(m + 1) * size].iter_mut().zip(t) {
                        *slot += factor * x;
                    }
                }
            }
        }
        let k = hamiltonian.magnetic(&shifted);
        let mut pair = 0;
        for (p, direction) in setting.directions.iter().enumerate() {
            direction.phases(&k, &mut self.phases);
            for m in 0..n {
                let t = &self.here.t[m * size..(m + 1) * size];
                direction.apply(&self.phases, t, &mut self.y);
                out.slope[p * n + m] = inner(t, &self.y).re;
                out.outer[p * n + m] = inner(&self.outer[m * size..(m + 1) * size], &self.y).re;
                for (other, t) in self.here.t.chunks_exact(size).take(m).enumerate() {
                    out.mixing[pair] = (inner(t, &self.y) * self.overlaps[m * size + other]).re;
                    pair += 1;
                }
            }
        }
        Ok(())
    }
}
