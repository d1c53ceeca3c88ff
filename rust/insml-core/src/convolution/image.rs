//! Spin waves through a whole instrument, on the bins of a mosaic: sampled over what moves Q (beam, sample, detector face,
//! area of the bin), integrated over times and over the energies of the slice (`kernel`).
//!
//! A share of what moves Q can be left to the integral, too, with the dispersion taken as straight over that share: of each
//! variable y a part sqrt(1 - s) y is drawn, and s Var(y) is seen through the mode's gradient. Samples then are no points
//! but small clouds that overlap, and few of them do. s = 0 draws everything.

use crate::convolution::kernel::TimingKernel;
use crate::convolution::normal::normal;
use crate::convolution::slice::{Distinct, Domain, Slice};
use crate::error::{Error, Result};
use crate::lanes::LANES;
use crate::parallel::for_each;
use crate::sobol::hash;
use crate::spinwave::SpinModel;
use crate::table::solver::Solver;
use crate::table::weigh::{Place, Weigher};
use crate::table::{Grid, Modes, Table};
use crate::vec3::{Vec3, dot, scale};

/// c in E = c k^2, meV Angstrom^2.
const C: f64 = crate::convolution::third::MEV_ANGSTROM2;
/// Step of differences for group velocities where there is no table, r.l.u. of the magnetic cell.
const DIFFERENCE: f64 = 1e-4;

/// One slice and how its neutrons deviate.
pub struct ImageSlice {
    pub slice: Slice,
    /// Deviation in axis 0, axis 1 and energy for a unit of each drawn variable, all uniform in (-1/2, 1/2): (bin, 3, variables).
    pub rows: Vec<f64>,
}

/// How modes are found at each sample.
#[derive(Clone, Copy, Debug)]
pub enum Evaluation {
    /// Between the nodes of a table with this step, r.l.u. of the magnetic cell.
    Table {
        step: f64,
    },
    Exact,
}

pub struct ImageRequest<'a> {
    /// Bin centres and full widths along both axes.
    pub centres: [&'a [f64]; 2],
    pub widths: [&'a [f64]; 2],
    /// hkl of a unit of axis 0, axis 1 and the third.
    pub vectors: [Vec3; 3],
    pub slices: &'a [ImageSlice],
    /// (samples, 2 + variables), 32 bits each: where in the bin, then the drawn variables.
    pub points: &'a [u32],
    pub variables: usize,
    /// The last of the variables are Gaussian, of the variance of the others.
    pub gaussians: usize,
    /// Share of the variance of drawn variables that is integrated.
    pub smooth: f64,
    /// Cells along each side of a bin that points stand in the middle of, and over which is integrated.
    pub cells: u32,
    pub seed: u64,
    pub form_factor: bool,
    pub threads: usize,
}

/// Mean intensity per meV, (slices, axis 0, axis 1); None where the modes of a model do not come in blocks that depend on
/// two components of the wave vector alone. Bits depend on neither threads nor chunks.
pub fn image(domains: &[Domain], request: &ImageRequest, evaluation: Evaluation) -> Result<Option<Vec<f64>>> {
    let distinct = Distinct::of(domains, request.form_factor);
    let Some(modes) = distinct.modes()? else { return Ok(None) };
    let which = &distinct.which;
    let mut tables = Vec::new();
    if let Evaluation::Table { step } = evaluation {
        for (m, modes) in modes.iter().enumerate() {
            let mut bounds = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
            for domain in domains.iter().zip(which).filter(|(_, w)| **w == m).map(|(d, _)| d) {
                widen(&mut bounds, domain, modes, request);
            }
            tables.push(Table::build(modes, Grid::around(bounds.0, bounds.1, [step; 2]), request.threads)?);
        }
    }
    let views: Vec<Seen> = domains
        .iter()
        .zip(which)
        .map(|(d, &m)| Seen {
            model: &d.model.model,
            modes: &modes[m],
            table: tables.get(m),
            map: d.map,
            weight: d.weight,
        })
        .collect();
    let [n0, n1] = request.centres.map(<[f64]>::len);
    let mut out = vec![0.0; request.slices.len() * n0 * n1];
    let pieces = out.chunks_mut(n1.max(1)).enumerate();
    let errors = for_each(
        request.threads,
        pieces,
        || Worker::new(&views, request),
        |worker, (row, out)| worker.row(row / n0, row % n0, out).err(),
    );
    match errors.into_iter().min_by(|a, b| a.depth().total_cmp(&b.depth())) {
        Some(error) => Err(error),
        None => Ok(Some(out)),
    }
}

/// Makes room for all samples of a domain.
fn widen(bounds: &mut ([f64; 2], [f64; 2]), domain: &Domain, modes: &Modes, request: &ImageRequest) {
    let variables = request.variables;
    let ends = [0, 1].map(|a| {
        let farthest = request
            .slices
            .iter()
            .flat_map(|s| s.rows.chunks_exact(3 * variables))
            .map(|rows| rows[a * variables..(a + 1) * variables].iter().map(|x| 0.5 * x.abs()).sum::<f64>())
            .fold(0.0, f64::max);
        let edge = |sign: f64| {
            let of = request.centres[a].iter().zip(request.widths[a]).map(|(c, w)| sign * c + 0.5 * w);
            sign * (of.fold(f64::NEG_INFINITY, f64::max) + farthest)
        };
        [edge(-1.0), edge(1.0)]
    });
    for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let hkl: Vec3 =
            std::array::from_fn(|c| ends[0][x] * request.vectors[0][c] + ends[1][y] * request.vectors[1][c]);
        let xi = modes.xi(&modes.hamiltonian.magnetic(&domain.map.map(|row| dot(&row, &hkl))));
        for a in 0..2 {
            bounds.0[a] = bounds.0[a].min(xi[a]);
            bounds.1[a] = bounds.1[a].max(xi[a]);
        }
    }
}

