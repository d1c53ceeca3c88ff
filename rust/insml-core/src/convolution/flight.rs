//! Drawn flights of neutrons, and the true (h, k, l, E) they lead to: the Monte Carlo of Tobyfit (T. G. Perring).
//!
//! Columns of the eleven deviations are those of `instrument::linear_map`.

use crate::instrument::{DEVIATIONS, Rows};
use crate::parallel::for_each;
use crate::sobol::Points;
use crate::vec3::{Mat3, mat_vec};

/// Halvings of the probability towards either end that `Quantiles` knows, and its points in each.
const HALVINGS: u64 = 32;
const EACH: u64 = 64;
pub const QUANTILES: usize = 2 * (HALVINGS * EACH) as usize + 1;
/// Pixels that a thread takes at a time.
const SOME: usize = 256;

/// A distribution by its quantiles at the probabilities of `probabilities`, straight between them.
#[derive(Clone, Copy)]
pub struct Quantiles<'a>(pub &'a [f64; QUANTILES]);

impl Quantiles<'_> {
    /// 64 for each halving towards 0 and towards 1.
    pub fn probabilities() -> Vec<f64> {
        let near = |i: u64| {
            let (halving, rest) = (HALVINGS + 1 - i / EACH, i % EACH);
            (1.0 + rest as f64 / EACH as f64) / (1u64 << halving) as f64
        };
        let half = HALVINGS * EACH;
        (0..=half).map(near).chain((0..half).rev().map(|i| 1.0 - near(i))).collect()
    }

    /// `u` from 2^-33 to 1 - 2^-33.
    fn at(&self, u: f64) -> f64 {
        let (near, from, step) = if u <= 0.5 { (u, 0, 1) } else { (1.0 - u, QUANTILES as isize - 1, -1) };
        // the exponent of a double and its six leading digits count the probabilities
        let bits = near.to_bits();
        let low = (bits >> 46) as isize - ((1022 - HALVINGS as isize) * EACH as isize);
        let into = (bits & ((1 << 46) - 1)) as f64 / (1u64 << 46) as f64;
        let value = |i: isize| self.0[(from + step * i).clamp(0, QUANTILES as isize - 1) as usize];
        let (a, b) = (value(low), value(low + 1));
        a + into * (b - a)
    }
}

/// Density of x for each s, bilinear on a grid.
#[derive(Clone, Copy)]
pub struct Joint<'a> {
    pub s: &'a [f64],
    pub x: &'a [f64],
    /// (s, x)
    pub density: &'a [f64],
    /// (s, x): areas up to x
    pub area: &'a [f64],
}

impl Joint<'_> {
    /// The x below which the share u lies given s, which is kept inside the table.
    fn quantile(&self, u: f64, s: f64) -> f64 {
        let (n, last) = (self.x.len(), self.x.len() - 1);
        let s = s.clamp(self.s[0], self.s[self.s.len() - 1]);
        let row = (self.s.partition_point(|x| *x <= s).max(1) - 1).min(self.s.len() - 2);
        let weight = (s - self.s[row]) / (self.s[row + 1] - self.s[row]);
        let mix = |table: &[f64], i: usize| (1.0 - weight) * table[row * n + i] + weight * table[(row + 1) * n + i];
        let target = u * mix(self.area, last);
        let (mut lo, mut hi) = (0, last);
        while hi - lo > 1 {
            let middle = (lo + hi) / 2;
            if mix(self.area, middle) <= target { lo = middle } else { hi = middle }
        }
        let (left, right, width) = (mix(self.density, lo), mix(self.density, lo + 1), self.x[lo + 1] - self.x[lo]);
        let area = target - mix(self.area, lo);
        let root = left + (left * left + 2.0 * (right - left) / width * area).max(0.0).sqrt();
        self.x[lo] + if root > 0.0 { (2.0 * area / root).clamp(0.0, width) } else { 0.0 }
    }
}

/// Crystallites turned by Gaussian angles about the sample's axes.
pub struct Mosaic<'a> {
    /// rad
    pub sigma: [f64; 3],
    pub normal: Quantiles<'a>,
    /// r.l.u. to the sample's axes, and back.
    pub frame: Mat3,
    pub inverse: Mat3,
}

