//! Hermitian matrix to tridiagonal form by Householder reflections (all lanes together), then eigenvalues by implicit QL
//! (each lane alone). Instead of eigenvectors, given row vectors y are turned into y U: all that intensities need.

use crate::lanes::scalar::{Real, Scalar};

/// Overwrites a (lower triangle, column-major). On return `d` holds the diagonal, `e[j]` the real element (j + 1, j), and
/// the rows (each n long) are multiplied by the reflections from the right. `work` is n long.
#[inline(always)]
pub fn tridiagonalise<T: Scalar>(
    n: usize,
    a: &mut [T],
    d: &mut [Real],
    e: &mut [Real],
    rows: &mut [T],
    work: &mut [T],
) {
    for j in 0..n {
        d[j] = a[j + j * n].re();
        if j + 1 == n {
            break;
        }
        let m = n - j - 1;
        // reflector H = 1 - tau v v^+, v_0 = 1, H^+ x = beta e_0 for x = a[j + 1.., j], beta real
        let alpha = a[j + 1 + j * n];
        let mut tail = Real::ZERO;
        for i in j + 2..n {
            tail = tail + a[i + j * n].norm_sqr();
        }
        let size = alpha.norm_sqr() + tail;
        let norm = size.sqrt();
        let re = alpha.re();
        let beta = re.above(0.0, -norm, norm);
        // tau = (beta - alpha) / beta, v = x / (alpha - beta); nothing to do where x is already beta e_0
        let nothing = tail + (alpha - T::from_real(re)).norm_sqr();
        let safe = |x: Real| nothing.above(0.0, x, Real::splat(1.0));
        let keep = |x: Real| nothing.above(0.0, x, Real::ZERO);
        let beta = nothing.above(0.0, beta, re);
        e[j] = beta;
        let minus = T::from_real(-safe(beta).recip());
        let tau = (alpha - T::from_real(beta)) * minus;
        let tau = tau.scale(keep(Real::splat(1.0)));
        let difference = alpha - T::from_real(beta);
        let factor = difference.conj().scale(safe(difference.norm_sqr()).recip());
        a[j + 1 + j * n] = T::from_real(Real::splat(1.0));
        for i in j + 2..n {
            a[i + j * n] = (a[i + j * n] * factor).scale(keep(Real::splat(1.0)));
        }
        let (left, right) = a.split_at_mut((j + 1) * n);
        let v = &left[j * n + j + 1..(j + 1) * n];
        for row in rows.chunks_exact_mut(n) {
            let y = &mut row[j + 1..];
            let mut sum = T::ZERO;
            for i in 0..m {
                sum = sum.plus(y[i], v[i]);
            }
            let sum = sum * tau;
            for i in 0..m {
                y[i] = y[i].minus(sum, v[i].conj());
            }
        }
        // H^+ A H = A - v w^+ - w v^+ with x = tau A v and w = x - v tau (x^+ v) / 2
        let w = &mut work[..m];
        w.fill(T::ZERO);
        for c in 0..m {
            let column = &right[c * n + j + 1..(c + 1) * n];
            w[c] = w[c].plus(column[c], v[c]);
            let mut sum = T::ZERO;
            for i in c + 1..m {
                w[i] = w[i].plus(column[i], v[c]);
                sum = sum.plus(column[i].conj(), v[i]);
            }
            w[c] += sum;
        }
        let mut inner = T::ZERO;
        for i in 0..m {
            w[i] = w[i] * tau;
            inner = inner.plus(w[i].conj(), v[i]);
        }
        let half = (tau * inner).scale(Real::splat(0.5));
        for i in 0..m {
            w[i] = w[i].minus(v[i], half);
        }
        for c in 0..m {
            let (vc, wc) = (v[c].conj(), w[c].conj());
            let column = &mut right[c * n + j + 1..(c + 1) * n];
            for i in c..m {
                column[i] = column[i].minus(v[i], wc).minus(w[i], vc);
            }
        }
    }
}

