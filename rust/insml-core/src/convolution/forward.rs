//! Spin waves through a whole instrument, forward: what each cell of a fine grid scatters is computed once and handed to all
//! bins whose footprint it lies in.
//!
//! Cells divide the bins. Over a cell the dispersion is straight, and the mismatch of energies is spread by the times of the
//! neutron (`kernel`) and by the cell's own size: by a box along the axis where that does more, so that neighbouring cells
//! join without ripples, and by a Gaussian along the other. The slice sees a part of the cell only; where its middle is
//! meets the slopes of the footprint. The rest of the flight (beam, sample, detector face) adds an energy e, little compared
//! with the times' spread: its variance joins the Gaussian, and what it has to do with the place in the footprint is seen to
//! first order.

use crate::convolution::footprint::{Footprint, MOMENTS};
use crate::convolution::sheet::{Raster, Sheet};
use crate::convolution::slice::{Distinct, Domain, Slice};
use crate::convolution::third::MEV_ANGSTROM2;
use crate::error::{Error, Result};
use crate::lanes::LANES;
use crate::parallel::for_each;
use crate::table::Modes;
use crate::table::weigh::{Place, Weigher};
use crate::vec3::{Vec3, dot, inverse, transpose};
use std::ops::Range;

/// Bytes that modes may take at a time.
const BUDGET: usize = 256 << 20;
/// Rows of bins that are computed together.
const ROWS: usize = 40;

/// A slice whose bins include the margin, and the footprints of those that do not belong to it.
pub struct ForwardSlice {
    pub slice: Slice,
    pub footprint: Footprint,
}

pub struct ForwardImage {
    pub raster: Raster,
    pub slices: Vec<ForwardSlice>,
}

impl ForwardImage {
    /// Mean intensity per meV, (slices, axis 0, axis 1); None where modes do not come in blocks that depend on axes 0 and 1
    /// alone. Bits depend on neither threads nor chunks.
    pub fn intensities(&self, domains: &[Domain], form_factor: bool, threads: usize) -> Result<Option<Vec<f64>>> {
        let distinct = Distinct::of(domains, form_factor);
        let Some(modes) = distinct.modes()? else { return Ok(None) };
        let raster = &self.raster;
        let each: Vec<(&Domain, &Modes)> = domains.iter().zip(distinct.which.iter().map(|m| &modes[*m])).collect();
        let third =
            |(d, m): &(&Domain, &Modes)| m.xi(&m.hamiltonian.magnetic(&d.map.map(|row| dot(&row, &raster.vectors[2]))));
        if each.iter().any(|d| third(d).iter().any(|x| x.abs() > 1e-9)) {
            return Ok(None);
        }
        let to_axes = inverse(&transpose(&raster.vectors))
            .ok_or_else(|| Error::Geometry("axes: expected three that span space, found a plane or less".into()))?;
        let [n0, n1] = raster.bins;
        let mut out = vec![0.0; self.slices.len() * n0 * n1];
        let row: usize = each.iter().map(|(_, m)| Sheet::row_bytes(m, raster)).sum();
        let band = (BUDGET / (row * raster.cells)).saturating_sub(2 * raster.margin[0]).max(ROWS);
        let reach = self.slices.iter().map(|s| s.footprint.reach[0]).max().unwrap_or(0);
        for start in (0..n0).step_by(band) {
            let rows = start..n0.min(start + band);
            let cells = self.cells(&rows, reach);
            let sheets = each
                .iter()
                .map(|(d, m)| Sheet::build(d, m, raster, cells.clone(), threads))
                .collect::<Result<Vec<_>>>()?;
            let pieces: Vec<_> = out
                .chunks_mut(n0 * n1)
                .enumerate()
                .flat_map(|(s, out)| {
                    let part = out[rows.start * n1..rows.end * n1].chunks_mut(ROWS * n1).enumerate();
                    let first = rows.start;
                    part.map(move |(p, out)| (s, first + p * ROWS, out))
                })
                .collect();
            for_each(
                threads,
                pieces.into_iter(),
                || Worker::new(self, &each, &sheets, to_axes),
                |worker, (s, first, out)| {
                    worker.piece(s, first..first + out.len() / n1, out);
                    None::<()>
                },
            );
        }
        Ok(Some(out))
    }

    /// Rows of cells that rows of bins have in their footprints.
    fn cells(&self, bins: &Range<usize>, reach: usize) -> Range<usize> {
        let (margin, cells) = (self.raster.margin[0], self.raster.cells);
        (bins.start + margin) * cells - reach..(bins.end + margin) * cells + reach
    }
}

/// What the response of cells of one slice and domain has in common.
struct Meeting<'a> {
    slice: &'a Slice,
    /// dE/dk of the incident and the scattered neutron, meV Angstrom.
    neutron: [f32; 2],
    window: [f32; 2],
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

