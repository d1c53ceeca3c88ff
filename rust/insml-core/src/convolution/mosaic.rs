//! Mean intensity per meV in every bin of every slice of a mosaic.

use crate::convolution::bins::{BinWeights, REACH, bin_weights, gaussian_in};
use crate::convolution::grid::{GridAxis, period};
use crate::convolution::nodes::NodeTable;
use crate::convolution::third::{Kinematics, Third};
use crate::error::{Error, Result};
use crate::parallel::with_threads;
use crate::spinwave::amplitude::{amplitude, perpendicular};
use crate::spinwave::{Amplitudes, Hamiltonian, SpinModel};
use crate::vec3::{Mat3, Vec3, dot, mat_vec, norm, scale};
use num_complex::Complex64;
use rayon::prelude::*;


/// A momentum axis of the mosaic: coordinate x stands for x * vector (r.l.u.); ascending bin edges.
#[derive(Clone, Debug)]
pub struct MomentumAxis {
    pub vector: Vec3,
    pub edges: Vec<f64>,
}

#[derive(Clone, Debug)]
pub struct SliceSpec {
    /// Energy window, meV.
    pub energy: (f64, f64),
    /// Incident energy, needed for a kinematic third component.
    pub ei: Option<f64>,
    /// Standard deviations along the two momentum axes, in their coordinates.
    pub sigma_axes: [f64; 2],
    /// Standard deviation in energy: polynomial in energy transfer, lowest order first, meV.
    pub sigma_energy: Vec<f64>,
}

/// A twin: `rotation` (Cartesian) takes the reference crystal into it.
pub struct Domain<'a> {
    pub model: &'a SpinModel,
    pub rotation: Mat3,
    pub weight: f64,
}

pub struct MosaicRequest {
    pub axes: [MomentumAxis; 2],
    pub third_vector: Vec3,
    pub third: Third,
    pub slices: Vec<SliceSpec>,
    pub form_factor: bool,
    /// Grid step in units of the smallest Gaussian sigma of a slice group.
    pub step: f64,
    pub threads: usize,
}

/// Slices that share one sampling of momentum.
struct Group {
    members: Vec<usize>,
    /// Third coordinate of each sample with its weight; None: kinematic, mode by mode.
    fixed: Option<Vec<(f64, f64)>>,
    ei: f64,
}

fn groups(request: &MosaicRequest) -> Result<Vec<Group>> {
    match &request.third {
        Third::Integrated { coordinates, weights } => Ok(vec![Group {
            members: (0..request.slices.len()).collect(),
            fixed: Some(coordinates.iter().copied().zip(weights.iter().copied()).collect()),
            ei: f64::NAN,
        }]),
        Third::Kinematic { .. } => {
            let mut groups: Vec<Group> = Vec::new();
            for (index, slice) in request.slices.iter().enumerate() {
                let ei = slice.ei.ok_or_else(|| {
                    Error::Geometry(format!("slice {index}: expected an incident energy for a kinematic third axis, found none"))
                })?;
                match groups.iter_mut().find(|g| g.ei == ei) {
                    Some(group) => group.members.push(index),
                    None => groups.push(Group { members: vec![index], fixed: None, ei }),
                }
            }
            Ok(groups)
        }
    }
}

/// Stack (n_slices, n0, n1), flat, summed over `domains` with their weights. Bits do not depend on `threads`.
pub fn convolve_mosaic(domains: &[Domain], request: &MosaicRequest) -> Result<Vec<f64>> {
    let [n0, n1] = [0, 1].map(|a| request.axes[a].edges.len() - 1);
    let mut stack = vec![0.0; request.slices.len() * n0 * n1];
    let groups = groups(request)?;
    with_threads(request.threads, || {
        for domain in domains {
            let prepared = Prepared::new(domain, request)?;
            for group in &groups {
                prepared.add_group(group, domain.weight, &mut stack)?;
            }
        }
        Ok(())
    })??;
    Ok(stack)
}

/// One domain, compiled; axes as seen in its own reciprocal cell.
struct Prepared<'a> {
    request: &'a MosaicRequest,
    model: &'a SpinModel,
    hamiltonian: Hamiltonian,
    amplitudes: Amplitudes,
    /// hkl in the domain for a unit of each mosaic axis and of the third.
    inside: [Vec3; 3],
    kinematics: Option<Kinematics>,
}

/// Grids, weights and eigenproblems for one group.
struct Sampling {
    grid: [GridAxis; 2],
    /// Per member slice and axis.
    weights: Vec<[Vec<BinWeights>; 2]>,
    /// One table, or one for each fixed third coordinate where the modes depend on it.
    tables: Vec<NodeTable>,
}

