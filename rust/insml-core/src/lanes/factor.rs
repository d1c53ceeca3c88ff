//! Cholesky factors and the congruences that turn a Bogoliubov problem into a Hermitian one. Matrices are column-major
//! and Hermitian; only the lower triangle is read or written.

use crate::lanes::scalar::{LANES, Real, Scalar};

/// Lanes that left the domain of a fast path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failed(pub [bool; LANES]);

impl Failed {
    /// Marks lanes where x is not above `floor` (NaN included) and returns x with 1 in their place.
    #[inline(always)]
    pub fn require(&mut self, x: Real, floor: f64) -> Real {
        let mut out = x;
        for l in 0..LANES {
            let good = x.0[l] > floor;
            self.0[l] |= !good;
            out.0[l] = if good { x.0[l] } else { 1.0 };
        }
        out
    }
}

/// A = L L^+ in place; `inverse[j]` = 1 / L_jj.
#[inline(always)]
pub fn cholesky<T: Scalar>(n: usize, a: &mut [T], inverse: &mut [Real], floor: f64, failed: &mut Failed) {
    for j in 0..n {
        let (done, rest) = a.split_at_mut(j * n);
        let column = &mut rest[..n];
        for k in 0..j {
            let previous = &done[k * n..(k + 1) * n];
            let factor = previous[j].conj();
            for i in j..n {
                column[i] = column[i].minus(previous[i], factor);
            }
        }
        let root = failed.require(column[j].re(), floor).sqrt();
        inverse[j] = root.recip();
        column[j] = T::from_real(root);
        for i in j + 1..n {
            column[i] = column[i].scale(inverse[j]);
        }
    }
}

/// Lower triangle of L^+ g L, g = +1 on the first `particles` and -1 on the rest.
#[inline(always)]
pub fn signature<T: Scalar>(n: usize, particles: usize, l: &[T], out: &mut [T]) {
    for j in 0..n {
        for i in j..n {
            let (a, b) = (&l[i * n..(i + 1) * n], &l[j * n..(j + 1) * n]);
            let mut sum = T::ZERO;
            for k in i..particles {
                sum = sum.plus(a[k].conj(), b[k]);
            }
            for k in i.max(particles)..n {
                sum = sum.minus(a[k].conj(), b[k]);
            }
            out[i + j * n] = sum;
        }
    }
}

/// Lower triangle of L^+ D L for Hermitian D (lower triangle given, the upper one is filled in); `work` holds D L.
#[inline(always)]
pub fn congruence<T: Scalar>(n: usize, l: &[T], d: &mut [T], work: &mut [T], out: &mut [T]) {
    for j in 0..n {
        for i in j + 1..n {
            d[j + i * n] = d[i + j * n].conj();
        }
    }
    for j in 0..n {
        let target = &mut work[j * n..(j + 1) * n];
        target.fill(T::ZERO);
        for k in j..n {
            let factor = l[k + j * n];
            let column = &d[k * n..(k + 1) * n];
            for i in 0..n {
                target[i] = target[i].plus(column[i], factor);
            }
        }
    }
    for j in 0..n {
        for i in j..n {
            let (a, b) = (&l[i * n..(i + 1) * n], &work[j * n..(j + 1) * n]);
            let mut sum = T::ZERO;
            for k in i..n {
                sum = sum.plus(a[k].conj(), b[k]);
            }
            out[i + j * n] = sum;
        }
    }
}

/// Row y L^-+ in place of row y.
#[inline(always)]
pub fn solve_row<T: Scalar>(n: usize, l: &[T], inverse: &[Real], y: &mut [T]) {
    for j in 0..n {
        let value = y[j].scale(inverse[j]);
        y[j] = value;
        // y_i loses value * conj(L_ij) for every later i
        for i in j + 1..n {
            y[i] = y[i].minus(value, l[i + j * n].conj());
        }
    }
}

/// Row y L in place of row y.
#[inline(always)]
pub fn multiply_row<T: Scalar>(n: usize, l: &[T], y: &mut [T]) {
    for j in 0..n {
        let mut sum = T::ZERO;
        for k in j..n {
            sum = sum.plus(y[k], l[k + j * n]);
        }
        y[j] = sum;
    }
}