/// Encounters of all modes at one cell.
#[derive(Default)]
struct Encounters {
    beta: Vec<f32>,
    rho: Vec<f32>,
    /// Standard deviations per meV, negative where a mode outruns the neutrons.
    inverse: Vec<f32>,
    /// Full width of the box, meV.
    width: Vec<f32>,
    /// Farthest from the slice that a mode may be, meV.
    reach: Vec<f32>,
}

impl Encounters {
    fn resize(&mut self, n: usize) {
        for part in [&mut self.beta, &mut self.rho, &mut self.inverse, &mut self.width, &mut self.reach] {
            part.resize(n, 0.0);
        }
    }
}

impl<'a> Meeting<'a> {
    fn new(raster: &Raster, image: &'a ForwardSlice, to_axes: &[Vec3; 3]) -> Self {
        let slice = &image.slice;
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
            rest: image.footprint.energy_sigma.powi(2) as f32,
            reach: ends.1.max(-ends.0),
        }
    }

    #[inline(always)]
    fn encounter(&self, slopes: [&[f32]; 2], kf: [f32; 2], out: &mut Encounters) {
        let n = slopes[0].len();
        let Encounters { beta, rho, inverse, width, reach } = out;
        let (beta, rho, inverse, width, reach) =
            (&mut beta[..n], &mut rho[..n], &mut inverse[..n], &mut width[..n], &mut reach[..n]);
        let (x, y) = (&slopes[0][..n], &slopes[1][..n]);
        for m in 0..n {
            let a = self.neutron[0] - (x[m] * self.ki[0] + y[m] * self.ki[1]);
            let b = (self.neutron[1] - (x[m] * kf[0] + y[m] * kf[1])) / a;
            let times = a * a * (self.variance[0] + b * (self.variance[1] + b * self.variance[2])).max(0.0);
            let (along, across) = ((x[m] * self.cell[0]).abs(), (y[m] * self.cell[1]).abs());
            let minor = along.min(across);
            let total = (times + minor * minor / 12.0 + self.rest).max(1e-20).sqrt();
            let i = 1.0 / total;
            beta[m] = b;
            rho[m] = times.sqrt() * i;
            inverse[m] = i.copysign(a);
            width[m] = along.max(across);
            reach[m] = self.reach * total + 0.5 * width[m];
        }
    }

    /// Probability to meet the mode within the slice; its derivative with respect to e; its first moments along both axes
    /// about the middle of the cell, in cells.
    #[inline(always)]
    fn response(&self, energy: f32, slope: [f32; 2], m: usize, met: &Encounters) -> [f32; MOMENTS] {
        // boxes that hardly matter are kept from vanishing
        const NARROW: f32 = 0.05;
        let inverse = met.inverse[m];
        let curve = self.slice.kernel.curve(met.beta[m], met.rho[m]);
        let width = (met.width[m] * inverse.abs()).max(NARROW);
        let [upper, lower] = curve.below_with_box(self.window.map(|end| (energy - end) * inverse), width);
        let rise = (upper[1] - lower[1]) * inverse.abs();
        let across = [slope[0] * self.cell[0], slope[1] * self.cell[1]];
        let mut out = [(upper[0] - lower[0]).abs(), -rise, across[0] * rise / 12.0, across[1] * rise / 12.0];
        let major = usize::from(across[1].abs() > across[0].abs());
        out[2 + major] = (upper[2] - lower[2]) * across[major].signum();
        out
    }
}

struct Worker<'a> {
    image: &'a ForwardImage,
    domains: &'a [(&'a Domain<'a>, &'a Modes<'a>)],
    sheets: &'a [Sheet],
    /// Steps along the axes for a step in hkl.
    to_axes: [Vec3; 3],
    met: Encounters,
    /// Steps along both axes for a step of 1/Angstrom along kf, at bins.
    kf: Vec<[f32; 2]>,
    weigher: Weigher,
    places: Vec<Place>,
    /// What products weigh at bins: (bins, 3, products), a polynomial in the place -1 to 1 in the slice.
    weights: Vec<f32>,
    /// The same on a row of cells between them, and at one cell.
    row: Vec<f32>,
    cell: Vec<f32>,
    /// (rows of cells, moments, columns of cells).
    planes: Vec<f32>,
    footprints: Vec<f32>,
    footprint: Vec<f32>,
}

impl<'a> Worker<'a> {
    fn new(
        image: &'a ForwardImage,
        domains: &'a [(&'a Domain<'a>, &'a Modes<'a>)],
        sheets: &'a [Sheet],
        to_axes: [Vec3; 3],
    ) -> Self {
        Self {
            image,
            domains,
            sheets,
            to_axes,
            met: Encounters::default(),
            kf: Vec::new(),
            weigher: Weigher::default(),
            places: Vec::new(),
            weights: Vec::new(),
            row: Vec::new(),
            cell: Vec::new(),
            planes: Vec::new(),
            footprints: Vec::new(),
            footprint: Vec::new(),
        }
    }