impl<'a> Prepared<'a> {
    fn new(domain: &Domain<'a>, request: &'a MosaicRequest) -> Result<Self> {
        let hamiltonian = Hamiltonian::new(domain.model)?;
        let amplitudes = Amplitudes::new(domain.model, &hamiltonian, request.form_factor, false);
        let map = domain.model.lattice.domain_map(&domain.rotation);
        let inside = [&request.axes[0].vector, &request.axes[1].vector, &request.third_vector].map(|v| mat_vec(&map, v));
        let kinematics = match &request.third {
            Third::Kinematic { beam } => {
                // rotate the beam with the axes, so that everything happens in the domain's frame
                Some(Kinematics::new(&domain.model.lattice, &mat_vec(&map, beam), &inside[2]))
            }
            Third::Integrated { .. } => None,
        };
        if kinematics.is_some() && !hamiltonian.independent_along(&inside[2]) {
            return Err(Error::Geometry(
                "third axis: expected modes that do not depend on it when the kinematics fix it, found couplings along it".into(),
            ));
        }
        Ok(Self { request, model: domain.model, hamiltonian, amplitudes, inside, kinematics })
    }

    fn sample(&self, group: &Group) -> Result<Sampling> {
        let slices = &self.request.slices;
        let grid: [GridAxis; 2] = [0, 1].map(|a| {
            let edges = &self.request.axes[a].edges;
            let sigmas = group.members.iter().map(|&s| slices[s].sigma_axes[a]);
            let (narrow, wide) = sigmas.fold((f64::INFINITY, 0.0f64), |(lo, hi), x| (lo.min(x), hi.max(x)));
            let bin = edges.windows(2).map(|e| e[1] - e[0]).fold(f64::INFINITY, f64::min);
            // without a Gaussian the bins themselves are sampled
            let step = (self.request.step * narrow).max(bin / 32.0).min(bin / 2.0);
            let repeat = period(&self.hamiltonian.magnetic(&self.inside[a])).map(|p| (p, (p / step).ceil() as usize));
            GridAxis::new(edges, wide, step, repeat)
        });
        let weights = group
            .members
            .iter()
            .map(|&s| {
                [0, 1].map(|a| {
                    let g = &grid[a];
                    bin_weights(&self.request.axes[a].edges, slices[s].sigma_axes[a], g.first, g.step, g.count)
                })
            })
            .collect();
        let counts = [0, 1].map(|a| grid[a].repeat.unwrap_or(grid[a].count));
        let starts = [0, 1].map(|a| if grid[a].repeat.is_some() { 0.0 } else { grid[a].first });
        let thirds: Vec<f64> = match &group.fixed {
            Some(fixed) if !self.hamiltonian.independent_along(&self.inside[2]) => fixed.iter().map(|f| f.0).collect(),
            _ => vec![0.0],
        };
        let tables = thirds
            .iter()
            .map(|&third| {
                let hkl: Vec<Vec3> = (0..counts[0] * counts[1])
                    .map(|node| {
                        let x = [
                            starts[0] + (node / counts[1]) as f64 * grid[0].step,
                            starts[1] + (node % counts[1]) as f64 * grid[1].step,
                            third,
                        ];
                        self.hkl(&x)
                    })
                    .collect();
                NodeTable::solve(&self.hamiltonian, &self.amplitudes, &hkl)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Sampling { grid, weights, tables })
    }

    fn hkl(&self, x: &Vec3) -> Vec3 {
        std::array::from_fn(|c| (0..3).map(|a| x[a] * self.inside[a][c]).sum())
    }

    fn add_group(&self, group: &Group, weight: f64, stack: &mut [f64]) -> Result<()> {
        let sampling = self.sample(group)?;
        let [n0, n1] = [0, 1].map(|a| self.request.axes[a].edges.len() - 1);
        let members = group.members.len();
        // rows of the grid, already binned along axis 1: (member, n1) each
        let rows: Vec<Vec<f64>> = (0..sampling.grid[0].count)
            .into_par_iter()
            .map_init(|| RowScratch::new(self.hamiltonian.n(), members * sampling.grid[1].count), |scratch, row| {
                self.row(group, &sampling, row, scratch);
                let mut binned = vec![0.0; members * n1];
                for m in 0..members {
                    let fine = &scratch.fine[m * sampling.grid[1].count..(m + 1) * sampling.grid[1].count];
                    for (j, bin) in sampling.weights[m][1].iter().enumerate() {
                        binned[m * n1 + j] = bin.weights.iter().zip(&fine[bin.start..]).map(|(w, f)| w * f).sum();
                    }
                }
                binned
            })
            .collect();
        for (m, &s) in group.members.iter().enumerate() {
            for (i, bin) in sampling.weights[m][0].iter().enumerate() {
                let out = &mut stack[(s * n0 + i) * n1..(s * n0 + i + 1) * n1];
                for (w, row) in bin.weights.iter().zip(&rows[bin.start..]) {
                    for (o, r) in out.iter_mut().zip(&row[m * n1..(m + 1) * n1]) {
                        *o += weight * w * r;
                    }
                }
            }
        }
        Ok(())
    }

    /// Intensity per meV of every member slice at the grid points of one row, into `scratch.fine`.
    fn row(&self, group: &Group, sampling: &Sampling, row: usize, scratch: &mut RowScratch) {
        let [g0, g1] = &sampling.grid;
        let columns = g1.count;
        let slices = &self.request.slices;
        scratch.fine.fill(0.0);
        let low = group.members.iter().map(|&s| reach(&slices[s]).0).fold(f64::INFINITY, f64::min);
        let high = group.members.iter().map(|&s| reach(&slices[s]).1).fold(f64::NEG_INFINITY, f64::max);
        for column in 0..columns {
            let (x0, x1) = (g0.at(row), g1.at(column));
            let node = g0.node(row) * g1.repeat.unwrap_or(columns) + g1.node(column);
            let plane = self.hkl(&[x0, x1, 0.0]);
            let q_plane = self.model.lattice.q_cartesian(&plane);
            let fixed: &[(f64, f64)] = group.fixed.as_deref().unwrap_or(&[(f64::NAN, 1.0)]);
            for (sample, &(coordinate, share)) in fixed.iter().enumerate() {
                let table = &sampling.tables[if sampling.tables.len() > 1 { sample } else { 0 }];
                let mut weighted_at = f64::NAN;
                let mut q_hat = [1.0, 0.0, 0.0];
                for (mode, &energy) in table.energies(node).iter().enumerate() {
                    if energy < low || energy > high {
                        continue;
                    }
                    let third = match &self.kinematics {
                        Some(kinematics) => match kinematics.coordinate(&q_plane, group.ei, energy) {
                            Some(third) => third,
                            None => continue,
                        },
                        None => coordinate,
                    };
                    if third != weighted_at {
                        let hkl: Vec3 = std::array::from_fn(|c| plane[c] + third * self.inside[2][c]);
                        let q = self.model.lattice.q_cartesian(&hkl);
                        let length = norm(&q);
                        if length > 1e-12 {
                            q_hat = scale(&q, 1.0 / length);
                        }
                        let k = self.hamiltonian.magnetic(&hkl);
                        self.amplitudes.weights(&k, dot(&q, &q), &mut scratch.factors, &mut scratch.weights);
                        weighted_at = third;
                    }
                    let amp = amplitude(table.contracted(node, mode), &scratch.weights);
                    let strength = share * perpendicular(&amp, &q_hat);
                    for (m, &s) in group.members.iter().enumerate() {
                        let slice = &slices[s];
                        let (lo, hi) = slice.energy;
                        let sigma = sigma_energy(slice, energy);
                        if energy > lo - REACH * sigma && energy < hi + REACH * sigma {
                            scratch.fine[m * columns + column] += strength * gaussian_in(lo, hi, energy, sigma) / (hi - lo);
                        }
                    }
                }
            }
        }
    }
}

/// The polynomial holds around its slice; outside it is continued as a constant.
fn sigma_energy(slice: &SliceSpec, energy: f64) -> f64 {
    let (lo, hi) = slice.energy;
    let margin = hi - lo;
    let e = energy.clamp(lo - margin, hi + margin);
    slice.sigma_energy.iter().rev().fold(0.0, |sum, c| sum * e + c).max(0.0)
}

/// Energies that can leak into a slice.
fn reach(slice: &SliceSpec) -> (f64, f64) {
    let (lo, hi) = slice.energy;
    let margin = hi - lo;
    let widest = [lo - margin, lo, hi, hi + margin].map(|e| sigma_energy(slice, e)).into_iter().fold(0.0, f64::max);
    (lo - REACH * widest, hi + REACH * widest)
}

struct RowScratch {
    fine: Vec<f64>,
    factors: Vec<f64>,
    weights: Vec<Complex64>,
}

impl RowScratch {
    fn new(sites: usize, fine: usize) -> Self {
        Self { fine: vec![0.0; fine], factors: Vec::new(), weights: Vec::with_capacity(sites) }
    }
}
