//! Colpa's method: h = K^+ K, eigenvectors U of the Hermitian K g K^+, T = K^-1 U sqrt(|E|), so that T^+ h T = |E| and
//! T^+ g T = g with g = diag(1, -1).

use crate::error::{Error, Result};
use crate::spinwave::hamiltonian::Hamiltonian;
use crate::vec3::Vec3;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use num_complex::Complex64;

/// Eigenvalues of h down to -TOLERANCE times the Hamiltonian's scale count as zero (Goldstone modes, rounding).
const TOLERANCE: f64 = 1e-7;

/// Workspace and result of one diagonalisation; reuse it from q to q on one thread.
pub struct Bogoliubov {
    n: usize,
    phases: Vec<Complex64>,
    h: Vec<Complex64>,
    /// Lower Cholesky factor, K = L^+; column-major.
    l: Vec<Complex64>,
    m: Mat<Complex64>,
    u: Mat<Complex64>,
    s: Mat<Complex64>,
    memory: MemBuffer,
    /// The n non-negative energies, ascending, meV.
    pub energies: Vec<f64>,
    /// Column m of length 2 n: T for energies[m].
    pub t: Vec<Complex64>,
}

impl Bogoliubov {
    pub fn new(n: usize) -> Self {
        let size = 2 * n;
        let request =
            self_adjoint_evd_scratch::<Complex64>(size, ComputeEigenvectors::Yes, Par::Seq, Default::default());
        Self {
            n,
            phases: Vec::new(),
            h: vec![Complex64::ZERO; size * size],
            l: vec![Complex64::ZERO; size * size],
            m: Mat::zeros(size, size),
            u: Mat::zeros(size, size),
            s: Mat::zeros(size, 1),
            memory: MemBuffer::new(request),
            energies: vec![0.0; n],
            t: vec![Complex64::ZERO; size * n],
        }
    }

    /// Diagonalises h at `hkl`; energies and t hold the result.
    pub fn solve(&mut self, hamiltonian: &Hamiltonian, hkl: &Vec3) -> Result<()> {
        debug_assert_eq!(hamiltonian.n(), self.n);
        hamiltonian.fill(hkl, &mut self.phases, &mut self.h);
        let scale = hamiltonian.scale;
        if !self.cholesky(0.0, 1e-12 * scale) {
            let lowest = self.lowest_eigenvalue()?;
            if lowest < -TOLERANCE * scale {
                return Err(Error::Unstable { q: *hkl, lowest_eigenvalue: lowest });
            }
            // a zero mode: the smallest shift that makes h positive definite, growing if rounding defeats it
            let mut shift = (-2.0 * lowest).max(1e-10 * scale);
            while !self.cholesky(shift, 0.0) {
                shift *= 10.0;
                if shift > 1e-5 * scale {
                    return Err(Error::Unstable { q: *hkl, lowest_eigenvalue: lowest });
                }
            }
        }
        self.diagonalise()
    }

    /// Like `solve` where h is positive; elsewhere the modes of positive norm of g h itself (R. M. White, M. Sparks and
    /// I. Ortenburger, Phys. Rev. 139, A450 (1965)), made orthogonal in the metric g among equal energies. Modes of
    /// complex energy, and Goldstone modes, have no norm: they come last, as NaN.
    pub fn solve_general(&mut self, hamiltonian: &Hamiltonian, hkl: &Vec3) -> Result<()> {
        match self.solve(hamiltonian, hkl) {
            Err(Error::Unstable { .. }) => self.indefinite(hamiltonian.scale),
            other => other,
        }
    }

    fn indefinite(&mut self, scale: f64) -> Result<()> {
        let (n, size) = (self.n, 2 * self.n);
        let h = |i: usize, j: usize| if i >= j { self.h[i + j * size] } else { self.h[j + i * size].conj() };
        let gh = Mat::from_fn(size, size, |i, j| if i < n { h(i, j) } else { -h(i, j) });
        let eigen = gh.eigen().map_err(|_| Error::Numerical("eigenvalues did not converge".into()))?;
        let (values, vectors) = (eigen.S().column_vector(), eigen.U());
        let mut order: Vec<usize> = (0..size).filter(|&m| values[m].im.abs() < 1e-6 * scale).collect();
        order.sort_by(|&a, &b| values[a].re.total_cmp(&values[b].re));
        self.energies.fill(f64::NAN);
        self.t.fill(Complex64::new(f64::NAN, 0.0));
        let mut found = 0;
        let mut rest = &order[..];
        while let Some(&first) = rest.first() {
            let equal = rest.iter().take_while(|&&m| values[m].re - values[first].re < 1e-6 * scale).count();
            let (cluster, others) = rest.split_at(equal);
            rest = others;
            let metric = Mat::from_fn(equal, equal, |a, b| {
                (0..size)
                    .map(|i| {
                        vectors[(i, cluster[a])].conj() * vectors[(i, cluster[b])] * if i < n { 1.0 } else { -1.0 }
                    })
                    .sum::<Complex64>()
            });
            let norms = metric
                .self_adjoint_eigen(faer::Side::Lower)
                .map_err(|_| Error::Numerical("eigenvalues did not converge".into()))?;
            for c in 0..equal {
                let norm = norms.S().column_vector()[c].re;
                // at zero energy g h need not be diagonalisable: a vector there is of a mode only if it has a norm to speak of
                let least = if values[first].re.abs() < 1e-5 * scale { 1e-2 } else { 1e-6 };
                if norm > least && found < n {
                    self.energies[found] = values[first].re;
                    for i in 0..size {
                        let sum: Complex64 = (0..equal).map(|b| vectors[(i, cluster[b])] * norms.U()[(b, c)]).sum();
                        self.t[found * size + i] = sum / norm.sqrt();
                    }
                    found += 1;
                }
            }
        }
        Ok(())
    }

