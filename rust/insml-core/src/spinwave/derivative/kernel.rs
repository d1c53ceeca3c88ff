//! Responses block by block, `LANES` wave vectors at once.

use crate::lanes::factor::Failed;
use crate::lanes::trig::sin_cos_turns;
use crate::lanes::{Complex, Real, Scalar};
use crate::spinwave::blocks::plan::Rows;
use crate::spinwave::derivative::modes::{FLOOR, fill, mirrored, paired};
use crate::spinwave::derivative::plan::{BlockPlan, Plan};
use crate::spinwave::derivative::response::Response;
use crate::spinwave::derivative::scratch::{Field, Scratch};
use crate::vec3::Vec3;
use std::f64::consts::FRAC_1_SQRT_2;

/// Wave vectors in, responses out, and the scratch in between. One per thread.
pub struct Batch {
    /// Q in r.l.u. of the magnetic cell by component, and its direction, Cartesian.
    pub q: [Real; 3],
    pub q_hat: [Real; 3],
    /// Form factor of each ion.
    pub ions: Vec<Real>,
    /// Lanes that must take the general path.
    pub failed: Failed,
    out: Out,
    trig: Vec<Real>,
    weights: Vec<Complex>,
    real: Scratch<Real>,
    complex: Scratch<Complex>,
    size: usize,
}

/// As in `Response`.
struct Out {
    energy: Vec<Real>,
    intensity: Vec<Real>,
    slope: Vec<Real>,
    outer: Vec<Real>,
    mixing: Vec<Real>,
}

impl Batch {
    pub fn new(plan: &Plan) -> Self {
        let largest = |real: bool| plan.blocks.iter().filter(|b| b.real == real).map(|b| b.size).max().unwrap_or(0);
        let n: usize = plan.particles.iter().sum();
        let np = plan.blocks.first().map_or(0, |b| b.slopes.len());
        let pairs: usize = plan.particles.iter().map(|p| p * p.saturating_sub(1) / 2).sum();
        Self {
            q: [Real::ZERO; 3],
            q_hat: [Real::ZERO; 3],
            ions: Vec::new(),
            failed: Failed::default(),
            out: Out {
                energy: vec![Real::ZERO; n],
                intensity: vec![Real::ZERO; n],
                slope: vec![Real::ZERO; n * np],
                outer: vec![Real::ZERO; n * np],
                mixing: vec![Real::ZERO; pairs * np],
            },
            trig: vec![Real::ZERO; 2 * plan.deltas.len() + 1],
            weights: vec![Complex::ZERO; plan.classes.len()],
            real: Scratch::new(largest(true)),
            complex: Scratch::new(largest(false)),
            size: n,
        }
    }

    /// One lane's answer.
    pub fn response(&self, lane: usize, out: &mut Response) {
        let from = [&self.out.energy, &self.out.intensity, &self.out.slope, &self.out.outer, &self.out.mixing];
        let to = [&mut out.energy, &mut out.intensity, &mut out.slope, &mut out.outer, &mut out.mixing];
        for (to, from) in to.into_iter().zip(from) {
            for (slot, x) in to.iter_mut().zip(from) {
                *slot = x.0[lane];
            }
        }
    }

    /// Solves the rotating-frame block `frame`, whose wave vector is q + shift (r.l.u. of the magnetic cell).
    pub fn solve(&mut self, plan: &Plan, frame: usize, shift: &Vec3) {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { solve_fused(self, plan, frame, shift) };
            return;
        }
        solve(self, plan, frame, shift);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn solve_fused(batch: &mut Batch, plan: &Plan, frame: usize, shift: &Vec3) {
    solve(batch, plan, frame, shift);
}

#[inline(always)]
fn turns(k: &[Real; 3], d: &Vec3) -> Real {
    k[0].scale(Real::splat(d[0])) + k[1].scale(Real::splat(d[1])) + k[2].scale(Real::splat(d[2]))
}

#[inline(always)]
fn solve(batch: &mut Batch, plan: &Plan, frame: usize, shift: &Vec3) {
    batch.failed = Failed::default();
    let k: [Real; 3] = std::array::from_fn(|a| batch.q[a].map(|x| x + shift[a]));
    batch.trig[0] = Real::splat(1.0);
    for (d, delta) in plan.deltas.iter().enumerate() {
        let (s, c) = sin_cos_turns(turns(&k, delta));
        batch.trig[2 * d + 1] = c;
        batch.trig[2 * d + 2] = s;
    }
    for (weight, class) in batch.weights.iter_mut().zip(&plan.classes) {
        let (s, c) = sin_cos_turns(turns(&batch.q, &class.offset));
        *weight = Complex { re: c, im: -s };
        if let Some(ion) = class.ion {
            *weight = weight.scale(batch.ions[ion]);
        }
    }
    let mut at = At { mode: 0, pair: 0, modes: batch.size, pairs: 0 };
    at.pairs = plan.particles.iter().map(|p| p * p.saturating_sub(1) / 2).sum();
    for block in &plan.blocks {
        let given = Given {
            block,
            frame,
            trig: &batch.trig,
            weights: &batch.weights,
            q_hat: &batch.q_hat,
            floor: FLOOR * plan.scale,
            at,
        };
        if block.real {
            respond::<Real>(&given, &mut batch.real, &mut batch.out, &mut batch.failed);
        } else {
            respond::<Complex>(&given, &mut batch.complex, &mut batch.out, &mut batch.failed);
        }
        at.mode += block.particles;
        at.pair += block.particles * block.particles.saturating_sub(1) / 2;
    }
}

/// Where a block's first mode and pair are, and how many there are in all.
#[derive(Clone, Copy)]
struct At {
    mode: usize,
    pair: usize,
    modes: usize,
    pairs: usize,
}

struct Given<'a> {
    block: &'a BlockPlan,
    frame: usize,
    trig: &'a [Real],
    weights: &'a [Complex],
    q_hat: &'a [Real; 3],
    floor: f64,
    at: At,
}

