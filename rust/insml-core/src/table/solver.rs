//! Energies and products of amplitudes at `LANES` wave vectors at once.

use crate::error::{Error, Result};
use crate::lanes::factor::Failed;
use crate::lanes::trig::sin_cos_turns;
use crate::lanes::{Complex, LANES, Real, Scalar};
use crate::spinwave::bogoliubov::Bogoliubov;
use crate::spinwave::derivative::modes::{FLOOR, mirrored, paired};
use crate::spinwave::derivative::plan::BlockPlan;
use crate::spinwave::derivative::scratch::{Field, Scratch};
use crate::table::Modes;
use crate::table::reduced::Reduced;
use crate::vec3::Vec3;

/// Steps (r.l.u. of the magnetic cell) to the side at which a wave vector is tried again where a mode has no energy.
const ASIDE: [f64; 3] = [1e-6, 1e-4, 1e-3];
const ANYWHERE: [f64; 3] = [0.6, 0.8, 0.3];
/// Steps at which stability is asked for where that does not help.
const AROUND: [f64; 2] = [1e-2, 1e-1];
/// Of eigenvalues, in units of the Hamiltonian's scale.
const ROUNDING: f64 = 1e-11;

/// Scratch of one thread.
pub struct Solver<'a> {
    modes: &'a Modes<'a>,
    trig: Vec<Real>,
    failed: Failed,
    real: Scratch<Real>,
    complex: Scratch<Complex>,
    dense: Bogoliubov,
    room: Room,
}

impl<'a> Solver<'a> {
    pub fn new(modes: &'a Modes<'a>) -> Self {
        let plan = &modes.plan;
        let largest = |real: bool| plan.blocks.iter().filter(|b| b.real == real).map(|b| b.size).max().unwrap_or(0);
        Self {
            modes,
            trig: vec![Real::ZERO; 2 * plan.deltas.len() + 1],
            failed: Failed::default(),
            real: Scratch::new(largest(true)),
            complex: Scratch::new(largest(false)),
            dense: Bogoliubov::new(modes.hamiltonian.n()),
            room: Room::default(),
        }
    }

    /// At up to `LANES` wave vectors (r.l.u. of the magnetic cell): for each its energies, block by block and ascending
    /// within, and energy times products of each mode, unless `products` is empty.
    pub fn solve<T: Number>(&mut self, k: &[Vec3], energies: &mut [T], products: &mut [T]) -> Result<()> {
        let (modes, width) = (self.modes.count, self.modes.width);
        self.blocks(k, energies, products);
        let failed = self.failed.0;
        for l in (0..k.len()).filter(|&l| failed[l]) {
            // an unstable point says so here
            self.dense.solve(self.modes.hamiltonian, &self.modes.hamiltonian.chemical(&k[l]))?;
            let e = &mut energies[l * modes..(l + 1) * modes];
            let p = if products.is_empty() { &mut [] } else { &mut products[l * width..(l + 1) * width] };
            let beside = |step: f64, turn: [f64; 3]| -> Vec3 { std::array::from_fn(|a| k[l][a] + step * turn[a]) };
            let found = ASIDE.iter().any(|step| {
                self.blocks(&[beside(*step, ANYWHERE)], e, p);
                !self.failed.0[0]
            });
            if !found {
                // an instability too weak for any one point, or one that is just stable here, shows where nothing counts as
                // rounding that is not
                let hamiltonian = self.modes.hamiltonian;
                for turn in [ANYWHERE, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
                    for step in [0.0].iter().chain(&ASIDE).chain(&AROUND) {
                        let q = hamiltonian.chemical(&beside(*step, turn));
                        let lowest_eigenvalue = self.dense.lowest(hamiltonian, &q)?;
                        if lowest_eigenvalue < -ROUNDING * hamiltonian.scale {
                            return Err(Error::Unstable { q, lowest_eigenvalue });
                        }
                    }
                }
                return Err(Error::Numerical(format!(
                    "spin waves at {:?}: no modes of positive energy beside it",
                    k[l]
                )));
            }
        }
        Ok(())
    }

    fn blocks<T: Number>(&mut self, k: &[Vec3], energies: &mut [T], products: &mut [T]) {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { self.blocks_fused(k, energies, products) };
            return;
        }
        self.blocks_plain(k, energies, products);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn blocks_fused<T: Number>(&mut self, k: &[Vec3], energies: &mut [T], products: &mut [T]) {
        self.blocks_plain(k, energies, products);
    }

