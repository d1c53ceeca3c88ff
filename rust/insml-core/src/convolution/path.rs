//! Modes met along a path on which the times of a flight change together.

use std::f64::consts::{PI, SQRT_2};

/// Pieces of a path; energies are straight in each.
pub const PIECES: usize = 24;
/// Where on it modes are solved: standard deviations from its mean.
const SOLVED: [f64; 3] = [-1.5, 0.0, 1.5];
/// Pieces that are shorter than this share of the FWHM take the line's value.
const FLAT: f64 = 1e-4;

/// A density of `times` . (time 0, time 3) + `offset`: values on even steps from `first`, zero outside.
pub struct Density<'a> {
    pub values: &'a [f64],
    pub first: f64,
    pub step: f64,
    pub times: [f64; 2],
    pub offset: f64,
}

impl Density<'_> {
    fn at(&self, t: [f64; 2]) -> f64 {
        let x = (self.times[0] * t[0] + self.times[1] * t[1] + self.offset - self.first) / self.step;
        if !(x >= 0.0 && x < (self.values.len() - 1) as f64) {
            return 0.0;
        }
        let i = x as usize;
        self.values[i] + (x - i as f64) * (self.values[i + 1] - self.values[i])
    }
}

/// tau of the middle of a piece of the path from `lo` to `hi`.
fn middle([lo, hi]: [f64; 2], piece: usize) -> f64 {
    lo + (hi - lo) * (piece as f64 + 0.5) / PIECES as f64
}

/// Probabilities of the pieces of `at` + tau `towards`, and where on the path modes are to be solved.
pub fn path(
    densities: &[Density<'_>],
    at: [f64; 2],
    towards: [f64; 2],
    ends: [f64; 2],
    share: &mut [f64; PIECES],
) -> [f64; 3] {
    for (k, share) in share.iter_mut().enumerate() {
        let tau = middle(ends, k);
        let t = [at[0] + tau * towards[0], at[1] + tau * towards[1]];
        *share = densities.iter().map(|d| d.at(t)).product();
    }
    let total: f64 = share.iter().sum();
    if total > 0.0 {
        share.iter_mut().for_each(|x| *x /= total);
    } else {
        share.fill(1.0 / PIECES as f64);
    }
    let pieces = || share.iter().enumerate().map(|(k, p)| (p, middle(ends, k)));
    let mean: f64 = pieces().map(|(p, tau)| p * tau).sum();
    let spread = pieces().map(|(p, tau)| p * (tau - mean).powi(2)).sum::<f64>().sqrt();
    SOLVED.map(|s| (mean + s * spread).clamp(ends[0], ends[1]))
}

/// Intrinsic line shape.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    Narrow,
    Gaussian {
        sigma: f64,
    },
    /// Half of the FWHM.
    Lorentzian {
        half: f64,
    },
    /// Half of the FWHM of a narrow line.
    Oscillator {
        gamma: f64,
    },
}

impl Line {
    fn fwhm(&self) -> f64 {
        match *self {
            Line::Narrow => 0.0,
            Line::Gaussian { sigma } => sigma * (8.0 * 2.0f64.ln()).sqrt(),
            Line::Lorentzian { half: x } | Line::Oscillator { gamma: x } => 2.0 * x,
        }
    }

    /// 1/meV, `x` from the mode at `centre`.
    pub fn value(&self, x: f64, centre: f64) -> f64 {
        match *self {
            Line::Narrow => 0.0,
            Line::Gaussian { sigma } => (-0.5 * (x / sigma).powi(2)).exp() / ((2.0 * PI).sqrt() * sigma),
            Line::Lorentzian { half } => half / PI / (x * x + half * half),
            Line::Oscillator { gamma } => {
                let w = centre + x;
                4.0 / PI * gamma * centre * w / ((x * (w + centre)).powi(2) + 4.0 * (gamma * w).powi(2))
            }
        }
    }

    /// Integral from `a` to `b` from the mode at `centre`.
    pub fn between(&self, a: f64, b: f64, centre: f64) -> f64 {
        match *self {
            Line::Narrow => (f64::from(b > 0.0) - f64::from(a > 0.0)).abs() * if b > a { 1.0 } else { -1.0 },
            Line::Gaussian { sigma } => {
                let far = 9.0 * sigma;
                if (a > far && b > far) || (a < -far && b < -far) {
                    return 0.0;
                }
                0.5 * (libm::erf(b / (SQRT_2 * sigma)) - libm::erf(a / (SQRT_2 * sigma)))
            }
            Line::Lorentzian { half } => (b.atan2(half) - a.atan2(half)) / PI,
            Line::Oscillator { gamma } => {
                // partial fractions in w^2
                let root = centre * centre - gamma * gamma;
                let edge = centre * centre - 2.0 * gamma * gamma;
                let (p, q) = ((centre + a).powi(2) - edge, (centre + b).powi(2) - edge);
                let least = 1e-6 * gamma;
                if root > least * least {
                    let root = root.sqrt();
                    centre / (PI * root) * (q.atan2(2.0 * gamma * root) - p.atan2(2.0 * gamma * root))
                } else {
                    let root = (-root).max(least * least).sqrt();
                    let wide = 2.0 * gamma * root;
                    centre / (2.0 * PI * root) * (((q - wide) / (q + wide)).ln() - ((p - wide) / (p + wide)).ln())
                }
            }
        }
    }
}

