//! Mean intensity per meV in every bin of every slice of a mosaic.

use crate::convolution::bins::{BinWeights, REACH, bin_weights, gaussian_in};
use crate::convolution::grid::{GridAxis, coarsened, period, points_per_period};
use crate::convolution::nodes::{NodeCache, NodeGrid, NodeView};
use crate::convolution::third::{Kinematics, Third};
use crate::error::{Error, Result};
use crate::parallel::with_threads;
use crate::spinwave::amplitude::{amplitude, perpendicular};
use crate::spinwave::{Amplitudes, Hamiltonian, SpinModel};
use crate::vec3::{Mat3, Vec3, dot, mat_vec, norm, scale};
use num_complex::Complex64;
use rayon::prelude::*;
use std::f64::consts::TAU;

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
    /// Widths (both axes, energy) the grid is laid out for: those above, or fixed ones while those above are fitted.
    pub grid_sigma: [f64; 3],
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
    /// Largest |dE/dx| of any mode along each axis (meV per unit of its coordinate) the grid must follow; None: found
    /// from the models. Given, the grid stays the same while parameters move, as differences between images need.
    pub slopes: Option<[f64; 2]>,
    /// Grid step in units of the smallest smoothing length (see `Prepared::step`).
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

/// One group for each incident energy; without one all slices share a group.
fn groups(request: &MosaicRequest) -> Result<Vec<Group>> {
    let (fixed, needs_ei) = match &request.third {
        Third::Integrated { coordinates, weights, angles } => {
            (Some(coordinates.iter().copied().zip(weights.iter().copied()).collect::<Vec<_>>()), angles.is_some())
        }
        Third::Kinematic { .. } => (None, true),
    };
    let mut groups: Vec<Group> = Vec::new();
    for (index, slice) in request.slices.iter().enumerate() {
        if needs_ei && slice.ei.is_none() {
            return Err(Error::Geometry(format!(
                "slice {index}: expected an incident energy where kinematics decide the third axis, found none"
            )));
        }
        let ei = slice.ei.unwrap_or(f64::INFINITY);
        match groups.iter_mut().find(|g| g.ei == ei) {
            Some(group) => group.members.push(index),
            None => groups.push(Group { members: vec![index], fixed: fixed.clone(), ei }),
        }
    }
    Ok(groups)
}

/// Stack (n_slices, n0, n1), flat, summed over `domains` with their weights, and the slopes that set its grid. Bits do
/// not depend on `threads`.
pub fn convolve_mosaic(domains: &[Domain], request: &MosaicRequest) -> Result<(Vec<f64>, [f64; 2])> {
    let [n0, n1] = [0, 1].map(|a| request.axes[a].edges.len() - 1);
    let mut stack = vec![0.0; request.slices.len() * n0 * n1];
    let groups = groups(request)?;
    let slopes = with_threads(request.threads, || {
        let mut prepared = domains.iter().map(|d| Prepared::new(d, request)).collect::<Result<Vec<_>>>()?;
        let mut slopes = request.slopes.unwrap_or([0.0; 2]);
        if request.slopes.is_none() {
            for domain in &prepared {
                let found = domain.find_slopes()?;
                slopes = [0, 1].map(|a| slopes[a].max(found[a]));
            }
        }
        // models are told apart by address: twins in zero field share one
        let mut caches: Vec<(*const SpinModel, NodeCache)> = Vec::new();
        for (domain, prepared) in domains.iter().zip(&mut prepared) {
            prepared.slopes = slopes;
            let key = std::ptr::from_ref(domain.model);
            let known = caches.iter().position(|(k, _)| std::ptr::eq(*k, key)).unwrap_or_else(|| {
                caches.push((key, NodeCache::default()));
                caches.len() - 1
            });
            for group in &groups {
                prepared.add_group(group, domain.weight, &mut caches[known].1, &mut stack)?;
            }
        }
        Ok(slopes)
    })??;
    Ok((stack, slopes))
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
    /// Largest |dE/dx| along each axis, meV per unit of its coordinate.
    slopes: [f64; 2],
}

/// Grids, weights and eigenproblems for one group.
struct Sampling {
    grid: [GridAxis; 2],
    /// Per member slice and axis.
    weights: Vec<[Vec<BinWeights>; 2]>,
    /// One view, or one for each fixed third coordinate where the modes depend on it.
    views: Vec<NodeView>,
    /// e^{-2 pi i k.r} of every site for each point of axis 1.
    columns: Vec<Complex64>,
}

