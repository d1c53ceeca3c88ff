//! A box bin smeared by a Gaussian, as weights on a regular grid.

use libm::erf;
use std::f64::consts::SQRT_2;

/// Beyond this many sigma a Gaussian counts as zero.
pub const REACH: f64 = 4.5;

/// Integral of a unit Gaussian at `centre` over lo..hi.
pub fn gaussian_in(lo: f64, hi: f64, centre: f64, sigma: f64) -> f64 {
    if sigma <= 0.0 {
        return f64::from(u8::from(lo <= centre && centre < hi));
    }
    let scale = 1.0 / (sigma * SQRT_2);
    0.5 * (erf((hi - centre) * scale) - erf((lo - centre) * scale))
}

/// Weights of the grid points start..start + len for one bin; they sum to one but for the grid's discreteness.
#[derive(Clone, Debug)]
pub struct BinWeights {
    pub start: usize,
    pub weights: Vec<f64>,
}

/// One entry per bin of `edges` on the grid first + i * step, i < count.
pub fn bin_weights(edges: &[f64], sigma: f64, first: f64, step: f64, count: usize) -> Vec<BinWeights> {
    edges
        .windows(2)
        .map(|e| {
            let (lo, hi) = (e[0], e[1]);
            let start = ((lo - REACH * sigma - first) / step).floor().max(0.0) as usize;
            let end = (((hi + REACH * sigma - first) / step).ceil() as usize + 1).min(count);
            let raw: Vec<f64> =
                (start..end).map(|i| gaussian_in(lo, hi, first + i as f64 * step, sigma)).collect();
            // normalised so that a constant spectrum stays exactly constant
            let total: f64 = raw.iter().sum();
            BinWeights { start, weights: raw.iter().map(|w| w / total).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_and_linear_functions_are_kept() {
        let edges = [0.0, 0.1, 0.25];
        let (first, step, count) = (-0.3, 0.011, 90);
        for bin in bin_weights(&edges, 0.02, first, step, count).iter().zip(edges.windows(2)) {
            let (w, e) = bin;
            let mean: f64 = w.weights.iter().enumerate().map(|(i, x)| x * (first + (w.start + i) as f64 * step)).sum();
            assert!((w.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            assert!((mean - 0.5 * (e[0] + e[1])).abs() < 1e-6, "{mean}");
        }
    }

    #[test]
    fn energy_windows_share_out_a_peak() {
        let total: f64 = (-50..50).map(|i| gaussian_in(f64::from(i), f64::from(i + 1), 0.37, 2.1)).sum();
        assert!((total - 1.0).abs() < 1e-14);
        assert_eq!(gaussian_in(0.0, 1.0, 0.5, 0.0), 1.0);
    }
}
