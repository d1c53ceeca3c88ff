//! The quadratic boson form h(k), compiled once per model into lists of (row, column, phase, coefficients).
//!
//! With u_i the local frames and sums over both directed versions of each bond,
//!   A_ij(k) = sqrt(S_i S_j)/2 u_i^T J u_j^*  e^{2 pi i k.dl},   B_ij(k) = sqrt(S_i S_j)/2 u_i^T J u_j e^{2 pi i k.dl},
//!   C_ii = sum_l S_l eta_i^T J_il eta_l + 2 S_i eta_i^T A_i eta_i - muB B^T g_i eta_i,
//!   h(k) = [[A(k) - C, B(k)], [B(k)^+, conj(A(-k)) - C]].
//! A biquadratic term (b/2)(S_i.S_j)^2 adds, per directed bond and with M = eta_i.eta_j, N = eta_i.u_j, O = u_i.u_j,
//! P = u_i^*.u_j, Q = u_i.eta_j, to A_ij (b/2)(S_i S_j)^{3/2}(M P^* + Q N^*), to B_ij (b/2)(S_i S_j)^{3/2}(M O + Q N), to
//! -C_ii (b/2) S_i S_j^2 (|Q|^2 - 2 M^2) and to B_ii (b/2) S_i S_j^2 Q^2.
//! In a rotating frame J becomes J R, and the neighbour's frame is turned for the biquadratic term.
//! Sites are first moved between cells along a spanning tree of the bond graph, so that phases are few and a model
//! without closed loops along an axis (a layer stored across the cell boundary) does not depend on that component of k.

use crate::error::Result;
use crate::spinwave::frame::Frame;
use crate::spinwave::model::{MU_B, SpinModel};
use crate::vec3::{Vec3, bilinear, conj, dot, mat_mul, mat_vec, product, real, symmetrised, transpose};
use num_complex::Complex64;
use std::collections::{HashMap, VecDeque};
use std::f64::consts::TAU;

#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub row: usize,
    pub column: usize,
    pub phase: usize,
    pub a: Complex64,
    pub b: Complex64,
}

#[derive(Clone, Debug)]
pub struct Hamiltonian {
    pub frames: Vec<Frame>,
    /// Site positions in the magnetic cell after the move between cells.
    pub positions: Vec<Vec3>,
    supercell: [f64; 3],
    pub(crate) displacements: Vec<[i32; 3]>,
    pub(crate) terms: Vec<Term>,
    /// A diagonal (real part, q-independent) minus C, for each site.
    pub(crate) diagonal: Vec<f64>,
    /// B diagonal from single-ion anisotropy.
    pub(crate) pairing: Vec<Complex64>,
    /// Bound on the largest entry of any row sum of h, meV: what rounding and zero modes are measured against.
    pub scale: f64,
}

/// Whole cells by which each site is moved so that every spanning-tree bond has displacement zero.
fn regauge(model: &SpinModel) -> Vec<[i32; 3]> {
    let n = model.sites.len();
    let mut neighbours: Vec<Vec<(usize, [i32; 3])>> = vec![Vec::new(); n];
    for bond in &model.bonds {
        neighbours[bond.i].push((bond.j, bond.dl));
        neighbours[bond.j].push((bond.i, bond.dl.map(|x| -x)));
    }
    let mut offset: Vec<Option<[i32; 3]>> = vec![None; n];
    for start in 0..n {
        if offset[start].is_some() {
            continue;
        }
        offset[start] = Some([0; 3]);
        let mut queue = VecDeque::from([(start, [0; 3])]);
        while let Some((i, here)) = queue.pop_front() {
            for &(j, dl) in &neighbours[i] {
                if offset[j].is_none() {
                    let there: [i32; 3] = std::array::from_fn(|a| here[a] + dl[a]);
                    offset[j] = Some(there);
                    queue.push_back((j, there));
                }
            }
        }
    }
    offset.into_iter().map(|o| o.unwrap_or([0; 3])).collect()
}

