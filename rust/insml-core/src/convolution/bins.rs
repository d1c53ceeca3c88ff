//! A box bin smeared by a Gaussian, as weights on a regular grid.

use libm::erf;
use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};
use std::sync::LazyLock;

/// Beyond this many sigma a Gaussian counts as zero.
pub const REACH: f64 = 4.5;

/// erf by cubic interpolation, to 1e-10; its ends beyond 4.5 (2e-10 from one) are cut.
fn erf_table(x: f64) -> f64 {
    const STEPS: f64 = 128.0;
    const END: f64 = 4.5;
    static TABLE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
        let points = (END * STEPS) as usize + 2;
        (0..points).map(|i| i as f64 / STEPS).map(|x| (erf(x), FRAC_2_SQRT_PI * (-x * x).exp() / STEPS)).collect()
    });
    let size = x.abs();
    if size >= END {
        return x.signum();
    }
    let at = size * STEPS;
    let i = at as usize;
    let t = at - i as f64;
    let ((f0, d0), (f1, d1)) = (TABLE[i], TABLE[i + 1]);
    let rise = f1 - f0;
    (f0 + t * (d0 + t * ((3.0 * rise - 2.0 * d0 - d1) + t * (d0 + d1 - 2.0 * rise)))).copysign(x)
}

/// Integral of a unit Gaussian at `centre` over lo..hi.
pub fn gaussian_in(lo: f64, hi: f64, centre: f64, sigma: f64) -> f64 {
    if sigma <= 0.0 {
        return f64::from(u8::from(lo <= centre && centre < hi));
    }
    let scale = 1.0 / (sigma * SQRT_2);
    0.5 * (erf_table((hi - centre) * scale) - erf_table((lo - centre) * scale))
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
            let raw: Vec<f64> = (start..end).map(|i| gaussian_in(lo, hi, first + i as f64 * step, sigma)).collect();
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
    fn interpolated_erf() {
        for i in -6000..6000 {
            let x = 0.00087 * f64::from(i);
            assert!((erf_table(x) - erf(x)).abs() < 5e-10, "{x}");
        }
    }

    #[test]
    fn energy_windows_share_out_a_peak() {
        let total: f64 = (-50..50).map(|i| gaussian_in(f64::from(i), f64::from(i + 1), 0.37, 2.1)).sum();
        assert!((total - 1.0).abs() < 1e-7);
        assert_eq!(gaussian_in(0.0, 1.0, 0.5, 0.0), 1.0);
    }
}
