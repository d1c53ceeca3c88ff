//! All blocks of a plan at `LANES` wave vectors at once.

use crate::lanes::factor::{Failed, cholesky, congruence, multiply_row, signature, solve_row};
use crate::lanes::tridiagonal::{ql, tridiagonalise};
use crate::lanes::trig::sin_cos_turns;
use crate::lanes::{Complex, LANES, Real, Scalar};
use crate::spinwave::blocks::plan::{BlockPlan, Linear, Plan, Rows};
use crate::spinwave::blocks::reduce::Kind;
use crate::vec3::{CVec3, Vec3};
use num_complex::Complex64;

/// Cholesky pivots and energies this close to zero, relative to the size of h, go to the general path: Goldstone modes
/// and instabilities are its business.
const FLOOR: f64 = 1e-11;

/// Wave vectors in, modes out, and the scratch in between. One per thread.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where h is solved, r.l.u. of the magnetic cell, by component.
    pub k: [Real; 3],
    /// Where the neutron is, r.l.u. of the magnetic cell, and the direction of Q, Cartesian.
    pub q: [Real; 3],
    pub q_hat: [Real; 3],
    /// Form factor of each ion.
    pub ions: Vec<Real>,
    /// Energies of all modes, block after block, meV.
    pub energies: Vec<Real>,
    /// S_perp of all modes.
    pub intensities: Vec<Real>,
    /// Three per mode: amplitudes along the directions of the block.
    amplitudes: Vec<Complex>,
    /// Lanes that must take the general path.
    pub failed: Failed,
    trig: Vec<Real>,
    weights: Vec<Complex>,
    real: Scratch<Real>,
    complex: Scratch<Complex>,
    buffer: Vec<Complex>,
}

#[derive(Clone, Debug)]
struct Scratch<T> {
    a: Vec<T>,
    b: Vec<T>,
    c: Vec<T>,
    m: Vec<T>,
    rows: Vec<T>,
    work: Vec<T>,
    inverse: Vec<Real>,
    d: Vec<Real>,
    e: Vec<Real>,
    z: Vec<Real>,
}

impl<T: Scalar> Scratch<T> {
    fn new(size: usize) -> Self {
        let (square, row) = (vec![T::ZERO; size * size], vec![T::ZERO; size]);
        Self {
            a: square.clone(),
            b: square.clone(),
            c: square.clone(),
            m: square,
            rows: vec![T::ZERO; 12 * size],
            work: row,
            inverse: vec![Real::ZERO; size],
            d: vec![Real::ZERO; size],
            e: vec![Real::ZERO; size],
            z: vec![Real::ZERO; 12 * size],
        }
    }
}

impl Batch {
    pub fn new(plan: &Plan) -> Self {
        let largest = |real: bool| plan.blocks.iter().filter(|b| b.real == real).map(|b| b.size).max().unwrap_or(0);
        let size = largest(true).max(largest(false));
        Self {
            k: [Real::ZERO; 3],
            q: [Real::ZERO; 3],
            q_hat: [Real::ZERO; 3],
            ions: Vec::new(),
            energies: vec![Real::ZERO; plan.n],
            intensities: vec![Real::ZERO; plan.n],
            amplitudes: vec![Complex::ZERO; 3 * plan.n],
            failed: Failed::default(),
            trig: vec![Real::ZERO; 2 * plan.deltas.len() + 1],
            weights: vec![Complex::ZERO; plan.classes.len()],
            real: Scratch::new(largest(true)),
            complex: Scratch::new(largest(false)),
            buffer: vec![Complex::ZERO; size],
        }
    }

    /// Cartesian amplitude of a mode in one lane.
    pub fn amplitude(&self, plan: &Plan, frame: usize, mode: usize, lane: usize) -> CVec3 {
        let mut first = 0;
        let block = plan.blocks.iter().find(|b| {
            first += b.particles;
            mode < first
        });
        let mut out = [Complex64::ZERO; 3];
        let directions = block.map_or(&[][..], |b| &b.amplitudes[frame].directions);
        for (r, e) in directions.iter().enumerate() {
            let x = self.amplitudes[3 * mode + r];
            let x = Complex64::new(x.re.0[lane], x.im.0[lane]);
            for a in 0..3 {
                out[a] += e[a] * x;
            }
        }
        out
    }

    /// Solves the blocks of `plan` for one rotating-frame block `frame`.
    pub fn solve(&mut self, plan: &Plan, frame: usize) {
        #[cfg(target_arch = "x86_64")]
        if supported() {
            // SAFETY: the features were just found on this machine
            unsafe { solve_fused(self, plan, frame) };
            return;
        }
        solve(self, plan, frame);
    }
}