/// What is known of a path before its modes.
pub struct Known<'a> {
    pub ends: [f64; 2],
    pub solved: [f64; 3],
    /// Probability times factor of each piece.
    pub share: &'a [f64; PIECES],
    /// The neutron's energy at tau = 0 and its change with tau.
    pub energy: [f64; 2],
}

/// Sum over modes of intensity times density with which the neutron meets them, 1/meV. `mode`, `strength`: of all modes at the
/// three places; energies go along a parabola, straight outside, intensities along chords.
pub fn met(line: Line, path: &Known<'_>, mode: [&[f64]; 3], strength: [&[f64]; 3]) -> f64 {
    let [a, b, c] = path.solved;
    let apart = |high: f64, low: f64| if high > low { high - low } else { 1.0 };
    let (ab, bc, ac) = (apart(b, a), apart(c, b), apart(c, a));
    let flat = FLAT * line.fwhm();
    let mut sum = 0.0;
    for n in 0..mode[0].len() {
        let at = mode.map(|m| m[n]);
        let i = strength.map(|s| s[n]);
        let (first, second) = ((at[1] - at[0]) / ab, (at[2] - at[1]) / bc);
        let bend = (second - first) / ac;
        let energy = |tau: f64| {
            let inside = tau.clamp(a, c);
            let slope = first + bend * (2.0 * inside - a - b);
            at[0] + (inside - a) * (first + bend * (inside - b)) + (tau - inside) * slope
        };
        let intensity = |tau: f64| {
            if tau > b {
                i[1] + ((tau - b) / bc).min(1.0) * (i[2] - i[1])
            } else {
                i[0] + ((tau - a) / ab).max(0.0) * (i[1] - i[0])
            }
        };
        let neutron = |tau: f64| path.energy[0] + path.energy[1] * tau;
        let [lo, hi] = path.ends;
        let mut centre = energy(lo);
        let mut x = neutron(lo) - centre;
        for (k, share) in path.share.iter().enumerate() {
            let tau = lo + (hi - lo) * (k as f64 + 1.0) / PIECES as f64;
            let next = energy(tau);
            let beyond = neutron(tau) - next;
            let wide = beyond - x;
            let half_way = 0.5 * (centre + next);
            let density = if wide.abs() > flat {
                line.between(x, beyond, half_way) / wide
            } else {
                line.value(0.5 * (x + beyond), half_way)
            };
            if density != 0.0 {
                sum += density * share * intensity(middle(path.ends, k));
            }
            (centre, x) = (next, beyond);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_is_the_integral_of_the_value() {
        for line in [
            Line::Gaussian { sigma: 0.7 },
            Line::Lorentzian { half: 0.4 },
            Line::Oscillator { gamma: 0.5 },
            Line::Oscillator { gamma: 5.0 },
            Line::Oscillator { gamma: 3.0 },
        ] {
            for (a, b) in [(-1.0, 2.0), (2.0, -1.0), (-5.0, -4.0), (0.3, 0.4)] {
                let n = 20000;
                let step = (b - a) / f64::from(n);
                let sum: f64 = (0..n).map(|i| line.value(a + (f64::from(i) + 0.5) * step, 3.0) * step).sum();
                assert!((line.between(a, b, 3.0) - sum).abs() < 1e-7, "{line:?} {a} {b}");
            }
        }
        assert_eq!(Line::Narrow.between(-1.0, 0.5, 0.0), 1.0);
        assert_eq!(Line::Narrow.between(0.5, -1.0, 0.0), -1.0);
        assert_eq!(Line::Narrow.between(0.5, 1.0, 0.0), 0.0);
    }

    #[test]
    fn a_straight_mode_on_an_even_path() {
        // neutron at 10 + 2 tau, mode at 11 - tau, tau even in (-1, 1): density 1/2 / 3 at tau = 1/3
        let share = [1.0 / PIECES as f64; PIECES];
        let path = Known { ends: [-1.0, 1.0], solved: [-0.5, 0.0, 0.5], share: &share, energy: [10.0, 2.0] };
        let mode = [-0.5, 0.0, 0.5].map(|tau| [11.0 - tau]);
        let strength = [[6.0], [6.0], [6.0]];
        let met = |line| met(line, &path, mode.each_ref().map(|m| &m[..]), strength.each_ref().map(|s| &s[..]));
        assert!((met(Line::Narrow) - 1.0).abs() < 1e-12);
        assert!((met(Line::Gaussian { sigma: 1e-3 }) - 1.0).abs() < 1e-12);
        // wide: the mean of the line over mismatches -4 to 2
        let wide = Line::Lorentzian { half: 50.0 };
        assert!((met(wide) - 6.0 * wide.between(-4.0, 2.0, 0.0) / 6.0).abs() < 1e-12);
    }
}
