//! What the products of a table are multiplied by to give intensities: form factors, phases and polarisation at Q.

use crate::lanes::trig::sin_cos_turns;
use crate::lanes::{Complex, LANES, Real, Scalar};
use crate::lattice::Lattice;
use crate::table::Modes;
use crate::vec3::{Vec3, norm, scale};

/// A wave vector as products see it.
#[derive(Clone, Copy)]
pub struct Place {
    /// r.l.u. of the magnetic cell, and how far that is from where the modes are taken.
    k: Vec3,
    shift: Vec3,
    /// 1/Angstrom^2.
    q_squared: f64,
    direction: Vec3,
}

impl Place {
    pub fn new(modes: &Modes, lattice: &Lattice, hkl: &Vec3) -> Self {
        let q = lattice.q_cartesian(hkl);
        let length = norm(&q).max(1e-12);
        let k = modes.hamiltonian.magnetic(hkl);
        Self { k, shift: [0.0; 3], q_squared: length * length, direction: scale(&q, 1.0 / length) }
    }

    /// The same with modes taken at k less `shift`, where they are the same modes.
    pub fn shifted(self, shift: Vec3) -> Self {
        Self { shift, ..self }
    }

    pub fn k(&self) -> &Vec3 {
        &self.k
    }
}

/// Scratch of one thread.
#[derive(Default)]
pub struct Weigher {
    factors: Vec<f64>,
    /// Form factor of each ion in each lane.
    ions: Vec<Real>,
    weights: Vec<Complex>,
    room: Vec<([Complex; 3], Complex)>,
    out: Vec<Real>,
}

impl Weigher {
    /// At up to `LANES` places, for S_perp: weights of the products of each block, one block after the other.
    pub fn weigh(&mut self, modes: &Modes, places: &[Place]) -> &[Real] {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { self.weigh_fused(modes, places) };
            return &self.out;
        }
        self.weigh_plain(modes, places);
        &self.out
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn weigh_fused(&mut self, modes: &Modes, places: &[Place]) {
        self.weigh_plain(modes, places);
    }

    #[inline(always)]
    fn weigh_plain(&mut self, modes: &Modes, places: &[Place]) {
        let place = |l: usize| &places[l.min(places.len() - 1)];
        self.ions.clear();
        self.ions.resize(modes.amplitudes.ions(), Real::ZERO);
        for l in 0..LANES {
            modes.amplitudes.form_factors(place(l).q_squared, &mut self.factors);
            for (ion, f) in self.ions.iter_mut().zip(&self.factors) {
                ion.0[l] = *f;
            }
        }
        let part = |of: fn(&Place) -> &Vec3| -> [Real; 3] {
            std::array::from_fn(|a| {
                let mut x = Real::ZERO;
                for l in 0..LANES {
                    x.0[l] = of(place(l))[a];
                }
                x
            })
        };
        let (k, shift, direction) = (part(|p| &p.k), part(|p| &p.shift), part(|p| &p.direction));
        self.weights.clear();
        for class in modes.classes() {
            let mut turns = Real::ZERO;
            for a in 0..3 {
                turns = turns.minus(k[a] - shift[a], Real::splat(class.offset[a]));
                turns = turns.minus(shift[a], Real::splat(class.position[a]));
            }
            let (im, re) = sin_cos_turns(turns);
            let factor = class.ion.map_or(Real::splat(1.0), |ion| self.ions[ion]);
            self.weights.push(Complex { re, im }.scale(factor));
        }
        self.out.clear();
        for block in &modes.reduced {
            block.weigh(&self.weights, &direction, &mut self.room, &mut self.out);
        }
    }
}
