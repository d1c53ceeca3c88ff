//! The form in which networks see slices: folded about mirrors, then standardised.

/// What intensities may come as.
pub trait Intensity: Copy + PartialOrd + Into<f64> + std::ops::Add<Output = Self> {
    const ZERO: Self;
    /// Of the type, relative.
    const EPSILON: f64;
    /// This, over `n`.
    fn over(self, n: u8) -> Self;
}

impl Intensity for f32 {
    const ZERO: Self = 0.0;
    const EPSILON: f64 = f32::EPSILON as f64;
    fn over(self, n: u8) -> Self {
        self / f32::from(n)
    }
}

impl Intensity for f64 {
    const ZERO: Self = 0.0;
    const EPSILON: f64 = f64::EPSILON;
    fn over(self, n: u8) -> Self {
        self / f64::from(n)
    }
}

/// A slice with fewer detectors says nothing about itself.
const FEWEST: usize = 16;
/// Bound of standardised values.
const MOST: f64 = 8.0;
/// Quantiles that measure noise and signal of a slice.
const SHOULDER: f64 = 0.84;
const PEAK: f64 = 0.97;
/// At most this many units lie between median and the second.
const PEAK_HEIGHT: f64 = 8.0;

/// Rows and columns of folded slices.
pub fn folded_size(size: [usize; 2], mirrors: [bool; 2]) -> [usize; 2] {
    std::array::from_fn(|a| if mirrors[a] { size[a] - size[a] / 2 } else { size[a] })
}

/// Means over the mirror images that have a detector, and where none has: of slices of `size` bins, each axis in `mirrors`
/// folded about its middle.
pub fn fold<T: Intensity>(signal: &[T], mask: &[bool], size: [usize; 2], mirrors: [bool; 2]) -> (Vec<T>, Vec<bool>) {
    let [rows, columns] = size;
    let [m, n] = folded_size(size, mirrors);
    let slices = signal.len() / (rows * columns).max(1);
    let (mut mean, mut hidden) = (Vec::with_capacity(slices * m * n), Vec::with_capacity(slices * m * n));
    let (mut sums, mut counts) = (vec![T::ZERO; columns], vec![0u8; columns]);
    for s in 0..slices {
        let start = s * rows * columns;
        for i in 0..m {
            sums.fill(T::ZERO);
            counts.fill(0);
            let both = [rows - m + i, m - 1 - i];
            for row in &both[..if mirrors[0] { 2 } else { 1 }] {
                let from = start + row * columns;
                let (signal, mask) = (&signal[from..][..columns], &mask[from..][..columns]);
                for (sum, (x, hidden)) in sums.iter_mut().zip(signal.iter().zip(mask)) {
                    *sum = *sum + if *hidden { T::ZERO } else { *x };
                }
                for (count, hidden) in counts.iter_mut().zip(mask) {
                    *count += u8::from(!hidden);
                }
            }
            if mirrors[1] {
                for j in 0..n {
                    let (upper, lower) = (columns - n + j, n - 1 - j);
                    sums[upper] = sums[upper] + sums[lower];
                    counts[upper] += counts[lower];
                }
            }
            let (sums, counts) = (&sums[columns - n..], &counts[columns - n..]);
            mean.extend(sums.iter().zip(counts).map(|(sum, count)| sum.over((*count).max(1))));
            hidden.extend(counts.iter().map(|count| *count == 0));
        }
    }
    (mean, hidden)
}

/// Slices of `size` bins: 2 sign(z) (sqrt(1 + |z|) - 1) of z = (x - median) / scale, at most 8 either way; 0 where hidden, and
/// in slices that say nothing about themselves. The scale is max(q84 - q50, (q97 - q50) / 8) of what is not hidden.
pub fn standardise<T: Intensity>(signal: &[T], mask: &[bool], size: usize) -> Vec<f32> {
    let mut out = vec![0.0; signal.len()];
    let mut seen = Vec::with_capacity(size);
    let slices = signal.chunks_exact(size.max(1)).zip(mask.chunks_exact(size.max(1)));
    for (out, (slice, mask)) in out.chunks_exact_mut(size.max(1)).zip(slices) {
        seen.clear();
        seen.extend(slice.iter().zip(mask).filter(|(_, hidden)| !**hidden).map(|(x, _)| *x));
        if seen.len() < FEWEST.min(size) || seen.is_empty() {
            continue;
        }
        let [centre, shoulder, peak] = quantiles(&mut seen, [0.5, SHOULDER, PEAK]);
        let mut scale = (shoulder - centre).max((peak - centre) / PEAK_HEIGHT);
        if scale <= 0.0 {
            // few bright pixels on an exactly flat floor: any multiple of their mean deviation keeps the invariances
            scale = seen.iter().map(|x| ((*x).into() - centre).abs()).sum::<f64>() / seen.len() as f64;
        }
        // rounding of a constant slice is not signal
        if scale <= T::EPSILON * 8.0 * centre.abs() || scale == 0.0 {
            continue;
        }
        let per = 1.0 / scale;
        for (y, (x, hidden)) in out.iter_mut().zip(slice.iter().zip(mask)) {
            let z = (*x).into() - centre;
            let stable = (2.0 * ((1.0 + z.abs() * per).sqrt() - 1.0)).min(MOST).copysign(z) as f32;
            *y = if *hidden { 0.0 } else { stable };
        }
    }
    out
}

/// Linear between the two nearest in order; `shares` ascend. Reorders `values`.
fn quantiles<T: Intensity, const N: usize>(values: &mut [T], shares: [f64; N]) -> [f64; N] {
    let last = values.len() - 1;
    let order = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
    let mut from = 0;
    shares.map(|share| {
        let position = share * last as f64;
        let low = position as usize;
        let (_, below, above) = values[from..].select_nth_unstable_by(low - from, order);
        let below: f64 = (*below).into();
        let above = above.iter().copied().min_by(order).map_or(below, Into::into);
        from = low;
        below + (above - below) * (position - low as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted() {
        let mut values: Vec<f64> = (0..101).map(|i| f64::from(i * 37 % 101)).collect();
        assert_eq!(quantiles(&mut values, [0.0, 0.5, 0.84, 0.845, 1.0]), [0.0, 50.0, 84.0, 84.5, 100.0]);
        assert_eq!(quantiles(&mut [3.0f32], [0.5, 0.97]), [3.0, 3.0]);
        let found = quantiles(&mut [1.0f32, 3.0], [0.5, 0.97]);
        assert!((found[0] - 2.0).abs() + (found[1] - 2.94).abs() < 1e-12);
    }

    #[test]
    fn folding_leaves_out_the_hidden() {
        let signal = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut mask = [false; 6];
        mask[1] = true;
        assert_eq!(fold(&signal, &mask, [2, 3], [true, false]), (vec![2.5, 5.0, 4.5], vec![false; 3]));
        assert_eq!(
            fold(&signal, &mask, [2, 3], [false, true]),
            (vec![0.0, 2.0, 5.0, 5.0], vec![true, false, false, false])
        );
        assert_eq!(fold(&signal, &mask, [2, 3], [true, true]), (vec![5.0, 3.5], vec![false; 2]));
    }

    #[test]
    fn the_largest_number_there_is_has_a_standard_form() {
        let mut signal = vec![0.0f32; 200];
        signal[199] = f32::MAX;
        let found = standardise(&signal, &[false; 200], 200);
        assert_eq!(found[199], 8.0);
        assert!(found[..199].iter().all(|y| *y == 0.0));
    }
}