impl Hamiltonian {
    pub fn new(model: &SpinModel) -> Result<Self> {
        model.validate()?;
        let frames: Vec<Frame> = model.sites.iter().map(|s| Frame::of(&s.spin)).collect();
        // the rotation of a cell belongs to where its sites are: with one, sites stay in their cells
        let offset = if model.rotation.is_some() { vec![[0; 3]; model.sites.len()] } else { regauge(model) };
        let n = frames.len();
        let mut diagonal = vec![0.0; n];
        let mut pairing = vec![Complex64::ZERO; n];
        let mut displacements: Vec<[i32; 3]> = Vec::new();
        let mut merged: HashMap<(usize, usize, usize), usize> = HashMap::new();
        let mut terms: Vec<Term> = Vec::new();
        let mut add = |i: usize, j: usize, dl: [i32; 3], a: Complex64, b: Complex64| {
            let phase = displacements.iter().position(|d| *d == dl).unwrap_or_else(|| {
                displacements.push(dl);
                displacements.len() - 1
            });
            let index = *merged.entry((i, j, phase)).or_insert_with(|| {
                terms.push(Term { row: i, column: j, phase, a: Complex64::ZERO, b: Complex64::ZERO });
                terms.len() - 1
            });
            terms[index].a += a;
            terms[index].b += b;
        };
        let moved = |i: usize, j: usize, dl: &[i32; 3]| -> [i32; 3] {
            std::array::from_fn(|a| dl[a] - offset[j][a] + offset[i][a])
        };
        for bond in &model.bonds {
            let turned = match &model.rotation {
                Some(rotation) => mat_mul(&bond.exchange, &rotation.matrix(model, &bond.dl)),
                None => bond.exchange,
            };
            let dl = moved(bond.i, bond.j, &bond.dl);
            for (i, j, dl, exchange) in
                [(bond.i, bond.j, dl, turned), (bond.j, bond.i, dl.map(|x| -x), transpose(&turned))]
            {
                let (fi, fj) = (&frames[i], &frames[j]);
                diagonal[i] -= fj.length * dot(&fi.eta, &mat_vec(&exchange, &fj.eta));
                let root = 0.5 * (fi.length * fj.length).sqrt();
                let a = bilinear(&fi.u, &exchange, &conj(&fj.u)) * root;
                add(i, j, dl, a, bilinear(&fi.u, &exchange, &fj.u) * root);
            }
        }
        for term in &model.biquadratic {
            let dl = moved(term.i, term.j, &term.dl);
            let back = term.dl.map(|x| -x);
            for (i, j, dl, cells) in [(term.i, term.j, dl, term.dl), (term.j, term.i, dl.map(|x| -x), back)] {
                let fi = &frames[i];
                let fj = match &model.rotation {
                    Some(rotation) => frames[j].turned(&rotation.matrix(model, &cells)),
                    None => frames[j].clone(),
                };
                let (si, sj, half) = (fi.length, fj.length, 0.5 * term.b);
                let m = dot(&fi.eta, &fj.eta);
                let n = product(&real(&fi.eta), &fj.u);
                let o = product(&fi.u, &fj.u);
                let p = product(&conj(&fi.u), &fj.u);
                let q = product(&fi.u, &real(&fj.eta));
                let root = half * (si * sj).powf(1.5);
                add(i, j, dl, (p.conj() * m + q * n.conj()) * root, (o * m + q * n) * root);
                diagonal[i] += half * si * sj * sj * (q.norm_sqr() - 2.0 * m * m);
                pairing[i] += q * q * (half * si * sj * sj);
            }
        }
        for (i, site) in model.sites.iter().enumerate() {
            let frame = &frames[i];
            let aniso = symmetrised(&site.anisotropy);
            let g = symmetrised(&site.g);
            diagonal[i] += frame.length * bilinear(&frame.u, &aniso, &conj(&frame.u)).re
                - 2.0 * frame.length * dot(&frame.eta, &mat_vec(&aniso, &frame.eta))
                + MU_B * dot(&model.field, &mat_vec(&g, &frame.eta));
            pairing[i] += bilinear(&frame.u, &aniso, &frame.u) * frame.length;
        }
        let mut rows: Vec<f64> = diagonal.iter().zip(&pairing).map(|(d, p)| d.abs() + p.norm()).collect();
        for term in &terms {
            rows[term.row] += term.a.norm() + term.b.norm();
        }
        let largest = rows.into_iter().fold(0.0, f64::max);
        let scale = if largest > 0.0 { largest } else { 1.0 };
        let positions = model
            .sites
            .iter()
            .zip(&offset)
            .map(|(s, o)| std::array::from_fn(|a| s.position[a] + f64::from(o[a])))
            .collect();
        let supercell = model.supercell.map(f64::from);
        Ok(Self { frames, positions, supercell, displacements, terms, diagonal, pairing, scale })
    }

