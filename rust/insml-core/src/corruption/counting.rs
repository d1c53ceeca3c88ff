//! The noise of counts in many pixels.

use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::sync::OnceLock;

/// Means from here on have their counts from an expansion that is within 0.003 of the distribution function.
const MANY: f32 = 8.0;
/// Means between 0 and that, evenly spaced in their square roots.
const STEPS: usize = 64;
const QUANTILES: usize = 1 << 12;

/// Adds to each slice of `signal` the noise of what is counted there: max(signal, 0) + `subtracted`, where one count is an
/// intensity of `unit`, above 0. Counts are whole, or as many numbers of the normal distribution with their variance.
///
/// Whole counts are Poisson to within 0.003 of the distribution function. Means below 8 look them up in a table of quantiles,
/// at one of the two nearest means of the table by such a chance that the mean is right. Above, normal numbers are turned into
/// counts by the expansion of Cornish and Fisher (1938) to third order: mean, variance and skewness are those of counts.
pub fn counting_noise(signal: &mut [f32], subtracted: &[f32], unit: &[f32], whole: bool, seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let size = signal.len() / unit.len().max(1);
    if size == 0 {
        return;
    }
    let few = Few::get();
    for ((slice, subtracted), unit) in signal.chunks_exact_mut(size).zip(subtracted).zip(unit) {
        let per = 1.0 / unit;
        for x in slice {
            let counts = (x.max(0.0) + subtracted) * per;
            let found = if whole && counts < MANY {
                few.draw(counts, random.next_u64())
            } else {
                let normal: f32 = StandardNormal.sample(&mut random);
                if whole { many(counts, normal) } else { counts + counts.sqrt() * normal }
            };
            *x += (found - counts) * unit;
        }
    }
}

fn many(mean: f32, normal: f32) -> f32 {
    let root = mean.sqrt();
    let bend = (normal * normal - 1.0) * (1.0 / 6.0 - normal / (72.0 * root));
    (mean + root * normal + bend + 0.5).floor().max(0.0)
}

struct Few {
    means: Vec<f32>,
    /// Quantiles of each mean, ascending.
    counts: Vec<u8>,
}

impl Few {
    fn get() -> &'static Self {
        static FEW: OnceLock<Few> = OnceLock::new();
        FEW.get_or_init(|| {
            let mean = |step: usize| f64::from(MANY) * (step as f64 / STEPS as f64).powi(2);
            let mut counts = Vec::with_capacity((STEPS + 2) * QUANTILES);
            for step in 0..STEPS + 2 {
                let mean = mean(step);
                let mut probability = (-mean).exp();
                let (mut below, mut n) = (probability, 0u8);
                for q in 0..QUANTILES {
                    let middle = (q as f64 + 0.5) / QUANTILES as f64;
                    while below < middle && n < u8::MAX {
                        n += 1;
                        probability *= mean / f64::from(n);
                        below += probability;
                    }
                    counts.push(n);
                }
            }
            Self { means: (0..STEPS + 2).map(|step| mean(step) as f32).collect(), counts }
        })
    }

    fn draw(&self, mean: f32, random: u64) -> f32 {
        let step = (mean * (STEPS * STEPS) as f32 / MANY).sqrt() as usize;
        let (below, above) = (self.means[step], self.means[step + 1]);
        // bits of the chance are none of the quantile
        let chance = (random >> 40) as f32 * (1.0 / (1u32 << 24) as f32);
        let step = step + usize::from(chance * (above - below) < mean - below);
        f32::from(self.counts[step * QUANTILES + (random as usize & (QUANTILES - 1))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_nearest_mean() {
        let few = Few::get();
        for (step, mean) in few.means.iter().enumerate() {
            let own = &few.counts[step * QUANTILES..(step + 1) * QUANTILES];
            assert!(own.is_sorted());
            let average = own.iter().map(|n| f64::from(*n)).sum::<f64>() / QUANTILES as f64;
            assert!((average - f64::from(*mean)).abs() < 0.003, "{mean} {average}");
        }
    }

    #[test]
    fn noise_depends_on_the_seed_alone_and_slices_have_their_own_units() {
        let (mut a, mut b) = (vec![100.0f32; 2000], vec![100.0f32; 2000]);
        counting_noise(&mut a, &[0.0, 300.0], &[1.0, 4.0], false, 5);
        counting_noise(&mut b, &[0.0, 300.0], &[1.0, 4.0], false, 5);
        assert_eq!(a, b);
        for (slice, variance) in a.chunks(1000).zip([100.0, 1600.0]) {
            let mean = slice.iter().sum::<f32>() / 1000.0;
            let found = slice.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 1000.0;
            assert!((found / variance - 1.0).abs() < 0.25, "{found}");
        }
    }
}
