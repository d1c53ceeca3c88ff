//! Spin waves through a whole instrument, forward: what each cell of a fine grid scatters is computed once and handed to all
//! bins whose footprint it lies in.
//!
//! Cells divide the bins. Over a cell the dispersion is straight, and the mismatch of energies is spread by the times of the
//! neutron (`kernel`) and by the cell's own size: by a box along the axis where that does more, so that neighbouring cells
//! join without ripples, and by a Gaussian along the other. The slice sees a part of the cell only; where its middle is
//! meets the slopes of the footprint. The rest of the flight (beam, sample, detector face) adds an energy e, little compared
//! with the times' spread: its variance joins the Gaussian, and what it has to do with the place in the footprint is seen to
//! first order.

use crate::convolution::footprint::{Footprint, MOMENTS, WIDE};
use crate::convolution::half_turn;
use crate::convolution::meeting::{Encounters, Meeting, Met};
use crate::convolution::sheet::{Raster, Sheet};
use crate::convolution::slice::{Distinct, Domain, Slice};
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
        let tall = raster.all(0) * raster.cells;
        // where half is enough, the rest of the bins and cells is what that becomes by half a turn
        let (middle, computed) = if half_turn::holds(raster, &self.slices, &each, &to_axes)? {
            (n0.div_ceil(2), tall.div_ceil(2))
        } else {
            (n0, tall)
        };
        for start in (0..middle).step_by(band) {
            let rows = start..middle.min(start + band);
            let cells = self.cells(&rows, reach);
            let cells = cells.start..cells.end.min(computed);
            let sheets = each
                .iter()
                .map(|(d, m)| Sheet::build(d, m, raster, cells.clone(), threads))
                .collect::<Result<Vec<_>>>()?;
            let pieces: Vec<_> = out
                .chunks_mut(n0 * n1)
                .enumerate()
                .flat_map(|(slice, out)| {
                    let (out, turned) = out.split_at_mut(middle * n1);
                    let turned = if middle < n0 {
                        &mut turned[n0.saturating_sub(rows.end).saturating_sub(middle) * n1..(n0 - start - middle) * n1]
                    } else {
                        turned
                    };
                    let turned = turned.rchunks_mut(ROWS * n1).chain(std::iter::repeat_with(|| &mut [][..]));
                    let out = out[start * n1..rows.end * n1].chunks_mut(ROWS * n1);
                    (out.zip(turned).enumerate()).map(move |(p, (out, turned))| Piece {
                        slice,
                        first: start + p * ROWS,
                        out,
                        turned,
                    })
                })
                .collect();
            for_each(
                threads,
                pieces.into_iter(),
                || Worker::new(self, &each, &sheets, to_axes, computed),
                |worker, piece| {
                    worker.piece(piece);
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

/// Rows of bins of a slice from the `first` on, and those that they come to by half a turn, in order, but for the middle one;
/// the latter empty where that is of no use.
struct Piece<'a> {
    slice: usize,
    first: usize,
    out: &'a mut [f64],
    turned: &'a mut [f64],
}

struct Worker<'a> {
    image: &'a ForwardImage,
    domains: &'a [(&'a Domain<'a>, &'a Modes<'a>)],
    sheets: &'a [Sheet],
    /// Steps along the axes for a step in hkl.
    to_axes: [Vec3; 3],
    /// Rows of cells that are computed; others come by half a turn.
    computed: usize,
    met: Met,
    encounters: Encounters,
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
}

impl<'a> Worker<'a> {
    fn new(
        image: &'a ForwardImage,
        domains: &'a [(&'a Domain<'a>, &'a Modes<'a>)],
        sheets: &'a [Sheet],
        to_axes: [Vec3; 3],
        computed: usize,
    ) -> Self {
        Self {
            image,
            domains,
            sheets,
            to_axes,
            computed,
            met: Met::default(),
            encounters: Encounters::default(),
            kf: Vec::new(),
            weigher: Weigher::default(),
            places: Vec::new(),
            weights: Vec::new(),
            row: Vec::new(),
            cell: Vec::new(),
            planes: Vec::new(),
            footprints: Vec::new(),
        }
    }

    fn piece(&mut self, piece: Piece) {
        let (image, raster) = (self.image, &self.image.raster);
        let one = &image.slices[piece.slice];
        let n1 = raster.bins[1];
        let bins = piece.first..piece.first + piece.out.len() / n1;
        let all = image.cells(&bins, one.footprint.reach[0]);
        let cells = all.start..all.end.min(self.computed);
        let columns = raster.all(1) * raster.cells;
        self.planes.clear();
        // footprints are padded by nothing: what they cover may end beyond a line
        self.planes.resize(all.len() * MOMENTS * columns + WIDE, 0.0);
        let meeting = Meeting::new(raster, &one.slice, one.footprint.energy_sigma, &self.to_axes);
        let around = around(&cells, raster);
        let [x, y, _] = self.to_axes;
        let along_kf = &one.slice.along_kf[around.start * raster.all(1)..around.end * raster.all(1)];
        self.kf.clear();
        self.kf.extend(along_kf.iter().map(|k| [dot(&x, k) as f32, dot(&y, k) as f32]));
        for d in 0..self.domains.len() {
            self.weigh(d, &one.slice, &cells);
            self.scatter(d, &meeting, &cells);
        }
        // rows beyond the middle are rows before it, turned
        let tall = raster.all(0) * raster.cells;
        for row in cells.end..all.end {
            let (before, beyond) = self.planes.split_at_mut((row - all.start) * MOMENTS * columns);
            let source = &before[(tall - 1 - row - all.start) * MOMENTS * columns..][..MOMENTS * columns];
            beyond[..MOMENTS * columns].copy_from_slice(source);
            half_turn_of_row(&mut beyond[..MOMENTS * columns], columns);
        }
        self.gather(one, all.start, bins, piece.out);
        if !piece.turned.is_empty() {
            let filled = all.len() * MOMENTS * columns;
            for row in self.planes[..filled].chunks_exact_mut(MOMENTS * columns) {
                half_turn_of_row(row, columns);
            }
            reverse_rows(&mut self.planes[..filled], MOMENTS * columns);
            let end = raster.bins[0] - piece.first;
            self.gather(one, tall - all.end, end - piece.turned.len() / n1..end, piece.turned);
        }
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
            let products = self.weigher.weigh(modes, &self.places);
            for ((slot, _), n) in some.iter().zip(0..) {
                let (constant, rest) = self.weights[3 * slot * each..3 * (slot + 1) * each].split_at_mut(each);
                let (linear, square) = rest.split_at_mut(each);
                for (((c, l), s), w) in constant.iter_mut().zip(linear).zip(square).zip(products) {
                    let [low, middle, high] = [0, 1, 2].map(|third| w.0[3 * n + third]);
                    *c = middle as f32;
                    *l = (0.5 * (high - low)) as f32;
                    *s = (0.5 * (high + low) - middle) as f32;
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
        // not all bins can be reached
        let partial = !(bins.start * wide..bins.end * wide).all(|bin| meeting.slice.reaches(bin));
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
                if partial && !meeting.slice.reaches(bin) {
                    continue;
                }
                let (energies, x, y, products) = sheet.at(row, column);
                meeting.meet(energies, [x, y], self.kf[bin - bins.start * wide], &mut self.met);
                let mut within_reach = self.met.within_reach().peekable();
                if within_reach.peek().is_none() {
                    continue;
                }
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
                for mode in within_reach {
                    let (first, product, size) = modes.places[mode];
                    let weights = [constant, linear, square].map(|w| &w[first..first + size]);
                    let energy = energies[mode];
                    let strength = strength(weights, meeting.place(energy), &products[product..product + size]);
                    self.encounters.push(column, strength, energy, [x[mode], y[mode]], &self.met, mode);
                }
            }
            meeting.add(&mut self.encounters, weight, planes, columns);
        }
    }

    /// `start`: row of cells that the planes begin with.
    fn gather(&mut self, one: &ForwardSlice, start: usize, bins: Range<usize>, out: &mut [f64]) {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { self.gather_fused(one, start, bins, out) };
            return;
        }
        self.gather_plain(one, start, bins, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn gather_fused(&mut self, one: &ForwardSlice, start: usize, bins: Range<usize>, out: &mut [f64]) {
        self.gather_plain(one, start, bins, out);
    }

    /// Sums the planes over the footprints of bins.
    #[inline(always)]
    fn gather_plain(&mut self, one: &ForwardSlice, start: usize, bins: Range<usize>, out: &mut [f64]) {
        let raster = &self.image.raster;
        let n1 = raster.bins[1];
        let columns = raster.all(1) * raster.cells;
        let footprint = &one.footprint;
        let wide = footprint.size[1];
        let per = 1.0 / (one.slice.window.1 - one.slice.window.0);
        for (i, out) in bins.zip(out.chunks_exact_mut(n1)) {
            footprint.row(i, &mut self.footprints);
            let top = ((i + raster.margin[0]) * raster.cells - footprint.reach[0] - start) * MOMENTS * columns;
            for (j, out) in out.iter_mut().enumerate() {
                let bin = (i + raster.margin[0]) * raster.all(1) + j + raster.margin[1];
                if !one.slice.reaches(bin) {
                    continue;
                }
                let ([before, after], inside) = footprint.around(&self.footprints, j);
                let left = top + (j + raster.margin[1]) * raster.cells - footprint.reach[1];
                let mut sums = [[0.0f32; WIDE]; 2];
                for (line, (x, y)) in before.chunks_exact(wide).zip(after.chunks_exact(wide)).enumerate() {
                    let plane = &self.planes[left + line * columns..][..wide];
                    let parts = x.as_chunks::<WIDE>().0.iter().zip(y.as_chunks::<WIDE>().0);
                    for ((x, y), p) in parts.zip(plane.as_chunks::<WIDE>().0) {
                        for l in 0..WIDE {
                            sums[0][l] += x[l] * p[l];
                            sums[1][l] += y[l] * p[l];
                        }
                    }
                }
                let [before, after] = sums.map(|s| s.iter().map(|x| f64::from(*x)).sum::<f64>());
                // what is left of nothing may be a little less
                *out = ((before + f64::from(inside) * (after - before)) * per).max(0.0);
            }
        }
    }
}

/// Half a turn within a row of cells (moments, columns): slopes along the axes change sign.
fn half_turn_of_row(row: &mut [f32], columns: usize) {
    for (moment, line) in row.chunks_exact_mut(columns).enumerate() {
        line.reverse();
        if moment >= 2 {
            line.iter_mut().for_each(|x| *x = -*x);
        }
    }
}

fn reverse_rows(rows: &mut [f32], size: usize) {
    let n = rows.len() / size;
    let (top, bottom) = rows.split_at_mut(n / 2 * size);
    for (a, b) in top.chunks_exact_mut(size).zip(bottom.chunks_exact_mut(size).rev()) {
        a.swap_with_slice(b);
    }
}

/// Sum of products with weights that are a polynomial in `t`, in a fixed order of four sums at once.
#[inline(always)]
fn strength(weights: [&[f32]; 3], t: f32, products: &[f32]) -> f32 {
    const SUMS: usize = 4;
    let [constant, linear, square] = weights.map(|w| w.as_chunks::<SUMS>());
    let (whole, rest) = products.as_chunks::<SUMS>();
    let mut sums = [0.0f32; SUMS];
    for (((c, l), s), p) in constant.0.iter().zip(linear.0).zip(square.0).zip(whole) {
        for i in 0..SUMS {
            sums[i] += (c[i] + t * (l[i] + t * s[i])) * p[i];
        }
    }
    for (((c, l), s), p) in constant.1.iter().zip(linear.1).zip(square.1).zip(rest) {
        sums[0] += (c + t * (l + t * s)) * p;
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
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
