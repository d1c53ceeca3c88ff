//! Hermitian matrix to tridiagonal form by Householder reflections (all lanes together), then eigenvalues by implicit QL.
//! Instead of eigenvectors, given row vectors y are turned into y U: all that intensities need.

use crate::lanes::factor::Failed;
use crate::lanes::scalar::{LANES, Real, Scalar};

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
            tail += a[i + j * n].norm_sqr();
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

/// Eigenvalues of symmetric tridiagonal matrices into `d` (any order), by QL with implicit shifts (H. Bowdler et al.,
/// Numer. Math. 11, 293 (1968)); each lane has its own shift and its own splitting point. `z` holds `width` numbers for
/// each index and is multiplied by the eigenvectors: z_m = sum_i z_i Z_im. `e` (n long) is used up. Lanes that do not
/// converge (NaN) are marked.
#[inline(always)]
pub fn ql(n: usize, d: &mut [Real], e: &mut [Real], z: &mut [Real], width: usize, failed: &mut Failed) {
    for l in 0..n {
        let mut sweeps = 0;
        loop {
            // end of the unreduced part that starts at l; l itself where the eigenvalue is found
            let mut last = Real::splat(l as f64);
            let mut open = [true; LANES];
            for m in l..n - 1 {
                for lane in 0..LANES {
                    let small = e[m].0[lane].abs() <= f64::EPSILON * (d[m].0[lane].abs() + d[m + 1].0[lane].abs());
                    open[lane] &= !small;
                    last.0[lane] = if open[lane] { (m + 1) as f64 } else { last.0[lane] };
                }
            }
            for lane in 0..LANES {
                if failed.0[lane] {
                    last.0[lane] = l as f64;
                }
            }
            let end = last.0.iter().fold(l as f64, |a, &b| a.max(b)) as usize;
            if end == l {
                break;
            }
            if sweeps == 60 {
                for lane in 0..LANES {
                    failed.0[lane] |= last.0[lane] > l as f64;
                }
                break;
            }
            sweeps += 1;
            sweep(l, end, &last, d, e, z, width);
        }
    }
}

