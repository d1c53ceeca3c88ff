//! h(k) in a gauge that knows the bond graph alone: every site stands at the barycentre of its neighbours, each weighted
//! by the square root of its coupling (the coupling itself would leave weakly coupled sites too little precision). A
//! symmetry of the couplings that leaves k alone (a translation combined with a spin rotation, the swap of two layers, a
//! rotation about collinear spins) is then a constant unitary matrix.

use crate::error::{Error, Result};
use crate::spinwave::hamiltonian::{Hamiltonian, Term};
use crate::vec3::{Vec3, dot};
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use num_complex::Complex64;
use std::f64::consts::TAU;

/// Displacements closer than this (magnetic cells) are one: h then changes by less than 2 pi SAME |k| of its size.
pub const SAME: f64 = 1e-11;
/// Couplings below this share of the largest are rounding.
const NOTHING: f64 = 1e-10;

/// coefficient * e^{2 pi i sign k.delta} at (row, column) of the 2N x 2N form; `delta` 0 is no displacement.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub row: usize,
    pub column: usize,
    pub delta: usize,
    pub sign: f64,
    pub coefficient: Complex64,
}

/// Sum of value at (row, column).
pub type Sparse = Vec<(usize, usize, Complex64)>;

/// x V for columns V.
pub fn apply(x: &Sparse, columns: &[Vec<Complex64>]) -> Mat<Complex64> {
    let size = columns.first().map_or(0, Vec::len);
    let mut out = Mat::zeros(size, columns.len());
    for (j, v) in columns.iter().enumerate() {
        for &(row, column, value) in x {
            if v[column] != Complex64::ZERO {
                out[(row, j)] += value * v[column];
            }
        }
    }
    out
}

#[derive(Clone, Debug)]
pub struct Uniform {
    pub n: usize,
    /// Where the gauge puts each site, magnetic cells.
    pub positions: Vec<Vec3>,
    /// Distinct displacements up to sign; the first is zero.
    pub deltas: Vec<Vec3>,
    pub entries: Vec<Entry>,
}

impl Uniform {
    pub fn new(hamiltonian: &Hamiltonian) -> Result<Self> {
        let n = hamiltonian.n();
        let positions = barycentres(hamiltonian)?;
        let mut out = Self { n, positions, deltas: vec![[0.0; 3]], entries: Vec::new() };
        for (i, (&d, &b)) in hamiltonian.diagonal.iter().zip(&hamiltonian.pairing).enumerate() {
            out.push(i, i, [0.0; 3], d.into());
            out.push(n + i, n + i, [0.0; 3], d.into());
            out.push(i, n + i, [0.0; 3], b);
            out.push(n + i, i, [0.0; 3], b.conj());
        }
        for term in &hamiltonian.terms {
            let (i, j) = (term.row, term.column);
            let dl = hamiltonian.displacements[term.phase];
            let delta: Vec3 = std::array::from_fn(|a| f64::from(dl[a]) + out.positions[j][a] - out.positions[i][a]);
            out.push(i, j, delta, term.a);
            out.push(n + i, n + j, delta, term.a.conj());
            out.push(i, n + j, delta, term.b);
            out.push(n + j, i, delta.map(|x| -x), term.b.conj());
        }
        Ok(out)
    }

    fn push(&mut self, row: usize, column: usize, delta: Vec3, coefficient: Complex64) {
        if coefficient == Complex64::ZERO {
            return;
        }
        let close = |a: &Vec3, s: f64| (0..3).all(|c| (a[c] - s * delta[c]).abs() < SAME);
        for (index, known) in self.deltas.iter().enumerate() {
            for sign in [1.0, -1.0] {
                if close(known, sign) {
                    self.entries.push(Entry { row, column, delta: index, sign, coefficient });
                    return;
                }
            }
        }
        self.deltas.push(delta);
        self.entries.push(Entry { row, column, delta: self.deltas.len() - 1, sign: 1.0, coefficient });
    }

    /// The form at k, r.l.u. of the magnetic cell.
    pub fn sparse(&self, k: &Vec3) -> Sparse {
        let phases: Vec<Complex64> = self.deltas.iter().map(|d| Complex64::from_polar(1.0, TAU * dot(k, d))).collect();
        let phase = |e: &Entry| if e.sign > 0.0 { phases[e.delta] } else { phases[e.delta].conj() };
        self.entries.iter().map(|e| (e.row, e.column, e.coefficient * phase(e))).collect()
    }
}

/// Positions p that minimise sum w |dl + p_j - p_i|^2, each connected part centred on its real positions.
fn barycentres(hamiltonian: &Hamiltonian) -> Result<Vec<Vec3>> {
    let n = hamiltonian.n();
    let size = |t: &Term| t.a.norm_sqr() + t.b.norm_sqr();
    let largest = hamiltonian.terms.iter().map(size).fold(0.0, f64::max);
    let joins = |t: &&Term| size(t) > NOTHING * NOTHING * largest && t.row != t.column;
    let terms: Vec<_> = hamiltonian.terms.iter().filter(joins).collect();
    let mut part: Vec<usize> = (0..n).collect();
    // union by repeated minimum: parts are few and n is small
    loop {
        let mut changed = false;
        for t in &terms {
            let low = part[t.row].min(part[t.column]);
            for end in [t.row, t.column] {
                if part[end] != low {
                    part[end] = low;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    let mut laplacian = Mat::<f64>::zeros(n, n);
    let mut pull = Mat::<f64>::zeros(n, 3);
    for t in &terms {
        let w = (size(t) / largest).powf(0.25);
        laplacian[(t.row, t.row)] += w;
        laplacian[(t.row, t.column)] -= w;
        for a in 0..3 {
            pull[(t.row, a)] += w * f64::from(hamiltonian.displacements[t.phase][a]);
        }
    }
    for i in 0..n {
        for j in 0..n {
            if part[i] == part[j] {
                laplacian[(i, j)] += 1.0;
            }
        }
    }
    let factor = laplacian
        .llt(Side::Lower)
        .map_err(|_| Error::Numerical("barycentres of the bond graph: factorisation failed".into()))?;
    let p = factor.solve(&pull);
    let mut out: Vec<Vec3> = (0..n).map(|i| std::array::from_fn(|a| p[(i, a)])).collect();
    for start in 0..n {
        let members: Vec<usize> = (0..n).filter(|&i| part[i] == start).collect();
        for a in 0..3 {
            let shift: f64 = members.iter().map(|&i| hamiltonian.positions[i][a] - out[i][a]).sum();
            for &i in &members {
                out[i][a] += shift / members.len() as f64;
            }
        }
    }
    Ok(out)
}