impl Mosaic<'_> {
    /// What a crystallite turned by `turn` sees: hkl turned back, exactly.
    fn turned(&self, hkl: [f64; 3], turn: [f64; 3]) -> [f64; 3] {
        let angle = turn.iter().map(|x| x * x).sum::<f64>().sqrt();
        if angle == 0.0 {
            return hkl;
        }
        let n = turn.map(|x| -x / angle);
        let q = mat_vec(&self.frame, &hkl);
        let (sine, cosine) = angle.sin_cos();
        let along = (n[0] * q[0] + n[1] * q[1] + n[2] * q[2]) * (1.0 - cosine);
        // Rodrigues
        let q = std::array::from_fn(|i| {
            let (j, k) = ((i + 1) % 3, (i + 2) % 3);
            q[i] * cosine + (n[j] * q[k] - n[k] * q[j]) * sine + n[i] * along
        });
        mat_vec(&self.inverse, &q)
    }
}

/// What the flights of a run's pixels have in common.
pub struct Flights<'a> {
    /// Dimension of the draws for each deviation, then for the three angles of the mosaic.
    pub dimensions: [usize; DEVIATIONS + 3],
    /// Deviations with a distribution of their own.
    pub quantiles: Vec<(usize, Quantiles<'a>)>,
    /// Deviation 3 given deviation 0.
    pub times: Option<Joint<'a>>,
    /// Angle at which a tube is met, given the logarithm of its diameter in absorption lengths.
    pub tube: Option<Joint<'a>>,
    pub mosaic: Option<Mosaic<'a>>,
}

/// One pixel.
pub struct Counted<'a> {
    pub address: u64,
    /// Nominal (h, k, l, E) and what the deviations do to it.
    pub centre: &'a [f64; 4],
    pub rows: &'a Rows<4>,
    /// Full widths of the deviations that are uniform; 0 for all others.
    pub full: &'a [f64; DEVIATIONS],
    /// Diameter in absorption lengths and inner radius (m).
    pub tube: [f64; 2],
}

