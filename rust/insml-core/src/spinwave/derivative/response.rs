//! What one wave vector answers to a move of the parameters, and what is made of it.

use std::f64::consts::TAU;

/// A Gaussian is cut where it has fallen below 1e-17 of its height, in standard deviations.
const REACH: f64 = 9.0;
/// Energies closer than this share of the standard deviation need the divided difference as such; farther apart its two
/// terms are added to what the single modes do.
const CLOSE: f64 = 0.1;

/// Where a broadened spectrum is wanted.
#[derive(Clone, Debug)]
pub struct Profile {
    /// meV.
    pub energy: Vec<f64>,
    /// Standard deviation at each of them, meV.
    pub sigma: Vec<f64>,
    /// Modes up to this energy are left out, meV.
    pub lowest: f64,
}

/// Modes of positive energy, in parts that do not mix with each other.
#[derive(Clone, Debug)]
pub struct Response {
    pub energy: Vec<f64>,
    pub intensity: Vec<f64>,
    /// (parameter, mode) X_mm.
    pub slope: Vec<f64>,
    /// (parameter, mode) -2 Re sum_n X_nm W_mn / (w_m - w_n) over modes n of negative energy.
    pub outer: Vec<f64>,
    /// (parameter, pair) Re(X_nm W_mn).
    pub mixing: Vec<f64>,
    /// (m, n), n < m, part by part, m by m.
    pairs: Vec<(usize, usize)>,
    order: Vec<usize>,
    factor: Vec<f64>,
    moved: Vec<f64>,
}

impl Response {
    /// `parts`: how many modes each has. `np` parameters.
    pub fn new(parts: &[usize], np: usize) -> Self {
        let n = parts.iter().sum();
        let mut pairs = Vec::new();
        let mut first = 0;
        for &count in parts {
            pairs.extend((first..first + count).flat_map(|m| (first..m).map(move |n| (m, n))));
            first += count;
        }
        Self {
            energy: vec![0.0; n],
            intensity: vec![0.0; n],
            slope: vec![0.0; np * n],
            outer: vec![0.0; np * n],
            mixing: vec![0.0; np * pairs.len()],
            order: (0..n).collect(),
            factor: vec![0.0; pairs.len()],
            moved: vec![0.0; np * n],
            pairs,
        }
    }

    fn parameters(&self) -> usize {
        self.slope.len() / self.energy.len().max(1)
    }

    /// Pairs that add to each other's intensity by themselves, with 2 / (w_m - w_n); 0 for the others.
    fn split(&mut self, apart: impl Fn(usize, usize, f64) -> bool) {
        for (slot, &(m, n)) in self.factor.iter_mut().zip(&self.pairs) {
            let difference = self.energy[m] - self.energy[n];
            *slot = if apart(m, n, difference) { 2.0 / difference } else { 0.0 };
        }
        let (n, pairs) = (self.energy.len(), self.pairs.len());
        self.moved.copy_from_slice(&self.outer);
        for p in 0..self.parameters() {
            let (moved, mixing) = (&mut self.moved[p * n..(p + 1) * n], &self.mixing[p * pairs..(p + 1) * pairs]);
            for ((&(a, b), factor), x) in self.pairs.iter().zip(&self.factor).zip(mixing) {
                moved[a] += factor * x;
                moved[b] -= factor * x;
            }
        }
    }

    /// Whether modes that can mix are closer to each other than `width`.
    pub fn meets(&self, width: f64) -> bool {
        self.pairs.iter().any(|&(m, n)| (self.energy[m] - self.energy[n]).abs() < width)
    }

    /// Writes the modes of one rotating-frame block, which start at `first` of `modes`, ascending.
    pub fn put_gradient(&mut self, level: f64, modes: usize, first: usize, out: &mut [f64]) {
        let (n, np) = (self.energy.len(), self.parameters());
        self.split(|_, _, difference| difference.abs() >= level);
        let energy = &self.energy;
        self.order.sort_unstable_by(|&a, &b| energy[a].total_cmp(&energy[b]).then(a.cmp(&b)));
        let (energies, rest) = out.split_at_mut(modes);
        let (intensities, rest) = rest.split_at_mut(modes);
        let (d_energy, d_intensity) = rest.split_at_mut(modes * np);
        for (slot, &m) in (first..first + n).zip(&self.order) {
            energies[slot] = self.energy[m];
            intensities[slot] = self.intensity[m];
            for p in 0..np {
                d_energy[slot * np + p] = self.slope[p * n + m];
                d_intensity[slot * np + p] = self.moved[p * n + m];
            }
        }
    }

    /// Adds S(E) and its derivatives to `out`.
    pub fn add_broadened(&mut self, profile: &Profile, out: &mut [f64]) {
        let (n, np) = (self.energy.len(), self.parameters());
        let sharpest = profile.sigma.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        let seen: Vec<bool> = self.energy.iter().map(|&e| e > profile.lowest).collect();
        self.split(|m, n, difference| seen[m] != seen[n] || difference.abs() >= CLOSE * sharpest);
        let (total, slopes) = out.split_at_mut(profile.energy.len());
        for (e, (&energy, &sigma)) in profile.energy.iter().zip(&profile.sigma).enumerate() {
            let slopes = &mut slopes[e * np..(e + 1) * np];
            let (height, precision) = (1.0 / (TAU.sqrt() * sigma), 1.0 / (sigma * sigma));
            let reach = REACH * sigma;
            for m in (0..n).filter(|&m| seen[m]) {
                let y = energy - self.energy[m];
                if y.abs() > reach {
                    continue;
                }
                let f = height * (-0.5 * y * y * precision).exp();
                let bend = self.intensity[m] * y * precision;
                total[e] += self.intensity[m] * f;
                for (p, slot) in slopes.iter_mut().enumerate() {
                    *slot += f * (self.moved[p * n + m] + bend * self.slope[p * n + m]);
                }
            }
            for (k, &(a, b)) in self.pairs.iter().enumerate() {
                if self.factor[k] != 0.0 || !seen[a] {
                    continue;
                }
                // (f(c + d) - f(c - d)) / (2 d), c the mean of both energies
                let (y, d) =
                    (energy - 0.5 * (self.energy[a] + self.energy[b]), 0.5 * (self.energy[a] - self.energy[b]));
                if y.abs() > reach {
                    continue;
                }
                let z = y * d * precision;
                let ratio = if z.abs() < 1e-4 { 1.0 + z * z / 6.0 } else { z.sinh() / z };
                let f = 2.0 * height * (-0.5 * (y * y + d * d) * precision).exp() * y * precision * ratio;
                for (p, slot) in slopes.iter_mut().enumerate() {
                    *slot += f * self.mixing[p * self.pairs.len() + k];
                }
            }
        }
    }
}