/// A domain with its modes; without a table every sample is solved.
struct Seen<'a> {
    model: &'a SpinModel,
    modes: &'a Modes<'a>,
    table: Option<&'a Table>,
    map: [Vec3; 3],
    weight: f64,
}

/// A sample: offset from the bin's centre along the axes, and what the drawn variables add to the energy.
#[derive(Clone, Copy, Default)]
struct Sample {
    x: [f64; 2],
    energy: f64,
}

/// A domain as one bin sees it.
#[derive(Default)]
struct View {
    /// Magnetic k of the bin, and for a unit along each axis, along kf and along ki.
    k: Vec3,
    axes: [Vec3; 2],
    kf: Vec3,
    ki: Vec3,
    /// Weights of the products at the window's ends and middle, as polynomial in (E - middle) / half width.
    weights: [Vec<f64>; 3],
}

impl View {
    #[inline(always)]
    fn weight(&self, product: usize, place: f64) -> f64 {
        let [constant, linear, square] = &self.weights;
        constant[product] + place * (linear[product] + place * square[product])
    }
}

/// Where modes meet a slice, as one bin and domain see it.
struct Meeting<'a> {
    kernel: &'a TimingKernel,
    window: [f32; 2],
    /// dE/dk of the incident and the scattered neutron, meV Angstrom.
    neutron: [f32; 2],
    variance: [f32; 3],
    cloud: [f32; 6],
    /// What a gradient in the two components of a table is along axis 0, axis 1, kf and ki.
    along: [[f32; 2]; 4],
}

/// One mode at one sample.
#[derive(Clone, Copy, Default)]
struct Encounter {
    beta: f32,
    rho: f32,
    /// Ends of the slice, in standard deviations of the mismatch.
    low: f32,
    high: f32,
}

impl<'a> Meeting<'a> {
    fn new(spec: &'a Slice, cloud: [f64; 6], modes: &Modes, view: &View) -> Self {
        let (lo, hi) = spec.window;
        let energies = [spec.ei, spec.ei - 0.5 * (lo + hi)];
        Self {
            kernel: &spec.kernel,
            window: [lo as f32, hi as f32],
            neutron: energies.map(|e| (2.0 * (C * e).sqrt()) as f32),
            variance: spec.kernel.variance.map(|x| x as f32),
            cloud: cloud.map(|x| x as f32),
            along: [&view.axes[0], &view.axes[1], &view.kf, &view.ki].map(|k| modes.xi(k).map(|x| x as f32)),
        }
    }

