//! What the products of a table are multiplied by to give intensities: form factors, phases and polarisation at Q.

use crate::lanes::trig::sin_cos_turns;
use crate::lanes::{Complex, LANES, Real, Scalar};
use crate::lattice::Lattice;
use crate::table::Modes;
use crate::vec3::{Vec3, norm, scale};

/// A wave vector as products see it.
#[derive(Clone, Copy)]
pub struct Place {
    /// r.l.u. of the magnetic cell.
    k: Vec3,
    /// 1/Angstrom^2.
    q_squared: f64,
    direction: Vec3,
}

impl Place {
    pub fn new(modes: &Modes, lattice: &Lattice, hkl: &Vec3) -> Self {
        let q = lattice.q_cartesian(hkl);
        let length = norm(&q).max(1e-12);
        Self { k: modes.hamiltonian.magnetic(hkl), q_squared: length * length, direction: scale(&q, 1.0 / length) }
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
        let (k, direction) = (part(|p| &p.k), part(|p| &p.direction));
        self.weights.clear();
        for class in modes.classes() {
            let mut turns = Real::ZERO;
            for (k, r) in k.iter().zip(&class.offset) {
                turns = turns.minus(*k, Real::splat(*r));
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