    /// Some rows of bins of a slice.
    fn piece(&mut self, s: usize, bins: Range<usize>, out: &mut [f64]) {
        let (image, raster) = (self.image, &self.image.raster);
        let one = &image.slices[s];
        let cells = image.cells(&bins, one.footprint.reach[0]);
        let columns = raster.all(1) * raster.cells;
        self.planes.clear();
        self.planes.resize(cells.len() * MOMENTS * columns, 0.0);
        let meeting = Meeting::new(raster, one, &self.to_axes);
        let around = around(&cells, raster);
        let [x, y, _] = self.to_axes;
        let along_kf = &one.slice.along_kf[around.start * raster.all(1)..around.end * raster.all(1)];
        self.kf.clear();
        self.kf.extend(along_kf.iter().map(|k| [dot(&x, k) as f32, dot(&y, k) as f32]));
        for d in 0..self.domains.len() {
            self.weigh(d, &one.slice, &cells);
            self.scatter(d, &meeting, &cells);
        }
        self.gather(one, bins, out);
    }

    /// Weights of products at the bins around some rows of cells.
    fn weigh(&mut self, d: usize, slice: &Slice, cells: &Range<usize>) {
        let raster = &self.image.raster;
        let (domain, modes) = self.domains[d];
        let lattice = &domain.model.model.lattice;
        let (bins, wide) = (around(cells, raster), raster.all(1));
        let each: usize = modes.reduced.iter().map(|b| b.products()).sum();
        self.weights.clear();
        self.weights.resize(bins.len() * wide * 3 * each, f32::NAN);
        let all: Vec<(usize, usize)> = (bins.start * wide..bins.end * wide).enumerate().collect();
        // three of each bin
        for some in all.chunks(LANES / 3) {
            self.places.clear();
            for (_, bin) in some {
                for third in slice.thirds[*bin] {
                    let hkl = raster.hkl(raster.centre(0, bin / wide), raster.centre(1, bin % wide), third);
                    self.places.push(Place::new(modes, lattice, &domain.map.map(|row| dot(&row, &hkl))));
                }
            }
            for (p, w) in self.weigher.weigh(modes, &self.places).iter().enumerate() {
                for (n, (slot, _)) in some.iter().enumerate() {
                    let [low, middle, high] = [w.0[3 * n], w.0[3 * n + 1], w.0[3 * n + 2]];
                    let coefficients = [middle, 0.5 * (high - low), 0.5 * (high + low) - middle];
                    for (c, x) in coefficients.iter().enumerate() {
                        self.weights[(3 * slot + c) * each + p] = *x as f32;
                    }
                }
            }
        }
    }

    fn scatter(&mut self, d: usize, meeting: &Meeting, cells: &Range<usize>) {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { self.scatter_fused(d, meeting, cells) };
            return;
        }
        self.scatter_plain(d, meeting, cells);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn scatter_fused(&mut self, d: usize, meeting: &Meeting, cells: &Range<usize>) {
        self.scatter_plain(d, meeting, cells);
    }