impl<'a> Prepared<'a> {
    fn new(domain: &Domain<'a>, request: &'a MosaicRequest) -> Result<Self> {
        let hamiltonian = Hamiltonian::new(domain.model)?;
        let amplitudes = Amplitudes::new(domain.model, &hamiltonian, request.form_factor, false);
        let map = domain.model.lattice.domain_map(&domain.rotation);
        let inside =
            [&request.axes[0].vector, &request.axes[1].vector, &request.third_vector].map(|v| mat_vec(&map, v));
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
        Ok(Self { request, model: domain.model, hamiltonian, amplitudes, inside, kinematics, slopes: [0.0; 2] })
    }

    /// Largest |dE/dx| of any mode along each axis, from differences on a coarse grid over one period (or the range).
    fn find_slopes(&self) -> Result<[f64; 2]> {
        const COARSE: usize = 12;
        let axes = &self.request.axes;
        let lengths = [0, 1].map(|a| {
            let edges = &axes[a].edges;
            period(&self.hamiltonian.magnetic(&self.inside[a])).unwrap_or(edges[edges.len() - 1] - edges[0])
        });
        let middle = match &self.request.third {
            Third::Integrated { coordinates, .. } => coordinates[coordinates.len() / 2],
            Third::Kinematic { .. } => 0.0,
        };
        let grid = NodeGrid {
            origin: self.hamiltonian.magnetic(&self.hkl(&[axes[0].edges[0], axes[1].edges[0], middle])),
            spans: [0, 1].map(|a| scale(&self.hamiltonian.magnetic(&self.inside[a]), lengths[a])),
            counts: [COARSE; 2],
        };
        let table = NodeCache::default().view(&self.hamiltonian, &self.amplitudes, &grid, [1, 1])?.table;
        let difference = |one: usize, other: usize| {
            table.energies(one).iter().zip(table.energies(other)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let mut largest = [0.0f64; 2];
        for i in 0..COARSE {
            for j in 0..COARSE - 1 {
                largest[0] = largest[0].max(difference(j * COARSE + i, (j + 1) * COARSE + i));
                largest[1] = largest[1].max(difference(i * COARSE + j, i * COARSE + j + 1));
            }
        }
        Ok([0, 1].map(|a| largest[a] * COARSE as f64 / lengths[a]))
    }

    /// Grid step that a set of slices asks for along an axis, and their widest sigma. Two smoothings make a sum over
    /// grid points converge: the Gaussian in Q, and the energy window with its Gaussian seen through the dispersion.
    fn step(&self, axis: usize, members: impl Iterator<Item = usize>) -> (f64, f64) {
        let edges = &self.request.axes[axis].edges;
        let bin = edges.windows(2).map(|e| e[1] - e[0]).fold(f64::INFINITY, f64::min);
        let (mut finest, mut widest) = (f64::INFINITY, 0.0f64);
        for slice in members.map(|s| &self.request.slices[s]) {
            let (lo, hi) = slice.energy;
            let sigma = slice.grid_sigma[axis];
            // a box smooths less than a Gaussian of its variance: a quarter of it proved to count
            let energy2 = slice.grid_sigma[2].powi(2) + (hi - lo).powi(2) / 48.0;
            // where resolution is switched off the bins themselves have to do
            let q2 = sigma.powi(2).max((bin / 12.0).powi(2));
            let seen2 = energy2 / self.slopes[axis].powi(2).max(1e-12);
            finest = finest.min((q2 * seen2 / (q2 + seen2)).sqrt());
            widest = widest.max(slice.sigma_axes[axis]);
        }
        ((self.request.step * finest).max(bin / 64.0).min(bin / 2.0), widest)
    }

    fn sample(&self, group: &Group, cache: &mut NodeCache) -> Result<Sampling> {
        let slices = &self.request.slices;
        let mut coarse = [1, 1];
        let grid: [GridAxis; 2] = [0, 1].map(|a| {
            let (step, wide) = self.step(a, group.members.iter().copied());
            let repeat = period(&self.hamiltonian.magnetic(&self.inside[a])).map(|p| {
                let finest = points_per_period(p, self.step(a, 0..slices.len()).0);
                let n = coarsened(finest, p, step);
                coarse[a] = finest / n;
                (p, n)
            });
            GridAxis::new(&self.request.axes[a].edges, wide, step, repeat)
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
        let thirds: Vec<f64> = match &group.fixed {
            Some(fixed) if !self.hamiltonian.independent_along(&self.inside[2]) => fixed.iter().map(|f| f.0).collect(),
            _ => vec![0.0],
        };
        let views = thirds
            .iter()
            .map(|&third| {
                let start = [0, 1].map(|a| if grid[a].repeat.is_some() { 0.0 } else { grid[a].first });
                let counts = [0, 1].map(|a| grid[a].repeat.unwrap_or(grid[a].count) * coarse[a]);
                let spans = [0, 1].map(|a| {
                    let length = grid[a].step / coarse[a] as f64 * counts[a] as f64;
                    scale(&self.hamiltonian.magnetic(&self.inside[a]), length)
                });
                let origin = self.hamiltonian.magnetic(&self.hkl(&[start[0], start[1], third]));
                cache.view(&self.hamiltonian, &self.amplitudes, &NodeGrid { origin, spans, counts }, coarse)
            })
            .collect::<Result<Vec<_>>>()?;
        let n = self.hamiltonian.n();
        let along = self.hamiltonian.magnetic(&self.inside[1]);
        let mut columns = vec![Complex64::ZERO; grid[1].count * n];
        for (j, phases) in columns.chunks_exact_mut(n).enumerate() {
            self.amplitudes.phases(&scale(&along, grid[1].at(j)), phases);
        }
        Ok(Sampling { grid, weights, views, columns })
    }

    fn hkl(&self, x: &Vec3) -> Vec3 {
        std::array::from_fn(|c| (0..3).map(|a| x[a] * self.inside[a][c]).sum())
    }

    fn add_group(&self, group: &Group, weight: f64, cache: &mut NodeCache, stack: &mut [f64]) -> Result<()> {
        let sampling = self.sample(group, cache)?;
        let [n0, n1] = [0, 1].map(|a| self.request.axes[a].edges.len() - 1);
        let members = group.members.len();
        // rows of the grid, already binned along axis 1: (member, n1) each
        let rows: Vec<Vec<f64>> = (0..sampling.grid[0].count)
            .into_par_iter()
            .map_init(
                || RowScratch::new(self.hamiltonian.n(), members * sampling.grid[1].count),
                |scratch, row| {
                    self.row(group, &sampling, row, scratch);
                    let mut binned = vec![0.0; members * n1];
                    for m in 0..members {
                        let fine = &scratch.fine[m * sampling.grid[1].count..(m + 1) * sampling.grid[1].count];
                        for (j, bin) in sampling.weights[m][1].iter().enumerate() {
                            binned[m * n1 + j] = bin.weights.iter().zip(&fine[bin.start..]).map(|(w, f)| w * f).sum();
                        }
                    }
                    binned
                },
            )
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
        let n = self.hamiltonian.n();
        let [g0, g1] = &sampling.grid;
        let columns = g1.count;
        let slices = &self.request.slices;
        let members: Vec<&SliceSpec> = group.members.iter().map(|&s| &slices[s]).collect();
        scratch.fine.fill(0.0);
        let low = members.iter().map(|s| reach(s).0).fold(f64::INFINITY, f64::min);
        let high = members.iter().map(|s| reach(s).1).fold(f64::NEG_INFINITY, f64::max);
        let fixed: &[(f64, f64)] = group.fixed.as_deref().unwrap_or(&[(f64::NAN, 1.0)]);
        let (heights, layer) = self.amplitudes.layers(&self.hamiltonian.magnetic(&self.inside[2]));
        let stacking = Stacking { heights, layer };
        let x0 = g0.at(row);
        self.amplitudes.phases(&scale(&self.hamiltonian.magnetic(&self.inside[0]), x0), &mut scratch.row);
        for column in 0..columns {
            let x1 = g1.at(column);
            let plane = self.hkl(&[x0, x1, 0.0]);
            let q_plane = self.model.lattice.q_cartesian(&plane);
            let along = &sampling.columns[column * n..(column + 1) * n];
            for ((base, r), c) in scratch.base.iter_mut().zip(&scratch.row).zip(along) {
                *base = r * c;
            }
            let angles = match &self.request.third {
                Third::Integrated { angles, .. } => angles.as_ref(),
                Third::Kinematic { .. } => None,
            };
            match &self.kinematics {
                Some(kinematics) => {
                    let view = &sampling.views[0];
                    let node = view.node(g0.node(row), g1.node(column));
                    for (mode, &energy) in view.table.energies(node).iter().enumerate() {
                        if energy < low || energy > high {
                            continue;
                        }
                        let Some(third) = kinematics.coordinate(&q_plane, group.ei, energy) else { continue };
                        let q_hat = self.lift(&q_plane, third, &stacking, scratch);
                        let amp = amplitude(view.table.contracted(node, mode), &scratch.weights);
                        deposit(&members, energy, perpendicular(&amp, &q_hat), column, columns, &mut scratch.fine);
                    }
                }
                None => {
                    // samples of the third coordinate that share their modes are summed before the energy integral
                    let samples = fixed.len() / sampling.views.len();
                    for (view, fixed) in sampling.views.iter().zip(fixed.chunks_exact(samples)) {
                        let node = view.node(g0.node(row), g1.node(column));
                        let energies = view.table.energies(node);
                        if !energies.iter().any(|e| (low..=high).contains(e)) {
                            continue;
                        }
                        for &(third, share) in fixed {
                            let q_hat = self.lift(&q_plane, third, &stacking, scratch);
                            let ends = angles.map(|a| {
                                let squared = |l: f64| {
                                    let lift = self.model.lattice.q_cartesian(&scale(&self.inside[2], l));
                                    (0..3).map(|c| (q_plane[c] + lift[c]).powi(2)).sum::<f64>()
                                };
                                (squared(third - a.half_cell), squared(third + a.half_cell))
                            });
                            for (mode, &energy) in energies.iter().enumerate() {
                                if !(low..=high).contains(&energy) {
                                    continue;
                                }
                                let visible = match (angles, ends) {
                                    (Some(a), Some(ends)) => a.visible(ends, group.ei, energy),
                                    _ => 1.0,
                                };
                                if visible > 0.0 {
                                    let amp = amplitude(view.table.contracted(node, mode), &scratch.weights);
                                    let (strength, seen) = &mut scratch.strengths[mode];
                                    *strength += share * visible * perpendicular(&amp, &q_hat);
                                    *seen += share * visible;
                                }
                            }
                        }
                        for (energy, (strength, seen)) in energies.iter().zip(&mut scratch.strengths) {
                            // samples the detectors do not see are left out of the average; where less than one of
                            // them is left it fades
                            let whole = fixed[0].1;
                            let mean = *strength / seen.max(whole) / sampling.views.len() as f64;
                            deposit(&members, *energy, mean, column, columns, &mut scratch.fine);
                            (*strength, *seen) = (0.0, 0.0);
                        }
                    }
                }
            }
        }
    }

    /// Site weights at in-plane Q plus `third`, from the in-plane phases in `scratch.base`; returns the direction of Q.
    fn lift(&self, q_plane: &Vec3, third: f64, stacking: &Stacking, scratch: &mut RowScratch) -> Vec3 {
        let lift = self.model.lattice.q_cartesian(&scale(&self.inside[2], third));
        let q: Vec3 = std::array::from_fn(|a| q_plane[a] + lift[a]);
        scratch.lifts.clear();
        scratch.lifts.extend(stacking.heights.iter().map(|height| {
            let angle = -TAU * third * height;
            Complex64::new(angle.cos(), angle.sin())
        }));
        self.amplitudes.form_factors(dot(&q, &q), &mut scratch.factors);
        for (site, weight) in scratch.weights.iter_mut().enumerate() {
            let f = self.amplitudes.form_factor_of(site, &scratch.factors);
            *weight = scratch.base[site] * scratch.lifts[stacking.layer[site]] * f;
        }
        let length = norm(&q);
        if length > 1e-12 { scale(&q, 1.0 / length) } else { [1.0, 0.0, 0.0] }
    }
}

/// Adds one mode's intensity to every slice it reaches, per meV.
fn deposit(members: &[&SliceSpec], energy: f64, strength: f64, column: usize, columns: usize, fine: &mut [f64]) {
    for (m, slice) in members.iter().enumerate() {
        let (lo, hi) = slice.energy;
        let sigma = sigma_energy(slice, energy);
        if energy > lo - REACH * sigma && energy < hi + REACH * sigma {
            fine[m * columns + column] += strength * gaussian_in(lo, hi, energy, sigma) / (hi - lo);
        }
    }
}

/// Heights of the sites along the third axis: the distinct ones, and which one each site has.
struct Stacking {
    heights: Vec<f64>,
    layer: Vec<usize>,
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
    row: Vec<Complex64>,
    base: Vec<Complex64>,
    weights: Vec<Complex64>,
    lifts: Vec<Complex64>,
    /// Per mode: intensity summed over the third coordinate, and the share of it that was seen.
    strengths: Vec<(f64, f64)>,
}

impl RowScratch {
    fn new(sites: usize, fine: usize) -> Self {
        let zeros = vec![Complex64::ZERO; sites];
        Self {
            fine: vec![0.0; fine],
            factors: Vec::new(),
            row: zeros.clone(),
            base: zeros.clone(),
            weights: zeros,
            lifts: Vec::new(),
            strengths: vec![(0.0, 0.0); sites],
        }
    }
}
