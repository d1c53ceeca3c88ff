//! Modes that cells bring into reach of a slice, and what the slice sees of each.

use crate::convolution::footprint::MOMENTS;
use crate::convolution::kernel::PACK;
use crate::convolution::sheet::Raster;
use crate::convolution::slice::Slice;
use crate::convolution::third::MEV_ANGSTROM2;
use crate::vec3::{Vec3, dot};

/// What all cells have in common, for one slice.
pub struct Meeting<'a> {
    pub slice: &'a Slice,
    window: [f32; 2],
    /// dE/dk of the incident and the scattered neutron, meV Angstrom.
    neutron: [f32; 2],
    variance: [f32; 3],
    /// Full widths of a cell.
    cell: [f32; 2],
    /// Steps along both axes for a step of 1/Angstrom along ki.
    ki: [f32; 2],
    /// Variance of the energies e, meV^2.
    rest: f32,
    /// Standard deviations that the times reach.
    reach: f32,
}

/// How each of the modes at one cell would be met.
#[derive(Default)]
pub struct Met {
    beta: Vec<f32>,
    rho: Vec<f32>,
    /// Standard deviations per meV, negative where a mode outruns the neutrons.
    inverse: Vec<f32>,
    /// Full width of the box, meV.
    width: Vec<f32>,
    /// How much farther from the slice a mode might be, meV: it is within reach where this is positive.
    spare: Vec<f32>,
}

impl Met {
    pub fn resize(&mut self, n: usize) {
        for part in [&mut self.beta, &mut self.rho, &mut self.inverse, &mut self.width, &mut self.spare] {
            part.resize(n, 0.0);
        }
    }

    /// Modes within reach, ascending.
    #[inline(always)]
    pub fn within_reach(&self) -> impl Iterator<Item = usize> {
        self.spare.chunks(32).enumerate().flat_map(|(c, spare)| {
            let mut bits = 0u32;
            for (i, s) in spare.iter().enumerate() {
                bits |= u32::from(*s > 0.0) << i;
            }
            std::iter::from_fn(move || {
                let next = (bits != 0).then(|| 32 * c + bits.trailing_zeros() as usize);
                bits &= bits.wrapping_sub(1);
                next
            })
        })
    }
}

/// Modes within reach, of a row of cells.
#[derive(Default)]
pub struct Encounters {
    columns: Vec<usize>,
    packs: Vec<Encountered>,
}

#[derive(Default)]
#[repr(align(32))]
struct Encountered {
    /// Times the energy.
    strength: [f32; PACK],
    energy: [f32; PACK],
    slope: [[f32; PACK]; 2],
    beta: [f32; PACK],
    rho: [f32; PACK],
    inverse: [f32; PACK],
    width: [f32; PACK],
}

impl Encounters {
    #[inline(always)]
    pub fn push(&mut self, column: usize, strength: f32, energy: f32, slope: [f32; 2], met: &Met, mode: usize) {
        let l = self.columns.len() % PACK;
        if l == 0 {
            self.packs.push(Encountered::default());
        }
        self.columns.push(column);
        if let Some(pack) = self.packs.last_mut() {
            pack.strength[l] = strength;
            pack.energy[l] = energy;
            pack.slope[0][l] = slope[0];
            pack.slope[1][l] = slope[1];
            pack.beta[l] = met.beta[mode];
            pack.rho[l] = met.rho[mode];
            pack.inverse[l] = met.inverse[mode];
            pack.width[l] = met.width[mode];
        }
    }
}

impl<'a> Meeting<'a> {
    /// `rest`: standard deviation of the energies e, meV. `to_axes`: steps along the axes for a step in hkl.
    pub fn new(raster: &Raster, slice: &'a Slice, rest: f64, to_axes: &[Vec3; 3]) -> Self {
        let (lo, hi) = slice.window;
        let energies = [slice.ei, slice.ei - 0.5 * (lo + hi)];
        let ki = to_axes.map(|row| dot(&row, &slice.along_ki));
        let ends = slice.kernel.ends();
        Self {
            slice,
            neutron: energies.map(|e| (2.0 * (MEV_ANGSTROM2 * e).sqrt()) as f32),
            window: [lo as f32, hi as f32],
            variance: slice.kernel.variance.map(|x| x as f32),
            cell: [0, 1].map(|a| raster.step(a) as f32),
            ki: [ki[0] as f32, ki[1] as f32],
            rest: rest.powi(2) as f32,
            reach: ends.1.max(-ends.0),
        }
    }