/// Whether this machine multiplies and adds vectors in one instruction, without which the general path is faster.
pub fn supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        cfg!(target_arch = "aarch64")
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn solve_fused(batch: &mut Batch, plan: &Plan, frame: usize) {
    solve(batch, plan, frame);
}

#[inline(always)]
fn turns(k: &[Real; 3], d: &Vec3) -> Real {
    k[0].scale(Real::splat(d[0])) + k[1].scale(Real::splat(d[1])) + k[2].scale(Real::splat(d[2]))
}

#[inline(always)]
fn solve(batch: &mut Batch, plan: &Plan, frame: usize) {
    batch.failed = Failed::default();
    batch.trig[0] = Real::splat(1.0);
    for (d, delta) in plan.deltas.iter().enumerate() {
        let (s, c) = sin_cos_turns(turns(&batch.k, delta));
        batch.trig[2 * d + 1] = c;
        batch.trig[2 * d + 2] = s;
    }
    for (weight, class) in batch.weights.iter_mut().zip(&plan.classes) {
        // the first class sets the phase, which no intensity shows
        *weight = if class.offset == [0.0; 3] {
            Complex::from_real(Real::splat(1.0))
        } else {
            let (s, c) = sin_cos_turns(turns(&batch.q, &class.offset));
            Complex { re: c, im: -s }
        };
        if let Some(ion) = class.ion {
            *weight = weight.scale(batch.ions[ion]);
        }
    }
    let mut first = 0;
    for block in &plan.blocks {
        let p = block.particles;
        let out = Out {
            energies: &mut batch.energies[first..first + p],
            amplitudes: &mut batch.amplitudes[3 * first..3 * (first + p)],
            failed: &mut batch.failed,
            buffer: &mut batch.buffer,
        };
        let given = Given { block, frame, trig: &batch.trig, weights: &batch.weights, floor: FLOOR * plan.scale };
        match (block.kind, block.size) {
            (Kind::Particles, 1) => single(&given, out),
            (Kind::Holes, 1) => {
                out.failed.require(value(&block.elements, 0, given.trig), given.floor);
            }
            (Kind::Pairs, 2) => pair(&given, out),
            _ if block.real => general::<Real>(&given, &mut batch.real, out),
            _ => general::<Complex>(&given, &mut batch.complex, out),
        }
        perpendicular(
            &block.amplitudes[frame],
            &batch.q_hat,
            &batch.amplitudes[3 * first..3 * (first + p)],
            &mut batch.intensities[first..first + p],
        );
        first += p;
    }
}

/// |amp|^2 - |q.amp|^2 of amp = sum_r direction_r amplitude_r, directions orthonormal.
#[inline(always)]
fn perpendicular(rows: &Rows, q_hat: &[Real; 3], amplitudes: &[Complex], out: &mut [Real]) {
    let mut along = [Complex::ZERO; 3];
    for (slot, e) in along.iter_mut().zip(&rows.directions) {
        for a in 0..3 {
            slot.re = slot.re.plus(q_hat[a], Real::splat(e[a].re));
            slot.im = slot.im.plus(q_hat[a], Real::splat(e[a].im));
        }
    }
    for (mode, slot) in out.iter_mut().enumerate() {
        let (mut total, mut projected) = (Real::ZERO, Complex::ZERO);
        for r in 0..rows.directions.len() {
            let x = amplitudes[3 * mode + r];
            total += x.norm_sqr();
            projected = projected.plus(x, along[r]);
        }
        *slot = (total - projected.norm_sqr()).map(|x| x.max(0.0));
    }
}

struct Given<'a> {
    block: &'a BlockPlan,
    frame: usize,
    trig: &'a [Real],
    weights: &'a [Complex],
    floor: f64,
}

struct Out<'a> {
    energies: &'a mut [Real],
    amplitudes: &'a mut [Complex],
    failed: &'a mut Failed,
    buffer: &'a mut [Complex],
}

#[inline(always)]
fn value(linear: &Linear, slot: usize, trig: &[Real]) -> Real {
    let mut sum = Real::ZERO;
    for &(index, coefficient) in &linear.terms[linear.starts[slot]..linear.starts[slot + 1]] {
        sum = sum.plus(trig[index], Real::splat(coefficient));
    }
    sum
}

/// Row r of the block's amplitudes at this Q: one number for each column.
#[inline(always)]
fn row(given: &Given, r: usize, out: &mut [Complex]) {
    out.fill(Complex::ZERO);
    for (class, column, c) in &given.block.amplitudes[given.frame].rows[r] {
        let c = Complex { re: Real::splat(c.re), im: Real::splat(c.im) };
        out[*column] = out[*column].plus(given.weights[*class], c);
    }
}

