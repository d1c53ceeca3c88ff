//! Amplitudes of a block in as few numbers as they need.
//!
//! An amplitude at Q is sum over classes c of w_c(Q) times rows of the class applied to t, the eigenvector. Only the part
//! of t in the span of all rows is ever seen: z = B t, B orthonormal, of few components (two in most blocks), and
//!   amp(Q) = G(Q) z,  G(Q) = sum_c w_c(Q) D_c,  S_perp = z^+ W z,  W = G^+ (1 - q q) G.
//! The products of z are what a table has to hold: unlike amplitudes they have no free phase.

use crate::lanes::{Complex, Real, Scalar};
use crate::spinwave::blocks::plan::Rows;
use crate::spinwave::derivative::plan::BlockPlan;
use num_complex::Complex64;
use std::f64::consts::FRAC_1_SQRT_2;

/// Parts of rows below this share of the largest are rounding.
const NOTHING: f64 = 1e-11;

#[derive(Clone, Debug)]
pub struct Reduced {
    pub modes: usize,
    pub real: bool,
    /// B, row by row, as long as t.
    pub basis: Vec<Vec<Complex64>>,
    /// D: for each component of z, what classes add to each component of G.
    columns: Vec<[Entries; 3]>,
}

/// Classes with their factors, real and imaginary parts by themselves: hardly any class has both, and most have none.
#[derive(Clone, Debug)]
struct Entries {
    real: Vec<(usize, f64)>,
    imaginary: Vec<(usize, f64)>,
}

impl Entries {
    fn of(all: &[Complex64], least: f64) -> Self {
        let part = |of: fn(&Complex64) -> f64| {
            all.iter().map(of).enumerate().filter(|(_, x)| x.abs() > least).collect::<Vec<(usize, f64)>>()
        };
        Self { real: part(|x| x.re), imaginary: part(|x| x.im) }
    }

    fn is_empty(&self) -> bool {
        self.real.is_empty() && self.imaginary.is_empty()
    }

    #[inline(always)]
    fn sum(&self, weights: &[Complex]) -> Complex {
        let mut sum = Complex::ZERO;
        for &(class, x) in &self.real {
            sum += weights[class].scale(Real::splat(x));
        }
        for &(class, y) in &self.imaginary {
            let turned = Complex { re: -weights[class].im, im: weights[class].re };
            sum += turned.scale(Real::splat(y));
        }
        sum
    }
}

impl Reduced {
    pub fn new(block: &BlockPlan, classes: usize) -> Self {
        let Rows { directions, rows } = &block.amplitudes[0];
        // the row of each (direction, class)
        let mut all = vec![vec![Complex64::ZERO; block.size]; directions.len() * classes];
        for (r, row) in rows.iter().enumerate() {
            for &(class, column, value) in row {
                all[r * classes + class][column] += value;
            }
        }
        if block.mirror {
            for row in &mut all {
                let (x, y) = row.split_at_mut(block.particles);
                for (x, y) in x.iter_mut().zip(y) {
                    (*x, *y) = ((*x + *y) * FRAC_1_SQRT_2, (*x - *y) * FRAC_1_SQRT_2);
                }
            }
        }
        let basis = span(&all, block.real);
        let columns: Vec<[Vec<Complex64>; 3]> = basis
            .iter()
            .map(|b| {
                // B has conjugate entries, so that z = B t and row = sum of (row . B^+) B
                let along: Vec<Complex64> =
                    all.iter().map(|row| row.iter().zip(b).map(|(x, y)| x * y.conj()).sum()).collect();
                std::array::from_fn(|a| {
                    let of = |c: usize| directions.iter().enumerate().map(|(r, d)| d[a] * along[r * classes + c]).sum();
                    (0..classes).map(of).collect()
                })
            })
            .collect();
        let largest = columns.iter().flatten().flatten().map(|x| x.norm()).fold(0.0, f64::max);
        let columns = columns.iter().map(|c| c.each_ref().map(|c| Entries::of(c, NOTHING * largest))).collect();
        Self { modes: block.particles, real: block.real, basis, columns }
    }

    /// Numbers per mode that a table holds.
    pub fn products(&self) -> usize {
        let rank = self.basis.len();
        if self.real { rank * (rank + 1) / 2 } else { rank * rank }
    }

    /// Products of z: z_i z_j, i <= j; of complex z the real and the imaginary part of conj(z_i) z_j for i < j.
    #[inline(always)]
    pub fn multiply(&self, z: &[Complex], mut put: impl FnMut(Real)) {
        for (i, x) in z.iter().enumerate() {
            put(x.norm_sqr());
            for y in &z[i + 1..] {
                let p = x.conj() * *y;
                put(p.re);
                if !self.real {
                    put(p.im);
                }
            }
        }
    }

    /// What products are multiplied by, for S_perp at Q of directions `q_hat` where classes weigh `weights`.
    #[inline(always)]
    pub fn weigh(
        &self,
        weights: &[Complex],
        q_hat: &[Real; 3],
        room: &mut Vec<([Complex; 3], Complex)>,
        out: &mut Vec<Real>,
    ) {
        let rank = self.basis.len();
        room.clear();
        for i in 0..rank {
            let mut g = [Complex::ZERO; 3];
            let mut along = Complex::ZERO;
            for a in 0..3 {
                if !self.columns[i][a].is_empty() {
                    g[a] = self.columns[i][a].sum(weights);
                    along += g[a].scale(q_hat[a]);
                }
            }
            room.push((g, along));
        }
        for i in 0..rank {
            for j in i..rank {
                let ((x, p), (y, q)) = (&room[i], &room[j]);
                let mut w = -(p.conj() * *q);
                for a in 0..3 {
                    if !self.columns[i][a].is_empty() && !self.columns[j][a].is_empty() {
                        w = w.plus(x[a].conj(), y[a]);
                    }
                }
                if i == j {
                    out.push(w.re);
                } else {
                    out.push(w.re + w.re);
                    if !self.real {
                        out.push(-(w.im + w.im));
                    }
                }
            }
        }
    }
}

/// Orthonormal rows that span `rows`, or real ones that span their real and imaginary parts; the longest remainder first.
fn span(rows: &[Vec<Complex64>], real: bool) -> Vec<Vec<Complex64>> {
    let mut rest: Vec<Vec<Complex64>> = if real {
        let part = |of: fn(&Complex64) -> f64| {
            rows.iter().map(move |row| row.iter().map(|x| Complex64::from(of(x))).collect::<Vec<_>>())
        };
        part(|x| x.re).chain(part(|x| x.im)).collect()
    } else {
        rows.to_vec()
    };
    let norm = |row: &[Complex64]| row.iter().map(|x| x.norm_sqr()).sum::<f64>().sqrt();
    let total = rest.iter().map(|row| norm(row)).fold(0.0, f64::max);
    let mut out: Vec<Vec<Complex64>> = Vec::new();
    while let Some(longest) = (0..rest.len()).max_by(|&a, &b| norm(&rest[a]).total_cmp(&norm(&rest[b]))) {
        let length = norm(&rest[longest]);
        if length <= NOTHING * total {
            break;
        }
        let chosen: Vec<Complex64> = rest[longest].iter().map(|x| x / length).collect();
        for row in &mut rest {
            let overlap: Complex64 = chosen.iter().zip(row.iter()).map(|(b, x)| b.conj() * x).sum();
            for (x, b) in row.iter_mut().zip(&chosen) {
                *x -= overlap * b;
            }
        }
        out.push(chosen);
    }
    out
}
