//! Where the neutrons of a bin come from: its footprint on a grid of cells that divide the bins.
//!
//! For every cell the footprint holds the share of the bin's neutrons that come from it, how that changes over the cell, and
//! their energy deviation, summed over the share: what moves Q moves energies a little, too. The resolution varies slowly
//! over a slice, so that footprints are computed at a few knots and linear in between.

/// Bins between knots, at most.
const SPACING: usize = 8;
/// Numbers of a cell: the share; the summed energy deviation; twelve times the share's first moments along both axes about
/// the middle of the cell, in cells, which are the slopes of the straight line that fits it best.
pub const MOMENTS: usize = 4;
/// Footprints are so many cells wide, or a multiple.
pub const WIDE: usize = 8;

/// How the bins of a slice are divided and how the neutrons spread.
pub struct Spread<'a> {
    pub bins: [usize; 2],
    /// Bins of the margin on each side; what lies farther is left out.
    pub margin: [usize; 2],
    /// Full widths of a bin along both axes.
    pub widths: [f64; 2],
    /// Cells along each side of a bin.
    pub cells: usize,
    /// Deviation in axis 0, axis 1 and energy for a unit of each variable: (bin, 3, variables).
    pub rows: &'a [f64],
    /// Draws of the variables, mean zero: (samples, variables).
    pub points: &'a [f64],
    pub variables: usize,
}

#[derive(Clone, Debug)]
pub struct Footprint {
    /// Bins at which it is known, ascending.
    knots: [Vec<usize>; 2],
    /// Cells that it reaches beyond the bin, on each side.
    pub reach: [usize; 2],
    /// Cells of it along both axes; the last columns are empty.
    pub size: [usize; 2],
    /// (knots 0, knots 1, size 0, moments, size 1).
    moments: Vec<f32>,
    /// Standard deviation of the energy deviations, meV.
    pub energy_sigma: f64,
}

impl Footprint {
    pub fn new(spread: &Spread) -> Self {
        let Spread { bins, cells, variables, .. } = *spread;
        let knots = bins.map(knots);
        let samples: Vec<&[f64]> = spread.points.chunks_exact(variables).collect();
        let row = |bin: usize, a: usize| &spread.rows[(3 * bin + a) * variables..(3 * bin + a + 1) * variables];
        let along = |row: &[f64], y: &[f64]| row.iter().zip(y).map(|(r, y)| r * y).sum::<f64>();
        let places: Vec<usize> = knots[0].iter().flat_map(|i| knots[1].iter().map(move |j| i * bins[1] + j)).collect();
        let farthest = [0, 1].map(|a| {
            let of = |bin: &usize| samples.iter().map(|y| along(row(*bin, a), y).abs()).fold(0.0, f64::max);
            places.iter().map(of).fold(0.0, f64::max) / spread.widths[a] * cells as f64
        });
        let reach = [0, 1].map(|a| (farthest[a] as usize + 1).min(spread.margin[a] * cells));
        let covered = reach.map(|r| cells + 2 * r);
        let size = [covered[0], covered[1].next_multiple_of(WIDE)];
        let one = size[0] * MOMENTS * size[1];
        let mut moments = vec![0.0; places.len() * one];
        let mut square = 0.0f64;
        for (bin, out) in places.iter().zip(moments.chunks_exact_mut(one)) {
            let rows = [0, 1, 2].map(|a| row(*bin, a));
            let (mut sum, mut kept) = (0.0, 0usize);
            for y in &samples {
                let energy = along(rows[2], y);
                let cover = |a: usize| {
                    let start = along(rows[a], y) / spread.widths[a] * cells as f64 + reach[a] as f64;
                    let first = start.floor().clamp(0.0, (covered[a] - cells - 1) as f64);
                    (first as usize, start - first)
                };
                let ((i, beyond), (j, across)) = (cover(0), cover(1));
                if !(0.0..=1.0).contains(&beyond) || !(0.0..=1.0).contains(&across) {
                    continue;
                }
                (sum, kept) = (sum + energy * energy, kept + 1);
                // a box as wide as the bin covers parts of its two outer cells: how much, and twelve times the moment
                let part = |n: usize, inside: f64| match n {
                    0 => (1.0 - inside, 6.0 * inside * (1.0 - inside)),
                    n if n == cells => (inside, -6.0 * inside * (1.0 - inside)),
                    _ => (1.0, 0.0),
                };
                for a in 0..=cells {
                    let line = &mut out[(i + a) * MOMENTS * size[1]..(i + a + 1) * MOMENTS * size[1]];
                    let (tall, up) = part(a, beyond);
                    for b in 0..=cells {
                        let (wide, right) = part(b, across);
                        for (m, x) in [tall * wide, tall * wide * energy, up * wide, tall * right].iter().enumerate() {
                            line[m * size[1] + j + b] += x;
                        }
                    }
                }
            }
            square = square.max(sum / kept.max(1) as f64);
            let norm = 1.0 / (kept * cells * cells).max(1) as f64;
            out.iter_mut().for_each(|x| *x *= norm);
        }
        let moments = moments.iter().map(|x| *x as f32).collect();
        Self { knots, reach, size, moments, energy_sigma: square.sqrt() }
    }