/// a^+ b
#[inline(always)]
fn inner<T: Field>(a: &[T], b: &[T]) -> T {
    let mut sum = T::ZERO;
    for i in 0..a.len() {
        sum = sum.plus(a[i].conj(), b[i]);
    }
    sum
}

#[inline(always)]
fn respond<T: Field>(given: &Given, scratch: &mut Scratch<T>, out: &mut Out, failed: &mut Failed) {
    let block = given.block;
    let (n, p) = (block.size, block.particles);
    if block.mirror {
        mirrored(block, given.trig, given.floor, scratch, failed);
    } else {
        paired(block, given.trig, given.floor, scratch, failed);
    }
    if p == 0 {
        return;
    }
    overlaps(given, scratch, out);
    let Scratch { form, t, outer, overlap, work, .. } = scratch;
    let y = &mut work[..n];
    let at = &given.at;
    let part = if block.mirror { p } else { n };
    let form = &mut form[..n * part];
    for (parameter, slope) in block.slopes.iter().enumerate() {
        let mut slot = 0;
        for square in form.chunks_exact_mut(part * part) {
            slot = fill(part, slope, slot, given.trig, true, square);
        }
        let mut pair = parameter * at.pairs + at.pair;
        for m in 0..p {
            let column = &t[m * n..(m + 1) * n];
            y.fill(T::ZERO);
            for (square, (x, y)) in
                form.chunks_exact(part * part).zip(column.chunks_exact(part).zip(y.chunks_exact_mut(part)))
            {
                for j in 0..part {
                    for i in 0..part {
                        y[i] = y[i].plus(square[i + j * part], x[j]);
                    }
                }
            }
            let mode = parameter * at.modes + at.mode + m;
            out.slope[mode] = inner(column, y).re();
            out.outer[mode] = inner(&outer[m * n..(m + 1) * n], y).re();
            for other in 0..m {
                out.mixing[pair] = (inner(&t[other * n..(other + 1) * n], y) * overlap[m * n + other]).re();
                pair += 1;
            }
        }
    }
}

/// Energies and intensities, W between modes of positive energy, and mixing with those of negative energy as vectors.
#[inline(always)]
fn overlaps<T: Field>(given: &Given, scratch: &mut Scratch<T>, out: &mut Out) {
    let (n, p) = (given.block.size, given.block.particles);
    let Rows { directions, rows } = &given.block.amplitudes[given.frame];
    let (t, row) = (&scratch.t, &mut scratch.row[..n]);
    scratch.along[..n].fill(Complex::ZERO);
    for (r, (direction, terms)) in directions.iter().zip(rows).enumerate() {
        row.fill(Complex::ZERO);
        for (class, column, c) in terms {
            let c = Complex { re: Real::splat(c.re), im: Real::splat(c.im) };
            row[*column] = row[*column].plus(given.weights[*class], c);
        }
        if given.block.mirror {
            let half = Real::splat(FRAC_1_SQRT_2);
            for i in 0..p {
                let (x, y) = (row[i], row[p + i]);
                row[i] = (x + y).scale(half);
                row[p + i] = (x - y).scale(half);
            }
        }
        let mut along = Complex::ZERO;
        for a in 0..3 {
            along.re = along.re.plus(given.q_hat[a], Real::splat(direction[a].re));
            along.im = along.im.plus(given.q_hat[a], Real::splat(direction[a].im));
        }
        for m in 0..n {
            let mut sum = Complex::ZERO;
            for i in 0..n {
                sum = t[m * n + i].into_amplitude(sum, row[i]);
            }
            scratch.amplitudes[3 * m + r] = sum;
            scratch.along[m] = scratch.along[m].plus(along, sum);
        }
    }
    let rank = directions.len();
    let (amplitudes, along) = (&scratch.amplitudes, &scratch.along);
    let overlap = |a: usize, b: usize| {
        let mut sum = Complex::ZERO;
        for r in 0..rank {
            sum = sum.plus(amplitudes[3 * a + r].conj(), amplitudes[3 * b + r]);
        }
        sum.minus(along[a].conj(), along[b])
    };
    for m in 0..p {
        out.energy[given.at.mode + m] = scratch.d[m];
        out.intensity[given.at.mode + m] = overlap(m, m).re.map(|x| x.max(0.0));
        for other in 0..m {
            scratch.overlap[m * n + other] = T::of(overlap(m, other));
        }
        let outer = &mut scratch.outer[m * n..(m + 1) * n];
        outer.fill(T::ZERO);
        for other in p..n {
            let factor = (scratch.d[other] - scratch.d[m]).recip().scale(Real::splat(2.0));
            let factor = T::of(overlap(m, other)).conj().scale(factor);
            for i in 0..n {
                outer[i] = outer[i].plus(t[other * n + i], factor);
            }
        }
    }
}