    /// Number of spins; h is twice as large.
    pub fn n(&self) -> usize {
        self.frames.len()
    }

    /// Wave vector in r.l.u. of the magnetic cell.
    pub fn magnetic(&self, hkl: &Vec3) -> Vec3 {
        std::array::from_fn(|a| hkl[a] * self.supercell[a])
    }

    /// Wave vector in r.l.u. of the chemical cell.
    pub fn chemical(&self, k: &Vec3) -> Vec3 {
        std::array::from_fn(|a| k[a] / self.supercell[a])
    }

    /// Whether h is unchanged by any move along `direction` (r.l.u. of the chemical cell).
    pub fn independent_along(&self, direction: &Vec3) -> bool {
        let k = self.magnetic(direction);
        self.displacements.iter().all(|d| dot(&d.map(f64::from), &k).abs() < 1e-12)
    }

    /// Fills the lower triangle of h(k), column-major, leading dimension 2 n.
    pub fn fill(&self, hkl: &Vec3, phases: &mut Vec<Complex64>, h: &mut [Complex64]) {
        let n = self.n();
        let size = 2 * n;
        debug_assert_eq!(h.len(), size * size);
        let k = self.magnetic(hkl);
        phases.clear();
        phases.extend(self.displacements.iter().map(|d| {
            let angle = TAU * dot(&d.map(f64::from), &k);
            Complex64::new(angle.cos(), angle.sin())
        }));
        h.fill(Complex64::ZERO);
        for i in 0..n {
            h[i + i * size] = self.diagonal[i].into();
            h[(n + i) + (n + i) * size] = self.diagonal[i].into();
            h[(n + i) + i * size] = self.pairing[i].conj();
        }
        for term in &self.terms {
            let phase = phases[term.phase];
            let (i, j) = (term.row, term.column);
            if i >= j {
                h[i + j * size] += term.a * phase;
                // conj(A_ij(-k)) = conj(a) e^{+2 pi i k.dl}
                h[(n + i) + (n + j) * size] += term.a.conj() * phase;
            }
            // lower-left block B(k)^+: entry (j, i) is conj(B_ij(k))
            h[(n + j) + i * size] += (term.b * phase).conj();
        }
    }

    /// Full matrices h at every hkl, row-major, one after the other.
    pub fn matrices(&self, q: &[Vec3]) -> Vec<Complex64> {
        let size = 2 * self.n();
        let (mut phases, mut h) = (Vec::new(), vec![Complex64::ZERO; size * size]);
        let mut out = Vec::with_capacity(q.len() * size * size);
        for hkl in q {
            self.fill(hkl, &mut phases, &mut h);
            for i in 0..size {
                out.extend((0..size).map(|j| if i >= j { h[i + j * size] } else { h[j + i * size].conj() }));
            }
        }
        out
    }
}