    /// `energy`: of the mode, less what the sample's drawn variables add.
    #[inline(always)]
    fn encounter(&self, energy: f32, slope: [f32; 2]) -> Encounter {
        let [g0, g1, kf, ki] = self.along.map(|t| slope[0] * t[0] + slope[1] * t[1]);
        let a = self.neutron[0] - ki;
        let beta = (self.neutron[1] - kf) / a;
        let times = a * a * (self.variance[0] + beta * (self.variance[1] + beta * self.variance[2]));
        let [c00, c11, c22, c01, c02, c12] = self.cloud;
        let rest = c22 - 2.0 * (g0 * c02 + g1 * c12) + g0 * g0 * c00 + g1 * g1 * c11 + 2.0 * g0 * g1 * c01;
        let inverse = 1.0 / (times + rest.max(0.0)).max(1e-20).sqrt();
        let (low, high) = ((energy - self.window[1]) * inverse, (energy - self.window[0]) * inverse);
        let backwards = a < 0.0;
        Encounter {
            beta,
            rho: times.max(0.0).sqrt() * inverse,
            low: if backwards { -high } else { low },
            high: if backwards { -low } else { high },
        }
    }

    #[inline(always)]
    fn share(&self, e: &Encounter) -> f64 {
        let [high, low] = self.kernel.below(e.beta, e.rho, [e.high, e.low]);
        f64::from(high - low)
    }

    /// Where in the slice, -1 to 1.
    #[inline(always)]
    fn place(&self, energy: f32) -> f64 {
        let [lo, hi] = self.window;
        f64::from(((2.0 * energy - lo - hi) / (hi - lo)).clamp(-1.0, 1.0))
    }
}

struct Worker<'a> {
    domains: &'a [Seen<'a>],
    request: &'a ImageRequest<'a>,
    solvers: Vec<Option<Solver<'a>>>,
    samples: Vec<Sample>,
    cloud: [f64; 6],
    view: View,
    weigher: Weigher,
    energies: Vec<f32>,
    encounters: Vec<Encounter>,
    exact: [Vec<f64>; 3],
    products: Vec<f64>,
}