    /// h + shift = L L^+; false when a pivot is not above `floor`.
    fn cholesky(&mut self, shift: f64, floor: f64) -> bool {
        let size = 2 * self.n;
        self.l.copy_from_slice(&self.h);
        let l = &mut self.l;
        for j in 0..size {
            let (done, rest) = l.split_at_mut(j * size);
            let column = &mut rest[..size];
            column[j] += shift;
            for k in 0..j {
                let previous = &done[k * size..(k + 1) * size];
                let factor = previous[j].conj();
                if factor != Complex64::ZERO {
                    for i in j..size {
                        column[i] -= previous[i] * factor;
                    }
                }
            }
            let pivot = column[j].re;
            if pivot.is_nan() || pivot <= floor {
                return false;
            }
            let inverse = 1.0 / pivot.sqrt();
            for value in &mut column[j..size] {
                *value *= inverse;
            }
            column[j].im = 0.0;
        }
        true
    }

    /// Lowest eigenvalue of h at `hkl`, meV, with no tolerance.
    pub fn lowest(&mut self, hamiltonian: &Hamiltonian, hkl: &Vec3) -> Result<f64> {
        hamiltonian.fill(hkl, &mut self.phases, &mut self.h);
        self.lowest_eigenvalue()
    }

    fn lowest_eigenvalue(&mut self) -> Result<f64> {
        let size = 2 * self.n;
        for j in 0..size {
            for i in j..size {
                self.m[(i, j)] = self.h[i + j * size];
            }
        }
        self.eigen()?;
        Ok(self.s[(0, 0)].re)
    }

    /// Eigenvalues of m (ascending, into s) and eigenvectors (into u).
    fn eigen(&mut self) -> Result<()> {
        self_adjoint_evd(
            self.m.as_ref(),
            self.s.col_mut(0).as_diagonal_mut(),
            Some(self.u.as_mut()),
            Par::Seq,
            MemStack::new(&mut self.memory),
            Default::default(),
        )
        .map_err(|_| Error::Numerical("eigenvalues did not converge".into()))
    }

    fn diagonalise(&mut self) -> Result<()> {
        let n = self.n;
        let size = 2 * n;
        // K g K^+ = L^+ g L, lower triangle
        for j in 0..size {
            for i in j..size {
                let (a, b) = (&self.l[i * size..(i + 1) * size], &self.l[j * size..(j + 1) * size]);
                let mut sum = Complex64::ZERO;
                for k in i..n {
                    sum += a[k].conj() * b[k];
                }
                for k in i.max(n)..size {
                    sum -= a[k].conj() * b[k];
                }
                self.m[(i, j)] = sum;
            }
        }
        self.eigen()?;
        for mode in 0..n {
            let energy = self.s[(n + mode, 0)].re.max(0.0);
            self.energies[mode] = energy;
            let root = energy.sqrt();
            let x = &mut self.t[mode * size..(mode + 1) * size];
            for i in 0..size {
                x[i] = self.u[(i, n + mode)] * root;
            }
            // solve L^+ x = u sqrt(E): row i of L^+ is the conjugate of column i of L
            for i in (0..size).rev() {
                let column = &self.l[i * size..(i + 1) * size];
                let mut sum = x[i];
                for k in i + 1..size {
                    sum -= column[k].conj() * x[k];
                }
                x[i] = sum / column[i].re;
            }
        }
        Ok(())
    }
}

/// Energies (nq, n) and T (nq, n, 2 n) of the positive modes at every hkl.
pub fn modes(hamiltonian: &Hamiltonian, q: &[Vec3]) -> Result<(Vec<f64>, Vec<Complex64>)> {
    let mut solver = Bogoliubov::new(hamiltonian.n());
    let (mut energies, mut t) = (Vec::new(), Vec::new());
    for hkl in q {
        solver.solve(hamiltonian, hkl)?;
        energies.extend_from_slice(&solver.energies);
        t.extend_from_slice(&solver.t);
    }
    Ok((energies, t))
}