    /// Energies of all modes, and their slopes along both axes; `kf`: steps along them for a step of 1/Angstrom along kf.
    #[inline(always)]
    pub fn meet(&self, energies: &[f32], slopes: [&[f32]; 2], kf: [f32; 2], out: &mut Met) {
        let n = energies.len();
        let Met { beta, rho, inverse, width, spare } = out;
        let (beta, rho, inverse, width, spare) =
            (&mut beta[..n], &mut rho[..n], &mut inverse[..n], &mut width[..n], &mut spare[..n]);
        let (x, y) = (&slopes[0][..n], &slopes[1][..n]);
        let (middle, half) = (0.5 * (self.window[0] + self.window[1]), 0.5 * (self.window[1] - self.window[0]));
        for m in 0..n {
            let a = self.neutron[0] - (x[m] * self.ki[0] + y[m] * self.ki[1]);
            let b = (self.neutron[1] - (x[m] * kf[0] + y[m] * kf[1])) / a;
            let times = a * a * (self.variance[0] + b * (self.variance[1] + b * self.variance[2])).max(0.0);
            let (along, across) = ((x[m] * self.cell[0]).abs(), (y[m] * self.cell[1]).abs());
            let minor = along.min(across);
            let total = (times + minor * minor * (1.0 / 12.0) + self.rest).max(1e-20).sqrt();
            let i = 1.0 / total;
            beta[m] = b;
            rho[m] = times.sqrt() * i;
            inverse[m] = i.copysign(a);
            width[m] = along.max(across);
            spare[m] = self.reach * total + 0.5 * width[m] + half - (energies[m] - middle).abs();
        }
    }

    /// Where in the slice an energy lies, -1 to 1.
    #[inline(always)]
    pub fn place(&self, energy: f32) -> f32 {
        let [lo, hi] = self.window;
        ((2.0 * energy - lo - hi) * (1.0 / (hi - lo))).clamp(-1.0, 1.0)
    }

    /// Adds what the slice sees of modes, for a weight of their domain, to planes of so many columns; empties the list.
    #[inline(always)]
    pub fn add(&self, encounters: &mut Encounters, weight: f32, planes: &mut [f32], columns: usize) {
        for (pack, at) in encounters.packs.iter().zip(encounters.columns.chunks(PACK)) {
            let mut response = self.response(pack);
            let mut strength = [0.0; PACK];
            for l in 0..PACK {
                strength[l] = weight * pack.strength[l] / pack.energy[l].max(1e-9);
            }
            for moment in &mut response {
                for l in 0..PACK {
                    moment[l] *= strength[l];
                }
            }
            for (l, column) in at.iter().enumerate() {
                for (m, moment) in response.iter().enumerate() {
                    planes[m * columns + column] += moment[l];
                }
            }
        }
        encounters.packs.clear();
        encounters.columns.clear();
    }

    /// Probability to meet a mode within the slice; its derivative with respect to e; its first moments along both axes
    /// about the middle of the cell, in cells.
    #[inline(always)]
    fn response(&self, met: &Encountered) -> [[f32; PACK]; MOMENTS] {
        // boxes that hardly matter are kept from vanishing
        const NARROW: f32 = 0.05;
        let mut ends = [[0.0; PACK]; 2];
        let mut width = [0.0; PACK];
        for l in 0..PACK {
            ends[0][l] = (met.energy[l] - self.window[0]) * met.inverse[l];
            ends[1][l] = (met.energy[l] - self.window[1]) * met.inverse[l];
            width[l] = (met.width[l] * met.inverse[l].abs()).max(NARROW);
        }
        let [upper, lower] = self.slice.kernel.below_with_box(&met.beta, &met.rho, &ends, &width);
        let mut out = [[0.0; PACK]; MOMENTS];
        for l in 0..PACK {
            let rise = (upper[1][l] - lower[1][l]) * met.inverse[l].abs();
            let first = upper[2][l] - lower[2][l];
            let across = [met.slope[0][l] * self.cell[0], met.slope[1][l] * self.cell[1]];
            let major = across[1].abs() > across[0].abs();
            out[0][l] = (upper[0][l] - lower[0][l]).abs();
            out[1][l] = -rise;
            out[2][l] = if major { across[0] * rise / 12.0 } else { first * across[0].signum() };
            out[3][l] = if major { first * across[1].signum() } else { across[1] * rise / 12.0 };
        }
        out
    }
}
