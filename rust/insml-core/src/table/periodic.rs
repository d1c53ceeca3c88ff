//! A table over one period of the wave vector, for any wave vector.
//!
//! At k + G, G a reciprocal vector of the magnetic cell, every site's amplitude turns by a phase of its own. Where sites that
//! a block's projector joins turn together, the block is the same; where sites of a class do, the phase is a factor of the
//! class. Both hold for G a few times as long as the cell asks for.

use crate::error::{Error, Result};
use crate::lanes::{LANES, Real};
use crate::lattice::Lattice;
use crate::parallel::for_each;
use crate::table::weigh::{Place, Weigher};
use crate::table::{Grid, Modes, Table};
use crate::vec3::{Vec3, dot};

/// Longest period that is looked for, r.l.u. of the magnetic cell.
const LONGEST: usize = 48;
/// Wave vectors that a thread takes at a time.
const CHUNK: usize = 512;

pub struct PeriodicTable {
    pub period: [f64; 2],
    pub table: Table,
}

impl PeriodicTable {
    /// Nodes at most `step` apart (r.l.u. of the magnetic cell), an even number per period, so that they lie on the zone's
    /// special points. `limit`: bytes.
    pub fn build(modes: &Modes, step: f64, limit: usize, threads: usize) -> Result<Self> {
        let period = period(modes)?;
        let nodes = period.map(|p| 2 * (p as f64 / (2.0 * step)).ceil().max(1.0) as usize);
        let bytes = 4 * (nodes[0] + 1) * (nodes[1] + 1) * (modes.count + modes.width);
        if bytes > limit {
            return Err(Error::Model(format!("table: expected at most {limit} bytes, found that it takes {bytes}")));
        }
        let grid = Grid {
            first: [0, 0],
            count: nodes.map(|n| n + 1),
            step: std::array::from_fn(|a| period[a] as f64 / nodes[a] as f64),
        };
        Ok(Self { period: period.map(|p| p as f64), table: Table::build(modes, grid, threads)? })
    }

    /// Energies and S_perp at wave vectors in r.l.u. of the chemical cell, (q, modes) each, ascending.
    pub fn spectrum(
        &self,
        modes: &Modes,
        lattice: &Lattice,
        q: &[Vec3],
        energies: &mut [f64],
        intensities: &mut [f64],
        threads: usize,
    ) {
        let count = modes.count;
        let pieces = q.chunks(CHUNK).zip(energies.chunks_mut(CHUNK * count).zip(intensities.chunks_mut(CHUNK * count)));
        for_each(threads, pieces, Room::default, |room, (q, (energies, intensities))| {
            let mut weigher = std::mem::take(&mut room.weigher);
            for (i, some) in q.chunks(LANES).enumerate() {
                let mut folded = [[0.0; 2]; LANES];
                let places: Vec<Place> = (some.iter().zip(&mut folded))
                    .map(|(q, folded)| {
                        let place = Place::new(modes, lattice, q);
                        let xi = modes.xi(place.k());
                        let whole: [f64; 2] =
                            std::array::from_fn(|a| (xi[a] / self.period[a]).floor() * self.period[a]);
                        *folded = std::array::from_fn(|a| xi[a] - whole[a]);
                        place.shifted(modes.k(whole))
                    })
                    .collect();
                let weights = weigher.weigh(modes, &places);
                for (l, xi) in folded.iter().enumerate().take(some.len()) {
                    let at = (i * LANES + l) * count;
                    let out = (&mut energies[at..at + count], &mut intensities[at..at + count]);
                    self.one(modes, *xi, weights, l, room, out);
                }
            }
            room.weigher = weigher;
            None::<()>
        });
    }

    /// Modes of one wave vector, ascending.
    fn one(
        &self,
        modes: &Modes,
        xi: [f64; 2],
        weights: &[Real],
        lane: usize,
        room: &mut Room,
        out: (&mut [f64], &mut [f64]),
    ) {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { self.one_fused(modes, xi, weights, lane, room, out) };
            return;
        }
        self.one_plain(modes, xi, weights, lane, room, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn one_fused(
        &self,
        modes: &Modes,
        xi: [f64; 2],
        weights: &[Real],
        lane: usize,
        room: &mut Room,
        out: (&mut [f64], &mut [f64]),
    ) {
        self.one_plain(modes, xi, weights, lane, room, out);
    }

    #[inline(always)]
    fn one_plain(
        &self,
        modes: &Modes,
        xi: [f64; 2],
        weights: &[Real],
        lane: usize,
        room: &mut Room,
        (energies, intensities): (&mut [f64], &mut [f64]),
    ) {
        let Table { grid, energies: known, products } = &self.table;
        let (node, [x, y]) = grid.cell(xi);
        let share = [(1.0 - x) * (1.0 - y), (1.0 - x) * y, x * (1.0 - y), x * y];
        let nodes = [node, node + 1, node + grid.count[1], node + grid.count[1] + 1];
        mix(&share, nodes.map(|n| &known[n * modes.count..(n + 1) * modes.count]), &mut room.energies);
        mix(&share, nodes.map(|n| &products[n * modes.width..(n + 1) * modes.width]), &mut room.products);
        let (mut mode, mut product, mut first) = (0, 0, 0);
        for block in &modes.reduced {
            let each = block.products();
            for _ in 0..block.modes {
                let energy = f64::from(room.energies[mode]);
                let own = &room.products[product..product + each];
                let strength: f64 =
                    own.iter().zip(&weights[first..first + each]).map(|(x, w)| w.0[lane] * f64::from(*x)).sum();
                let intensity = (strength / energy.max(1e-9)).max(0.0);
                // into its place among those that are there
                let mut place = mode;
                while place > 0 && energies[place - 1] > energy {
                    (energies[place], intensities[place]) = (energies[place - 1], intensities[place - 1]);
                    place -= 1;
                }
                (energies[place], intensities[place]) = (energy, intensity);
                mode += 1;
                product += each;
            }
            first += each;
        }
    }
}

/// Scratch of one thread.
#[derive(Default)]
struct Room {
    weigher: Weigher,
    energies: Vec<f32>,
    products: Vec<f32>,
}

/// Weighted sum of the four corners of a cell.
#[inline(always)]
fn mix(share: &[f32; 4], [a, b, c, d]: [&[f32]; 4], out: &mut Vec<f32>) {
    out.resize(a.len(), 0.0);
    for (((out, a), (b, c)), d) in out.iter_mut().zip(a).zip(b.iter().zip(c)).zip(d) {
        *out = share[0] * a + share[1] * b + share[2] * c + share[3] * d;
    }
}

/// Smallest whole numbers that make all `repeats` whole, along both components.
fn period(modes: &Modes) -> Result<[usize; 2]> {
    let refused = || {
        Error::Model(format!(
            "table: expected modes that repeat within {LONGEST} r.l.u. of the magnetic cell along two of its axes, found others"
        ))
    };
    // components along axes of the cell
    if modes.basis.iter().flatten().any(|x| *x != 0.0 && *x != 1.0) {
        return Err(refused());
    }
    let mut out = [1; 2];
    for (a, out) in out.iter_mut().enumerate() {
        let whole = |p: usize| {
            modes.repeats.iter().all(|d| {
                let x = p as f64 * dot(&modes.basis[a], d);
                (x - x.round()).abs() < 1e-7
            })
        };
        *out = (1..=LONGEST).find(|p| whole(*p)).ok_or_else(refused)?;
    }
    Ok(out)
}