/// Eigenvalues of one symmetric tridiagonal matrix into `d` (any order). `z` holds `width` numbers for each index and is
/// multiplied by the eigenvectors: z_m = sum_i z_i Z_im. `e` (n long) is used up. False where it does not converge (NaN).
#[inline(always)]
pub fn ql(d: &mut [f64], e: &mut [f64], z: &mut [f64], width: usize) -> bool {
    let n = d.len();
    for l in 0..n {
        let mut iteration = 0;
        loop {
            let small = |m: usize| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs());
            let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            if iteration == 50 {
                return false;
            }
            iteration += 1;
            let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let r = (g * g + 1.0).sqrt();
            let mut g = d[m] - d[l] + e[l] / (g + if g >= 0.0 { r } else { -r });
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut split = false;
            for i in (l..m).rev() {
                let f = s * e[i];
                let b = c * e[i];
                let r = (f * f + g * g).sqrt();
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    split = true;
                    break;
                }
                let inverse = 1.0 / r;
                s = f * inverse;
                c = g * inverse;
                let before = d[i + 1] - p;
                let r = (d[i] - before) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = before + p;
                g = c * r - b;
                let (low, high) = z[i * width..(i + 2) * width].split_at_mut(width);
                for (x, y) in low.iter_mut().zip(high) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
            }
            if !split {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::scalar::{Complex, LANES};

    /// Hermitian test matrix with different entries in every lane, as (row, column) -> value.
    fn entry(i: usize, j: usize, lane: usize) -> (f64, f64) {
        if i == j {
            return ((1.3 * i as f64 + 0.1 * lane as f64).sin(), 0.0);
        }
        let (r, c) = (i.max(j) as f64, i.min(j) as f64);
        let (re, im) = ((r * 1.7 + c * 0.3 + lane as f64).cos(), (r * 0.9 - c * 2.1).sin());
        (re, if i > j { im } else { -im })
    }

    #[test]
    fn eigenvalues_and_rows_rebuild_moments_of_the_matrix() {
        const N: usize = 6;
        let mut a = vec![Complex::ZERO; N * N];
        for (i, j) in (0..N).flat_map(|i| (0..N).map(move |j| (i, j))) {
            for l in 0..LANES {
                let (re, im) = entry(i, j, l);
                a[i + j * N].re.0[l] = re;
                a[i + j * N].im.0[l] = im;
            }
        }
        // y = first unit row: sum_m |y_m|^2 E_m^p must be (A^p)_00
        let mut rows = vec![Complex::ZERO; N];
        rows[0] = Complex::from_real(Real::splat(1.0));
        let (mut d, mut e) = (vec![Real::ZERO; N], vec![Real::ZERO; N]);
        let original = a.clone();
        tridiagonalise(N, &mut a, &mut d, &mut e, &mut rows, &mut vec![Complex::ZERO; N]);
        for l in 0..LANES {
            let mut d: Vec<f64> = d.iter().map(|x| x.0[l]).collect();
            let mut e: Vec<f64> = e.iter().map(|x| x.0[l]).collect();
            let mut z: Vec<f64> = rows.iter().flat_map(|y| [y.re.0[l], y.im.0[l]]).collect();
            assert!(ql(&mut d, &mut e, &mut z, 2));
            let at = |i: usize, j: usize| {
                num_complex::Complex64::new(original[i + j * N].re.0[l], original[i + j * N].im.0[l])
            };
            let mut v = vec![num_complex::Complex64::ZERO; N];
            v[0] = 1.0.into();
            for power in 0..6 {
                let direct = v[0].re;
                let found: f64 = (0..N).map(|m| (z[2 * m].powi(2) + z[2 * m + 1].powi(2)) * d[m].powi(power)).sum();
                assert!((direct - found).abs() < 1e-11 * (1.0 + direct.abs()), "power {power}: {direct} {found}");
                v = (0..N).map(|i| (0..N).map(|j| at(i, j) * v[j]).sum()).collect();
            }
        }
    }
}