    #[inline(always)]
    fn blocks_plain<T: Number>(&mut self, k: &[Vec3], energies: &mut [T], products: &mut [T]) {
        let plan = &self.modes.plan;
        self.failed = Failed::default();
        self.trig[0] = Real::splat(1.0);
        for (d, delta) in plan.deltas.iter().enumerate() {
            let mut turns = Real::ZERO;
            for l in 0..LANES {
                let k = &k[l.min(k.len() - 1)];
                turns.0[l] = k[0] * delta[0] + k[1] * delta[1] + k[2] * delta[2];
            }
            let (s, c) = sin_cos_turns(turns);
            self.trig[2 * d + 1] = c;
            self.trig[2 * d + 2] = s;
        }
        let (mut mode, mut product) = (0, 0);
        for (block, reduced) in plan.blocks.iter().zip(&self.modes.reduced) {
            let floor = FLOOR * plan.scale;
            let mut sink = Sink {
                reduced,
                lanes: k.len(),
                at: (mode, product),
                stride: (self.modes.count, self.modes.width),
                room: &mut self.room,
            };
            if block.real {
                solve(block, &self.trig, floor, &mut self.real, &mut self.failed);
                sink.put(block.size, &self.real, energies, products);
            } else {
                solve(block, &self.trig, floor, &mut self.complex, &mut self.failed);
                sink.put(block.size, &self.complex, energies, products);
            }
            mode += reduced.modes;
            product += reduced.modes * reduced.products();
        }
    }
}

/// Called by name, so that it is compiled with the features of its caller.
#[inline(always)]
fn solve<F: Field>(block: &BlockPlan, trig: &[Real], floor: f64, scratch: &mut Scratch<F>, failed: &mut Failed) {
    if block.mirror {
        mirrored(block, trig, floor, scratch, failed);
    } else {
        paired(block, trig, floor, scratch, failed);
    }
}

/// What tables (f32) and exact spectra (f64) are made of.
pub trait Number: Copy {
    fn of(x: f64) -> Self;
}

impl Number for f32 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
}

impl Number for f64 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
}

/// Where the modes of one block go.
struct Sink<'a> {
    reduced: &'a Reduced,
    lanes: usize,
    /// First mode and first product of the block, and how many of each a wave vector has.
    at: (usize, usize),
    stride: (usize, usize),
    room: &'a mut Room,
}

#[derive(Default)]
struct Room {
    z: Vec<Complex>,
    products: Vec<Real>,
    order: Vec<usize>,
}

impl Sink<'_> {
    #[inline(always)]
    fn put<F: Field, T: Number>(&mut self, size: usize, scratch: &Scratch<F>, energies: &mut [T], products: &mut [T]) {
        let each = self.reduced.products();
        let Room { z, products: found, order } = &mut *self.room;
        found.clear();
        if !products.is_empty() {
            for m in 0..self.reduced.modes {
                z.clear();
                for b in &self.reduced.basis {
                    let mut sum = Complex::ZERO;
                    for (b, t) in b.iter().zip(&scratch.t[m * size..(m + 1) * size]) {
                        sum = t.into_amplitude(sum, Complex { re: Real::splat(b.re), im: Real::splat(b.im) });
                    }
                    z.push(sum);
                }
                let energy = scratch.d[m];
                self.reduced.multiply(z, |x| found.push(x.scale(energy)));
            }
        }
        for l in 0..self.lanes {
            order.clear();
            order.extend(0..self.reduced.modes);
            order.sort_unstable_by(|&a, &b| scratch.d[a].0[l].total_cmp(&scratch.d[b].0[l]));
            for (rank, &m) in order.iter().enumerate() {
                energies[l * self.stride.0 + self.at.0 + rank] = T::of(scratch.d[m].0[l]);
                if !products.is_empty() {
                    let slot = l * self.stride.1 + self.at.1 + rank * each;
                    for (to, from) in products[slot..slot + each].iter_mut().zip(&found[m * each..(m + 1) * each]) {
                        *to = T::of(from.0[l]);
                    }
                }
            }
        }
    }
}
