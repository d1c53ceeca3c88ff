//! Energies and T of a block, `LANES` wave vectors at once.

use crate::lanes::factor::{Failed, cholesky, congruence, multiply_row, signature, solve_row};
use crate::lanes::tridiagonal::{ql, tridiagonalise};
use crate::lanes::{LANES, Real, Scalar};
use crate::spinwave::blocks::plan::Linear;
use crate::spinwave::derivative::plan::BlockPlan;
use crate::spinwave::derivative::scratch::{Field, Scratch};
use std::f64::consts::FRAC_1_SQRT_2;

/// Cholesky pivots and energies this close to zero, relative to the size of h, go to the general path.
pub const FLOOR: f64 = 1e-11;

#[inline(always)]
fn value(linear: &Linear, slot: usize, trig: &[Real]) -> Real {
    let mut sum = Real::ZERO;
    for &(index, coefficient) in &linear.terms[linear.starts[slot]..linear.starts[slot + 1]] {
        sum = sum.plus(trig[index], Real::splat(coefficient));
    }
    sum
}

/// Lower triangle from the slot `from` on, and the upper one too if `whole`; the slot after it.
#[inline(always)]
pub fn fill<T: Field>(n: usize, linear: &Linear, from: usize, trig: &[Real], whole: bool, out: &mut [T]) -> usize {
    let mut slot = from;
    for j in 0..n {
        for i in j..n {
            let mut parts = [Real::ZERO; 2];
            for part in &mut parts[..T::PARTS] {
                *part = value(linear, slot, trig);
                slot += 1;
            }
            let element = T::join(&parts);
            out[i + j * n] = element;
            if whole && i > j {
                out[j + i * n] = element.conj();
            }
        }
    }
    slot
}

/// Rows of the unit matrix.
#[inline(always)]
fn unit<T: Field>(n: usize, rows: &mut [T]) {
    rows.fill(T::ZERO);
    for i in 0..n {
        rows[i * n + i] = T::from_real(Real::splat(1.0));
    }
}

/// Eigenvalues of `m` into `d`; rows y become y U, column by column in `z`.
#[inline(always)]
fn diagonalise<T: Field>(n: usize, count: usize, scratch: &mut Scratch<T>, failed: &mut Failed) {
    let rows = &mut scratch.rows[..count * n];
    tridiagonalise(n, &mut scratch.m[..n * n], &mut scratch.d, &mut scratch.e, rows, &mut scratch.work);
    let width = count * T::PARTS;
    let z = &mut scratch.z[..width * n];
    for (i, y) in rows.chunks_exact(n).enumerate() {
        for (m, x) in y.iter().enumerate() {
            let slot = m * width + i * T::PARTS;
            x.parts(&mut z[slot..slot + T::PARTS]);
        }
    }
    ql(n, &mut scratch.d, &mut scratch.e, z, width, failed);
}

/// Energies into `d` and T into `t`, the modes of positive energy first: T = L^-+ U sqrt|w| with U from L^+ g L.
#[inline(always)]
pub fn paired<T: Field>(block: &BlockPlan, trig: &[Real], floor: f64, scratch: &mut Scratch<T>, failed: &mut Failed) {
    let (n, p) = (block.size, block.particles);
    let l = &mut scratch.form[..n * n];
    fill(n, &block.form, 0, trig, false, l);
    cholesky(n, l, &mut scratch.inverse, floor, failed);
    if p == 0 {
        return;
    }
    signature(n, p, l, &mut scratch.m[..n * n]);
    let rows = &mut scratch.rows[..n * n];
    unit(n, rows);
    for y in rows.chunks_exact_mut(n) {
        solve_row(n, l, &scratch.inverse, y);
    }
    diagonalise(n, n, scratch, failed);
    let width = n * T::PARTS;
    positive_first(p, n, &mut scratch.d, &mut scratch.z[..n * width], width, failed);
    for m in 0..n {
        let energy = scratch.d[m];
        let root = failed.require(if m < p { energy } else { -energy }, floor).sqrt();
        for i in 0..n {
            let slot = m * width + i * T::PARTS;
            scratch.t[m * n + i] = T::join(&scratch.z[slot..slot + T::PARTS]).scale(root);
        }
    }
}

/// The same in a mirror block: with A + B = L L^+, w^2 and U from L^+ (A - B) L, x + y = L^-+ U sqrt w and
/// x - y = L U / sqrt w; the mode of energy -w has y - x instead.
#[inline(always)]
pub fn mirrored<T: Field>(block: &BlockPlan, trig: &[Real], floor: f64, scratch: &mut Scratch<T>, failed: &mut Failed) {
    let n = block.particles;
    let (l, other) = (&mut scratch.form[..n * n], &mut scratch.other[..n * n]);
    let slot = fill(n, &block.form, 0, trig, false, l);
    fill(n, &block.form, slot, trig, false, other);
    cholesky(n, l, &mut scratch.inverse, floor, failed);
    congruence(n, l, other, &mut scratch.product[..n * n], &mut scratch.m[..n * n]);
    let (sums, differences) = scratch.rows[..2 * n * n].split_at_mut(n * n);
    unit(n, sums);
    unit(n, differences);
    for y in sums.chunks_exact_mut(n) {
        solve_row(n, l, &scratch.inverse, y);
    }
    for y in differences.chunks_exact_mut(n) {
        multiply_row(n, l, y);
    }
    diagonalise(n, 2 * n, scratch, failed);
    let width = 2 * n * T::PARTS;
    for m in 0..n {
        // floor is relative to the size of h, `d` holds w^2
        let energy = failed.require(scratch.d[m], floor * floor / FLOOR).sqrt();
        scratch.d[m] = energy;
        scratch.d[n + m] = -energy;
        let root = energy.sqrt();
        let half = Real::splat(FRAC_1_SQRT_2);
        let (grow, shrink) = (root * half, root.recip() * half);
        for i in 0..n {
            let slot = m * width + i * T::PARTS;
            let sum = T::join(&scratch.z[slot..slot + T::PARTS]).scale(grow);
            let slot = slot + n * T::PARTS;
            let difference = T::join(&scratch.z[slot..slot + T::PARTS]).scale(shrink);
            let (positive, negative) = (m * 2 * n + i, (n + m) * 2 * n + i);
            scratch.t[positive] = sum;
            scratch.t[negative] = sum;
            scratch.t[positive + n] = difference;
            scratch.t[negative + n] = -difference;
        }
    }
}

/// Exchanges columns of each lane until `count` positive eigenvalues are in front; marks lanes that have another number.
#[inline(always)]
fn positive_first(count: usize, n: usize, d: &mut [Real], z: &mut [Real], width: usize, failed: &mut Failed) {
    for l in 0..LANES {
        let mut front = 0;
        for m in 0..n {
            if d[m].0[l] > 0.0 {
                if front != m {
                    let x = d[front].0[l];
                    d[front].0[l] = d[m].0[l];
                    d[m].0[l] = x;
                    for r in 0..width {
                        let x = z[front * width + r].0[l];
                        z[front * width + r].0[l] = z[m * width + r].0[l];
                        z[m * width + r].0[l] = x;
                    }
                }
                front += 1;
            }
        }
        failed.0[l] |= front != count;
    }
}