    /// Floats of one footprint.
    fn floats(&self) -> usize {
        self.size[0] * MOMENTS * self.size[1]
    }

    /// Footprints at the knots of axis 1 for a row of bins, one after the other.
    pub fn row(&self, bin: usize, out: &mut Vec<f32>) {
        let (k, inside) = between(&self.knots[0], bin);
        let line = self.knots[1].len() * self.floats();
        let at = |k: usize| &self.moments[k * line..(k + 1) * line];
        let next = (k + 1).min(self.knots[0].len() - 1);
        out.clear();
        out.extend(at(k).iter().zip(at(next)).map(|(x, y)| x + inside * (y - x)));
    }

    /// In such a row the footprints of the knots around a bin, and how far it is from the first to the second.
    pub fn around<'a>(&self, row: &'a [f32], bin: usize) -> ([&'a [f32]; 2], f32) {
        let (k, inside) = between(&self.knots[1], bin);
        let at = |k: usize| &row[k * self.floats()..(k + 1) * self.floats()];
        ([at(k), at((k + 1).min(self.knots[1].len() - 1))], inside)
    }
}

/// Evenly over the bins, with both ends.
fn knots(bins: usize) -> Vec<usize> {
    let pieces = (bins - 1).div_ceil(SPACING).max(1);
    let mut knots: Vec<usize> = (0..=pieces).map(|k| (k * (bins - 1) + pieces / 2) / pieces).collect();
    knots.dedup();
    knots
}

/// Last knot at or below, and how far from there to the next.
fn between(knots: &[usize], bin: usize) -> (usize, f32) {
    let k = knots.partition_point(|&k| k <= bin) - 1;
    match knots.get(k + 1) {
        Some(next) => (k, (bin - knots[k]) as f32 / (next - knots[k]) as f32),
        None => (k, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deviations along axis 0 alone that bring energy with them.
    fn one(deviation: f64) -> Footprint {
        let rows = vec![deviation, 0.0, 0.0, 0.0, 2.0, 1.0];
        let points = vec![0.5, 0.5, -0.5, -0.5];
        Footprint::new(&Spread {
            bins: [1, 1],
            margin: [1, 1],
            widths: [0.1, 0.2],
            cells: 4,
            rows: &rows,
            points: &points,
            variables: 2,
        })
    }

    fn moment(f: &Footprint, which: usize) -> Vec<f64> {
        let mut row = Vec::new();
        f.row(0, &mut row);
        let ([at, _], inside) = f.around(&row, 0);
        assert_eq!(inside, 0.0);
        at.chunks_exact(f.size[1] * MOMENTS)
            .map(|line| line[which * f.size[1]..(which + 1) * f.size[1]].iter().map(|x| f64::from(*x)).sum())
            .collect()
    }

    #[test]
    fn a_footprint_is_the_bin_moved_by_each_draw() {
        // by half a cell to either side
        let f = one(0.025);
        let shares = moment(&f, 0);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        let inner: Vec<f64> = shares.into_iter().filter(|x| *x > 0.0).collect();
        assert_eq!(inner.len(), 6);
        for (x, y) in inner.iter().zip([0.0625, 0.1875, 0.25, 0.25, 0.1875, 0.0625]) {
            assert!((x - y).abs() < 1e-6, "{inner:?}");
        }
        // energies +-1.5 meV, with the sign of the deviation
        assert!((f.energy_sigma - 1.5).abs() < 1e-6);
        let first = moment(&f, 1);
        assert!(first.iter().sum::<f64>().abs() < 1e-6);
        // and the outer cells are covered from the inside
        let slopes: Vec<f64> = moment(&f, 2).into_iter().filter(|x| x.abs() > 1e-6).collect();
        for (x, y) in slopes.iter().zip([0.1875, 0.1875, -0.1875, -0.1875]) {
            assert!((x - y).abs() < 1e-6, "{slopes:?}");
        }
        assert!(first.iter().rev().find(|x| x.abs() > 1e-6).is_some_and(|x| *x > 0.0));
    }

    #[test]
    fn a_bin_without_resolution_is_its_cells() {
        let f = one(0.0);
        let shares: Vec<f64> = moment(&f, 0).into_iter().filter(|x| *x > 0.0).collect();
        assert_eq!(shares.len(), 4);
        assert!(shares.iter().all(|x| (x - 0.25).abs() < 1e-6));
    }

    #[test]
    fn knots_span_all_bins() {
        for bins in [1, 2, 7, 40, 41] {
            let k = knots(bins);
            assert_eq!((k[0], k[k.len() - 1]), (0, bins - 1));
            assert!(k.windows(2).all(|w| w[0] < w[1] && w[1] - w[0] <= SPACING));
        }
    }
}