/// One particle: h is its energy.
#[inline(always)]
fn single(given: &Given, out: Out) {
    let e = value(&given.block.elements, 0, given.trig);
    out.energies[0] = out.failed.require(e, given.floor);
    for r in 0..given.block.amplitudes[given.frame].rows.len() {
        let mut y = [Complex::ZERO];
        row(given, r, &mut y);
        out.amplitudes[r] = y[0];
    }
}

/// One particle and one hole, h = [[a, b^*], [b, d]]: with s = (a + d)/2 and r = sqrt(s^2 - |b|^2),
/// w = (a - d)/2 + r and T = (s + r, -b) / sqrt(2 r (s + r)).
#[inline(always)]
fn pair(given: &Given, out: Out) {
    let (block, trig) = (given.block, given.trig);
    let element = |slot: usize| {
        if block.real {
            Complex { re: value(&block.elements, slot, trig), im: Real::ZERO }
        } else {
            Complex { re: value(&block.elements, 2 * slot, trig), im: value(&block.elements, 2 * slot + 1, trig) }
        }
    };
    let (a, b, d) = (element(0).re, element(1), element(2).re);
    let half = Real::splat(0.5);
    let (s, t) = ((a + d) * half, (a - d) * half);
    out.failed.require(a, given.floor);
    out.failed.require(d, given.floor);
    // determinant over trace: at most twice the lower eigenvalue
    let lowest = out.failed.require((a * d - b.norm_sqr()) * s.recip(), given.floor);
    let r = (t * t + lowest * s).sqrt();
    out.energies[0] = t + r;
    let norm = (Real::splat(2.0) * r * (s + r)).sqrt().recip();
    let (t0, t1) = ((s + r) * norm, -b.scale(norm));
    for i in 0..block.amplitudes[given.frame].rows.len() {
        let mut y = [Complex::ZERO; 2];
        row(given, i, &mut y);
        out.amplitudes[i] = y[0].scale(t0) + y[1] * t1;
    }
}

/// Real and imaginary parts as a field's elements and rows.
trait Field: Scalar {
    fn element(linear: &Linear, slot: usize, trig: &[Real]) -> Self;
    /// Field rows that one complex row needs.
    const ROWS: usize;
    fn split(row: &[Complex], out: &mut [Self]);
    /// The numbers per index of one of these rows.
    const PARTS: usize;
    fn parts(self, out: &mut [Real]);
}

impl Field for Real {
    const ROWS: usize = 2;
    const PARTS: usize = 1;

    #[inline(always)]
    fn element(linear: &Linear, slot: usize, trig: &[Real]) -> Self {
        value(linear, slot, trig)
    }

    #[inline(always)]
    fn split(row: &[Complex], out: &mut [Self]) {
        let n = row.len();
        for (i, z) in row.iter().enumerate() {
            out[i] = z.re;
            out[n + i] = z.im;
        }
    }

    #[inline(always)]
    fn parts(self, out: &mut [Real]) {
        out[0] = self;
    }
}

impl Field for Complex {
    const ROWS: usize = 1;
    const PARTS: usize = 2;

    #[inline(always)]
    fn element(linear: &Linear, slot: usize, trig: &[Real]) -> Self {
        Self { re: value(linear, 2 * slot, trig), im: value(linear, 2 * slot + 1, trig) }
    }

    #[inline(always)]
    fn split(row: &[Complex], out: &mut [Self]) {
        out.copy_from_slice(row);
    }

    #[inline(always)]
    fn parts(self, out: &mut [Real]) {
        out[0] = self.re;
        out[1] = self.im;
    }
}

#[inline(always)]
fn fill<T: Field>(n: usize, linear: &Linear, from: usize, trig: &[Real], out: &mut [T]) {
    let mut slot = from;
    for j in 0..n {
        for i in j..n {
            out[i + j * n] = T::element(linear, slot, trig);
            slot += 1;
        }
    }
}