    /// Adds what a domain scatters to the planes.
    #[inline(always)]
    fn scatter_plain(&mut self, d: usize, meeting: &Meeting, cells: &Range<usize>) {
        let raster = &self.image.raster;
        let (domain, modes) = self.domains[d];
        let sheet = &self.sheets[d];
        let bins = around(cells, raster);
        let (n, wide) = (raster.cells, raster.all(1));
        let columns = wide * n;
        let each = 3 * modes.reduced.iter().map(|b| b.products()).sum::<usize>();
        let weight = domain.weight as f32;
        let [lo, hi] = meeting.window;
        // not all bins can be reached
        let partial = self.weights.iter().any(|x| x.is_nan());
        self.met.resize(modes.count);
        self.cell.resize(each, 0.0);
        for row in cells.clone() {
            let own = row / n;
            let (i, inside) = place(row, n, raster.all(0));
            let line = |i: usize| &self.weights[(i - bins.start) * wide * each..(i - bins.start + 1) * wide * each];
            self.row.clear();
            self.row.extend(line(i).iter().zip(line(i + 1)).map(|(x, y)| x + inside * (y - x)));
            let planes = &mut self.planes[(row - cells.start) * MOMENTS * columns..][..MOMENTS * columns];
            for column in 0..columns {
                let bin = own * wide + column / n;
                if partial && meeting.slice.thirds[bin].iter().any(|x| x.is_nan()) {
                    continue;
                }
                let (energies, x, y, products) = sheet.at(row, column);
                meeting.encounter([x, y], self.kf[bin - bins.start * wide], &mut self.met);
                let (j, inside) = place(column, n, wide);
                for (w, (x, y)) in
                    self.cell.iter_mut().zip(self.row[j * each..].iter().zip(&self.row[(j + 1) * each..]))
                {
                    *w = x + inside * (y - x);
                }
                if partial && self.cell.iter().any(|x| x.is_nan()) {
                    // beside what the spectrometer can reach
                    let at = ((own - bins.start) * wide + column / n) * each;
                    self.cell.copy_from_slice(&self.weights[at..at + each]);
                }
                let (constant, rest) = self.cell.split_at(each / 3);
                let (linear, square) = rest.split_at(each / 3);
                let (mut mode, mut product, mut first) = (0, 0, 0);
                let mut sum = [0.0f32; MOMENTS];
                for block in &modes.reduced {
                    let size = block.products();
                    for _ in 0..block.modes {
                        let energy = energies[mode];
                        if (energy - 0.5 * (lo + hi)).abs() < self.met.reach[mode] + 0.5 * (hi - lo) {
                            let t = ((2.0 * energy - lo - hi) / (hi - lo)).clamp(-1.0, 1.0);
                            let weights = [constant, linear, square].map(|w| &w[first..first + size]);
                            let strength = strength(weights, t, &products[product..product + size]) / energy.max(1e-9);
                            for (sum, c) in
                                sum.iter_mut().zip(meeting.response(energy, [x[mode], y[mode]], mode, &self.met))
                            {
                                *sum += strength * c;
                            }
                        }
                        mode += 1;
                        product += size;
                    }
                    first += size;
                }
                for (m, sum) in sum.iter().enumerate() {
                    planes[m * columns + column] += weight * sum;
                }
            }
        }
    }

    /// Sums the planes over the footprints of bins.
    fn gather(&mut self, one: &ForwardSlice, bins: Range<usize>, out: &mut [f64]) {
        let raster = &self.image.raster;
        let n1 = raster.bins[1];
        let columns = raster.all(1) * raster.cells;
        let footprint = &one.footprint;
        let [tall, wide] = footprint.size;
        let per = 1.0 / (one.slice.window.1 - one.slice.window.0);
        for (i, out) in bins.clone().zip(out.chunks_exact_mut(n1)) {
            footprint.row(i, &mut self.footprints);
            for (j, out) in out.iter_mut().enumerate() {
                let bin = (i + raster.margin[0]) * raster.all(1) + j + raster.margin[1];
                if one.slice.thirds[bin].iter().any(|x| x.is_nan()) {
                    continue;
                }
                footprint.bin(&self.footprints, j, &mut self.footprint);
                let left = (j + raster.margin[1]) * raster.cells - footprint.reach[1];
                let top = (i - bins.start) * raster.cells;
                let mut sum = 0.0f64;
                for (line, shares) in self.footprint.chunks_exact(wide).enumerate().take(tall * MOMENTS) {
                    let plane = &self.planes[(top * MOMENTS + line) * columns + left..][..wide];
                    sum += f64::from(shares.iter().zip(plane).map(|(x, y)| x * y).sum::<f32>());
                }
                // what is left of nothing may be a little less
                *out = (sum * per).max(0.0);
            }
        }
    }
}

/// Sum of products with weights that are a polynomial in `t`, in a fixed order of eight sums at once.
#[inline(always)]
fn strength(weights: [&[f32]; 3], t: f32, products: &[f32]) -> f32 {
    const SUMS: usize = 8;
    let n = products.len();
    let [constant, linear, square] = weights.map(|w| &w[..n]);
    let one = |p: usize| (constant[p] + t * (linear[p] + t * square[p])) * products[p];
    let whole = n - n % SUMS;
    let mut sums = [0.0f32; SUMS];
    for start in (0..whole).step_by(SUMS) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += one(start + i);
        }
    }
    for (sum, p) in sums.iter_mut().zip(whole..n) {
        *sum += one(p);
    }
    sums.iter().sum()
}

/// Bin before a cell's middle such that the next exists, and how far from its centre towards that.
fn place(cell: usize, cells: usize, bins: usize) -> (usize, f32) {
    let x = (cell as f64 + 0.5) / cells as f64 - 0.5;
    let bin = (x.max(0.0) as usize).min(bins.saturating_sub(2));
    (bin, (x - bin as f64) as f32)
}

/// Bins between whose centres rows of cells lie.
fn around(cells: &Range<usize>, raster: &Raster) -> Range<usize> {
    let last = place(cells.end - 1, raster.cells, raster.all(0)).0;
    place(cells.start, raster.cells, raster.all(0)).0..last + 2
}