impl Flights<'_> {
    /// True h, k, l, E of the samples of one pixel. `scratch`: twice as many numbers.
    pub fn of(&self, points: &Points, pixel: &Counted<'_>, scratch: &mut [f64], out: &mut [&mut [f64]; 4]) {
        let key = points.key(pixel.address);
        let (y, other) = scratch.split_at_mut(points.samples());
        let draw = |column: usize, y: &mut [f64]| points.draw(key, self.dimensions[column], y);
        for (out, centre) in out.iter_mut().zip(pixel.centre) {
            out.fill(*centre);
        }
        let add = |column: usize, y: &[f64], out: &mut [&mut [f64]; 4]| {
            for (out, row) in out.iter_mut().zip(pixel.rows) {
                let slope = row[column];
                for (out, y) in out.iter_mut().zip(y) {
                    *out += slope * y;
                }
            }
        };
        for (column, table) in &self.quantiles {
            draw(*column, y);
            y.iter_mut().for_each(|y| *y = table.at(*y));
            add(*column, y, out);
            if let (0, Some(times)) = (*column, &self.times) {
                draw(3, other);
                other.iter_mut().zip(&*y).for_each(|(u, y)| *u = times.quantile(*u, *y));
                add(3, other, out);
            }
        }
        for (column, full) in pixel.full.iter().enumerate() {
            if *full != 0.0 {
                draw(column, y);
                y.iter_mut().for_each(|y| *y = full * (*y - 0.5));
                add(column, y, out);
            }
        }
        if let Some(across) = &self.tube {
            let [alpha, radius] = pixel.tube;
            draw(7, y);
            draw(8, other);
            for (depth, phi) in y.iter_mut().zip(&mut *other) {
                let (sine, half) = across.quantile(*phi, alpha.ln()).sin_cos();
                // in diameters along the chord
                let along = -(*depth * (-alpha * half).exp_m1()).ln_1p() / alpha;
                (*depth, *phi) = ((2.0 * along - half) * radius, sine * radius);
            }
            add(7, y, out);
            add(8, other, out);
        }
        if let Some(mosaic) = &self.mosaic {
            let mut turn = vec![[0.0; 3]; points.samples()];
            for i in 0..3 {
                draw(DEVIATIONS + i, y);
                turn.iter_mut().zip(&*y).for_each(|(turn, u)| turn[i] = mosaic.sigma[i] * mosaic.normal.at(*u));
            }
            for (s, turn) in turn.into_iter().enumerate() {
                let hkl = mosaic.turned([out[0][s], out[1][s], out[2][s]], turn);
                (out[0][s], out[1][s], out[2][s]) = (hkl[0], hkl[1], hkl[2]);
            }
        }
    }

    /// (4, pixels, samples) of all pixels: h, k, l, E. `tube` needs both of its columns where there are tubes.
    pub fn all<'b>(
        &self,
        points: &Points,
        pixels: usize,
        pixel: impl Fn(usize) -> Counted<'b> + Sync,
        threads: usize,
    ) -> Vec<f64> {
        let samples = points.samples();
        let mut out = vec![0.0; 4 * pixels * samples];
        if out.is_empty() {
            return out;
        }
        let mut quarters = out.chunks_exact_mut(pixels * samples).map(|part| part.chunks_mut(SOME * samples));
        let mut next = || quarters.next().expect("four quarters");
        let (h, k, l, e) = (next(), next(), next(), next());
        let pieces: Vec<_> = h.zip(k).zip(l).zip(e).map(|(((h, k), l), e)| [h, k, l, e]).enumerate().collect();
        for_each(
            threads,
            pieces.into_iter(),
            || vec![0.0; 2 * samples],
            |scratch, (piece, mut parts)| {
                for i in 0..parts[0].len() / samples {
                    let mut one = parts.each_mut().map(|part| &mut part[i * samples..(i + 1) * samples]);
                    self.of(points, &pixel(piece * SOME + i), scratch, &mut one);
                }
                None::<()>
            },
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_straight_between_their_probabilities() {
        let p = Quantiles::probabilities();
        assert_eq!(p.len(), QUANTILES);
        assert!(p.windows(2).all(|w| w[0] < w[1]));
        let uniform: [f64; QUANTILES] = p.try_into().expect("as many");
        for bits in [0u32, 1, 77, 1 << 20, 1 << 31, (1 << 31) - 1, 3 << 30, u32::MAX] {
            let u = (f64::from(bits) + 0.5) / 4_294_967_296.0;
            assert!((Quantiles(&uniform).at(u) - u).abs() < 1e-16, "{u}");
        }
        // convex: between the chord's ends, never below the curve by more than an eighth of step^2 times curvature
        let square: [f64; QUANTILES] = uniform.map(|u| u * u);
        for i in 1..1000 {
            let u = f64::from(i) / 1000.0;
            assert!((Quantiles(&square).at(u) - u * u).abs() < 2.0 / 8.0 * (0.5f64 / 64.0).powi(2) + 1e-15);
        }
    }

    #[test]
    fn a_joint_table_gives_back_shares() {
        // density 1 + s x on (0, 1): area x + s x^2 / 2
        let (s, x) = ([0.0, 1.0], [0.0, 0.25, 0.5, 1.0]);
        let density: Vec<f64> = s.iter().flat_map(|s| x.iter().map(move |x| 1.0 + s * x)).collect();
        let area: Vec<f64> = s.iter().flat_map(|s| x.iter().map(move |x| x + 0.5 * s * x * x)).collect();
        let joint = Joint { s: &s, x: &x, density: &density, area: &area };
        for (s, x) in [(0.0, 0.3), (0.5, 0.1), (0.7, 0.9), (1.0, 0.5), (1.0, 0.999)] {
            let u = (x + 0.5 * s * x * x) / (1.0 + 0.5 * s);
            assert!((joint.quantile(u, s) - x).abs() < 1e-12, "{s} {x}");
        }
    }
}