#[inline(always)]
fn general<T: Field>(given: &Given, scratch: &mut Scratch<T>, out: Out) {
    let block = given.block;
    let Out { energies, amplitudes, failed, buffer } = out;
    let rank = block.amplitudes[given.frame].rows.len();
    let mirror = block.kind == Kind::Mirror;
    // order of the Hermitian problem, and the rows turned along with it
    let n = if mirror { block.particles } else { block.size };
    let per = T::ROWS * if mirror { 2 } else { 1 };
    let rows = &mut scratch.rows[..rank * per * n];
    let (a, b, m) = (&mut scratch.a[..n * n], &mut scratch.b[..n * n], &mut scratch.m[..n * n]);
    let buffer = &mut buffer[..block.size];
    for r in 0..rank {
        row(given, r, buffer);
        let target = &mut rows[r * per * n..(r + 1) * per * n];
        if mirror {
            // sums for s = t_p + t_h, differences for t_p - t_h
            let half = Real::splat(0.5);
            for i in 0..n {
                let (x, y) = (buffer[i], buffer[n + i]);
                buffer[i] = (x + y).scale(half);
                buffer[n + i] = (x - y).scale(half);
            }
            let (sums, differences) = target.split_at_mut(T::ROWS * n);
            T::split(&buffer[..n], sums);
            T::split(&buffer[n..2 * n], differences);
        } else {
            T::split(buffer, target);
        }
    }
    match block.kind {
        Kind::Particles => fill(n, &block.elements, 0, given.trig, m),
        Kind::Holes => {
            fill(n, &block.elements, 0, given.trig, a);
            cholesky(n, a, &mut scratch.inverse, given.floor, failed);
            return;
        }
        Kind::Pairs => {
            fill(n, &block.elements, 0, given.trig, a);
            cholesky(n, a, &mut scratch.inverse, given.floor, failed);
            signature(n, block.particles, a, m);
            for y in rows.chunks_exact_mut(n) {
                solve_row(n, a, &scratch.inverse, y);
            }
        }
        Kind::Mirror => {
            fill(n, &block.elements, 0, given.trig, a);
            fill(n, &block.elements, n * (n + 1) / 2, given.trig, b);
            cholesky(n, a, &mut scratch.inverse, given.floor, failed);
            for group in rows.chunks_exact_mut(per * n) {
                let (sums, differences) = group.split_at_mut(T::ROWS * n);
                for y in sums.chunks_exact_mut(n) {
                    solve_row(n, a, &scratch.inverse, y);
                }
                for y in differences.chunks_exact_mut(n) {
                    multiply_row(n, a, y);
                }
            }
            congruence(n, a, b, &mut scratch.c[..n * n], m);
        }
    }
    tridiagonalise(n, m, &mut scratch.d, &mut scratch.e, rows, &mut scratch.work);
    let width = rank * per * T::PARTS;
    let z = &mut scratch.z[..width * n];
    for i in 0..n {
        for (r, y) in rows.chunks_exact(n).enumerate() {
            let slot = i * width + r * T::PARTS;
            y[i].parts(&mut z[slot..slot + T::PARTS]);
        }
    }
    ql(n, &mut scratch.d, &mut scratch.e, z, width, failed);
    if block.kind == Kind::Pairs {
        positive_first(block.particles, n, &mut scratch.d, z, width, given.floor, failed);
    }
    // a mirror block holds w^2
    let scale = given.floor / FLOOR;
    let floor = if mirror { FLOOR * scale * scale } else { given.floor };
    for (mode, energy) in energies.iter_mut().enumerate() {
        let value = failed.require(scratch.d[mode], floor);
        *energy = if mirror { value.sqrt() } else { value };
        let root = energy.sqrt();
        for r in 0..rank {
            let part = width / rank;
            let y = &z[mode * width + r * part..mode * width + (r + 1) * part];
            let out = &mut amplitudes[3 * mode + r];
            *out = match block.kind {
                Kind::Particles | Kind::Holes => Complex { re: y[0], im: y[1] },
                Kind::Pairs => Complex { re: y[0] * root, im: y[1] * root },
                Kind::Mirror => {
                    let inverse = root.recip();
                    Complex { re: (y[0] * root).plus(y[2], inverse), im: (y[1] * root).plus(y[3], inverse) }
                }
            };
        }
    }
}

/// Moves the `count` positive eigenvalues of each lane to the front; marks lanes that have another number of them.
#[inline(always)]
fn positive_first(
    count: usize,
    n: usize,
    d: &mut [Real],
    z: &mut [Real],
    width: usize,
    floor: f64,
    failed: &mut Failed,
) {
    for l in 0..LANES {
        let mut mode = 0;
        for m in 0..n {
            if d[m].0[l] > floor {
                if mode < count && mode != m {
                    d[mode].0[l] = d[m].0[l];
                    for r in 0..width {
                        z[mode * width + r].0[l] = z[m * width + r].0[l];
                    }
                }
                mode += 1;
            }
        }
        failed.0[l] |= mode != count;
    }
}