impl<'a> Worker<'a> {
    fn new(domains: &'a [Seen<'a>], request: &'a ImageRequest<'a>) -> Self {
        let solvers = domains.iter().map(|d| d.table.is_none().then(|| Solver::new(d.modes))).collect();
        let samples = request.points.len() / (2 + request.variables);
        Self {
            domains,
            request,
            solvers,
            samples: vec![Sample::default(); samples],
            cloud: [0.0; 6],
            view: View::default(),
            weigher: Weigher::default(),
            energies: Vec::new(),
            encounters: Vec::new(),
            exact: Default::default(),
            products: Vec::new(),
        }
    }

    fn row(&mut self, slice: usize, i0: usize, out: &mut [f64]) -> Result<()> {
        for (i1, out) in out.iter_mut().enumerate() {
            let spec = &self.request.slices[slice].slice;
            let bin = i0 * self.request.centres[1].len() + i1;
            if !spec.reaches(bin) {
                continue;
            }
            self.draw(slice, bin, [i0, i1]);
            let mut sum = 0.0;
            for d in 0..self.domains.len() {
                self.look(d, spec, bin, [i0, i1]);
                let one = if self.domains[d].table.is_some() { self.by_table(d, spec) } else { self.exactly(d, spec)? };
                sum += self.domains[d].weight * one;
            }
            *out = sum / (self.samples.len() as f64 * (spec.window.1 - spec.window.0));
        }
        Ok(())
    }

    /// Samples of one bin: the points, their digits shifted by numbers of the bin's own.
    fn draw(&mut self, slice: usize, bin: usize, at: [usize; 2]) {
        let request = self.request;
        let variables = request.variables;
        let dimensions = 2 + variables;
        let spec = &request.slices[slice];
        let rows = &spec.rows[bin * 3 * variables..(bin + 1) * 3 * variables];
        let key = hash(hash(request.seed ^ hash(slice as u64)) ^ bin as u64);
        let mut shifts = [0u32; 16];
        for (d, shift) in shifts.iter_mut().enumerate().take(dimensions) {
            // cells that tile the bin stay where they are
            *shift = if d < 2 { 0 } else { (hash(key ^ (d as u64) << 32) >> 32) as u32 };
        }
        let width = [0, 1].map(|a| request.widths[a][at[a]]);
        // covariance of what is not drawn, in axis 0, axis 1 and energy
        let row = |a: usize| &rows[a * variables..(a + 1) * variables];
        for (slot, (a, b)) in self.cloud.iter_mut().zip([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]) {
            let along: f64 = row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum();
            let cell = if a == b && a < 2 { width[a] / f64::from(request.cells) } else { 0.0 };
            *slot = (request.smooth * along + cell * cell) / 12.0;
        }
        let drawn = (1.0 - request.smooth).sqrt();
        for (sample, point) in self.samples.iter_mut().zip(request.points.chunks_exact(dimensions)) {
            // halfway into the last place, so that (-1/2, 1/2) is even
            let u = |d: usize| (f64::from(point[d] ^ shifts[d]) + 0.5) / 4_294_967_296.0 - 0.5;
            let mut x = [0, 1].map(|a| width[a] * u(a));
            let mut energy = 0.0;
            for v in 0..variables {
                let y =
                    if v < variables - request.gaussians { u(2 + v) } else { normal(u(2 + v) + 0.5) / 12f64.sqrt() };
                let y = drawn * y;
                x[0] += rows[v] * y;
                x[1] += rows[variables + v] * y;
                energy += rows[2 * variables + v] * y;
            }
            *sample = Sample { x, energy };
        }
    }

    fn look(&mut self, d: usize, spec: &Slice, bin: usize, at: [usize; 2]) {
        let domain = &self.domains[d];
        let (modes, model) = (domain.modes, domain.model);
        let vectors = &self.request.vectors;
        let centre = [0, 1].map(|a| self.request.centres[a][at[a]]);
        let inside = |hkl: &Vec3| -> Vec3 { domain.map.map(|row| dot(&row, hkl)) };
        let magnetic = |hkl: &Vec3| modes.hamiltonian.magnetic(&inside(hkl));
        let hkl = |third: f64| -> Vec3 {
            std::array::from_fn(|c| centre[0] * vectors[0][c] + centre[1] * vectors[1][c] + third * vectors[2][c])
        };
        let view = &mut self.view;
        view.k = magnetic(&hkl(spec.thirds[bin][1]));
        view.axes = [magnetic(&vectors[0]), magnetic(&vectors[1])];
        view.kf = magnetic(&spec.along_kf[bin]);
        view.ki = magnetic(&spec.along_ki);
        let places = spec.thirds[bin].map(|third| Place::new(modes, &model.lattice, &inside(&hkl(third))));
        for weights in &mut view.weights {
            weights.clear();
        }
        for w in self.weigher.weigh(modes, &places) {
            let [low, middle, high] = [w.0[0], w.0[1], w.0[2]];
            view.weights[0].push(middle);
            view.weights[1].push(0.5 * (high - low));
            view.weights[2].push(0.5 * (high + low) - middle);
        }
    }

    /// Sum over samples of what modes have in the slice, from a table.
    fn by_table(&mut self, d: usize, spec: &Slice) -> f64 {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            return unsafe { self.by_table_fused(d, spec) };
        }
        self.by_table_plain(d, spec)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn by_table_fused(&mut self, d: usize, spec: &Slice) -> f64 {
        self.by_table_plain(d, spec)
    }

    #[inline(always)]
    fn by_table_plain(&mut self, d: usize, spec: &Slice) -> f64 {
        let domain = &self.domains[d];
        let Some(table) = domain.table else { return 0.0 };
        let (modes, grid, view) = (domain.modes, &table.grid, &self.view);
        let count = modes.count;
        let origin = modes.xi(&view.k);
        let axes = [0, 1].map(|a| modes.xi(&view.axes[a]));
        let meet = Meeting::new(spec, self.cloud, modes, view);
        let (first, last) = spec.kernel.ends();
        let inverse = grid.step.map(|s| (1.0 / s) as f32);
        self.energies.resize(count, 0.0);
        self.encounters.resize(count, Encounter::default());
        let mut sum = 0.0;
        for sample in &self.samples {
            let [dx, dy] = sample.x;
            let xi = [0, 1].map(|a| origin[a] + dx * axes[0][a] + dy * axes[1][a]);
            let (node, [fx, fy]) = grid.cell(xi);
            let nodes = [node, node + 1, node + grid.count[1], node + grid.count[1] + 1];
            let weights = [(1.0 - fx) * (1.0 - fy), (1.0 - fx) * fy, fx * (1.0 - fy), fx * fy];
            let [a, b, c, e] = nodes.map(|n| &table.energies[n * count..(n + 1) * count]);
            let less = sample.energy as f32;
            let (energies, encounters) = (&mut self.energies[..count], &mut self.encounters[..count]);
            for m in 0..count {
                let (a, b, c, e) = (a[m], b[m], c[m], e[m]);
                let energy = weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * e;
                let slope = [
                    ((1.0 - fy) * (c - a) + fy * (e - b)) * inverse[0],
                    ((1.0 - fx) * (b - a) + fx * (e - c)) * inverse[1],
                ];
                energies[m] = energy;
                encounters[m] = meet.encounter(energy - less, slope);
            }
            let (mut mode, mut product, mut weight) = (0, 0, 0);
            for block in &modes.reduced {
                let each = block.products();
                for _ in 0..block.modes {
                    let encounter = &encounters[mode];
                    if encounter.high > first && encounter.low < last {
                        let energy = energies[mode];
                        let t = meet.place(energy - less);
                        let mut strength = 0.0;
                        for p in 0..each {
                            let x: f32 =
                                (0..4).map(|n| weights[n] * table.products[nodes[n] * modes.width + product + p]).sum();
                            strength += view.weight(weight + p, t) * f64::from(x);
                        }
                        sum += meet.share(encounter) * strength / f64::from(energy.max(1e-9));
                    }
                    mode += 1;
                    product += each;
                }
                weight += each;
            }
        }
        sum
    }

    /// The same with every sample's eigenproblem solved, and others beside it for the gradient.
    fn exactly(&mut self, d: usize, spec: &Slice) -> Result<f64> {
        let domain = &self.domains[d];
        let (modes, view) = (domain.modes, &self.view);
        let meet = Meeting::new(spec, self.cloud, modes, view);
        let (first, last) = spec.kernel.ends();
        let (count, width) = (modes.count, modes.width);
        let Some(solver) = &mut self.solvers[d] else { return Err(Error::Numerical("no solver".into())) };
        for energies in &mut self.exact {
            energies.resize(count * LANES, 0.0);
        }
        self.products.resize(width * LANES, 0.0);
        let steps = [[0.0; 3], scale(&modes.basis[0], DIFFERENCE), scale(&modes.basis[1], DIFFERENCE)];
        let mut sum = 0.0;
        for samples in self.samples.chunks(LANES) {
            let lanes = samples.len();
            for (step, (energies, which)) in steps.iter().zip(self.exact.iter_mut().zip([0, 1, 1])) {
                let place = |s: &Sample| -> Vec3 {
                    let [dx, dy] = s.x;
                    std::array::from_fn(|a| view.k[a] + dx * view.axes[0][a] + dy * view.axes[1][a] + step[a])
                };
                let k: Vec<Vec3> = samples.iter().map(place).collect();
                let products = if which == 0 { &mut self.products[..lanes * width] } else { &mut [] };
                solver.solve(&k, &mut energies[..lanes * count], products)?;
            }
            let [here, beyond, across] = &self.exact;
            for (l, sample) in samples.iter().enumerate() {
                let (mut mode, mut product, mut weight) = (l * count, l * width, 0);
                for block in &modes.reduced {
                    let each = block.products();
                    for _ in 0..block.modes {
                        let energy = here[mode];
                        let slope = [beyond, across].map(|other| ((other[mode] - energy) / DIFFERENCE) as f32);
                        let mismatch = (energy - sample.energy) as f32;
                        let encounter = meet.encounter(mismatch, slope);
                        if encounter.high > first && encounter.low < last {
                            let t = meet.place(mismatch);
                            let strength: f64 =
                                (0..each).map(|p| view.weight(weight + p, t) * self.products[product + p]).sum();
                            sum += meet.share(&encounter) * strength / energy.max(1e-9);
                        }
                        mode += 1;
                        product += each;
                    }
                    weight += each;
                }
            }
        }
        Ok(sum)
    }
}