/// One implicit QL step on indices l to last of every lane; `end` is the largest of them.
#[inline(always)]
fn sweep(l: usize, end: usize, last: &Real, d: &mut [Real], e: &mut [Real], z: &mut [Real], width: usize) {
    let mut g = Real::ZERO;
    for lane in 0..LANES {
        let m = last.0[lane] as usize;
        if m > l {
            let (dl, el) = (d[l].0[lane], e[l].0[lane]);
            let x = (d[l + 1].0[lane] - dl) / (2.0 * el);
            let r = (x * x + 1.0).sqrt();
            g.0[lane] = d[m].0[lane] - dl + el / (x + if x >= 0.0 { r } else { -r });
        }
    }
    let (mut s, mut c, mut p) = (Real::splat(1.0), Real::splat(1.0), Real::ZERO);
    // a lane whose chase meets an exact zero stops there and splits
    let mut alive = Real::splat(1.0);
    for i in (l..end).rev() {
        let (mut cosine, mut sine) = (Real::splat(1.0), Real::ZERO);
        for lane in 0..LANES {
            let on = (i as f64) < last.0[lane] && alive.0[lane] > 0.0;
            let (f, b) = (s.0[lane] * e[i].0[lane], c.0[lane] * e[i].0[lane]);
            let r = (f * f + g.0[lane] * g.0[lane]).sqrt();
            let zero = r == 0.0;
            let inverse = 1.0 / if zero { 1.0 } else { r };
            let (s1, c1) = (f * inverse, g.0[lane] * inverse);
            let before = d[i + 1].0[lane] - p.0[lane];
            let t = (d[i].0[lane] - before) * s1 + 2.0 * c1 * b;
            let p1 = s1 * t;
            let turn = on && !zero;
            e[i + 1].0[lane] = if on { r } else { e[i + 1].0[lane] };
            d[i + 1].0[lane] = if turn {
                before + p1
            } else if on {
                before
            } else {
                d[i + 1].0[lane]
            };
            p.0[lane] = if turn { p1 } else { p.0[lane] };
            g.0[lane] = if turn { c1 * t - b } else { g.0[lane] };
            s.0[lane] = if turn { s1 } else { s.0[lane] };
            c.0[lane] = if turn { c1 } else { c.0[lane] };
            cosine.0[lane] = if turn { c1 } else { 1.0 };
            sine.0[lane] = if turn { s1 } else { 0.0 };
            alive.0[lane] = if on && zero { 0.0 } else { alive.0[lane] };
        }
        let (low, high) = z[i * width..(i + 2) * width].split_at_mut(width);
        for (x, y) in low.iter_mut().zip(high) {
            let (a, b) = (*x, *y);
            *x = (a * cosine).minus(b, sine);
            *y = (b * cosine).plus(a, sine);
        }
    }
    for lane in 0..LANES {
        let m = last.0[lane] as usize;
        if m > l {
            if alive.0[lane] > 0.0 {
                d[l].0[lane] -= p.0[lane];
                e[l].0[lane] = g.0[lane];
            }
            e[m].0[lane] = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::scalar::Complex;

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
        let mut z: Vec<Real> = rows.iter().flat_map(|y| [y.re, y.im]).collect();
        let mut failed = Failed::default();
        ql(N, &mut d, &mut e, &mut z, 2, &mut failed);
        assert!(!failed.0.contains(&true));
        for l in 0..LANES {
            let at = |i: usize, j: usize| {
                num_complex::Complex64::new(original[i + j * N].re.0[l], original[i + j * N].im.0[l])
            };
            let mut v = vec![num_complex::Complex64::ZERO; N];
            v[0] = 1.0.into();
            for power in 0..6 {
                let direct = v[0].re;
                let weight = |m: usize| z[2 * m].0[l].powi(2) + z[2 * m + 1].0[l].powi(2);
                let found: f64 = (0..N).map(|m| weight(m) * d[m].0[l].powi(power)).sum();
                assert!((direct - found).abs() < 1e-11 * (1.0 + direct.abs()), "power {power}: {direct} {found}");
                v = (0..N).map(|i| (0..N).map(|j| at(i, j) * v[j]).sum()).collect();
            }
        }
    }

    #[test]
    fn matrices_that_fall_apart_and_degenerate_ones_converge() {
        // every lane splits elsewhere; lane 7 is the unit matrix
        const N: usize = 8;
        let mut d = vec![Real::splat(1.0); N];
        let mut e = vec![Real::splat(0.5); N];
        for i in 0..N {
            for l in 0..LANES {
                d[i].0[l] = if l == 7 { 1.0 } else { (i % 3) as f64 };
                if i == l || l == 7 {
                    e[i].0[l] = 0.0;
                }
            }
        }
        e[N - 1] = Real::ZERO;
        let (diagonal, off) = (d.clone(), e.clone());
        let mut z = vec![Real::ZERO; N];
        z[0] = Real::splat(1.0);
        let mut failed = Failed::default();
        ql(N, &mut d, &mut e, &mut z, 1, &mut failed);
        assert!(!failed.0.contains(&true));
        for l in 0..LANES {
            let trace: f64 = diagonal.iter().map(|x| x.0[l]).sum();
            let square: f64 = (0..N).map(|i| diagonal[i].0[l].powi(2) + 2.0 * off[i].0[l].powi(2)).sum();
            assert!((d.iter().map(|x| x.0[l]).sum::<f64>() - trace).abs() < 1e-13);
            assert!((d.iter().map(|x| x.0[l].powi(2)).sum::<f64>() - square).abs() < 1e-13);
            let first: f64 = (0..N).map(|m| z[m].0[l].powi(2) * d[m].0[l]).sum();
            assert!((first - diagonal[0].0[l]).abs() < 1e-14);
        }
    }
}
