//! Sampling one momentum axis: step, range, and the period after which eigenproblems repeat.

use crate::convolution::bins::REACH;
use crate::vec3::Vec3;

/// Smallest coordinate step along `k_vector` (r.l.u. of the magnetic cell per unit coordinate) that is a reciprocal
/// lattice vector; None where there is none within 12 cells.
pub fn period(k_vector: &Vec3) -> Option<f64> {
    let largest = k_vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    if largest.abs() < 1e-12 {
        return None;
    }
    (1..=12).map(|m| f64::from(m) / largest.abs()).find(|p| {
        k_vector.iter().all(|x| {
            let turns = x * p;
            (turns - turns.round()).abs() < 1e-9
        })
    })
}

/// Points per period: a multiple of 12, so that coarser groups of slices can use every 2nd, 3rd, ... point of the finest
/// one, and at least 0.95 of what `step` asks for.
pub fn points_per_period(period: f64, step: f64) -> usize {
    12 * ((0.95 * period / step) / 12.0).ceil().max(1.0) as usize
}

/// The coarsest division of `finest` points that still has 0.95 of what `step` asks for.
pub fn coarsened(finest: usize, period: f64, step: f64) -> usize {
    let wanted = 0.95 * period / step;
    (1..=finest)
        .rev()
        .filter(|d| finest.is_multiple_of(*d))
        .map(|d| finest / d)
        .find(|&n| n as f64 >= wanted)
        .unwrap_or(finest)
}

/// Points first + i * step, i < count; index i and i + repeat (where given) are equivalent, and i = 0 is point
/// `offset` of the period that starts at coordinate zero.
#[derive(Clone, Debug)]
pub struct GridAxis {
    pub first: f64,
    pub step: f64,
    pub count: usize,
    pub repeat: Option<usize>,
    offset: usize,
}

impl GridAxis {
    /// Covers edges widened by the Gaussian. With a period the step is period / repeat.
    pub fn new(edges: &[f64], sigma: f64, step: f64, period: Option<(f64, usize)>) -> Self {
        let lo = edges[0] - REACH * sigma;
        let hi = edges[edges.len() - 1] + REACH * sigma;
        let step = period.map_or(step, |(p, n)| p / n as f64);
        let first_index = (lo / step).floor();
        let count = ((hi / step).ceil() - first_index) as usize + 1;
        let repeat = period.map(|(_, n)| n);
        let offset = repeat.map_or(0, |n| (first_index as i64).rem_euclid(n as i64) as usize);
        Self { first: first_index * step, step, count, repeat, offset }
    }

    pub fn at(&self, i: usize) -> f64 {
        self.first + i as f64 * self.step
    }

    /// Index of point i inside the period.
    pub fn node(&self, i: usize) -> usize {
        self.repeat.map_or(i, |n| (self.offset + i) % n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        assert_eq!(period(&[2.0, 0.0, 0.0]), Some(0.5));
        assert_eq!(period(&[1.0, 1.0, 0.0]), Some(1.0));
        assert_eq!(period(&[1.0, 0.5, 0.0]), Some(2.0));
        assert_eq!(period(&[1.0, 2f64.sqrt(), 0.0]), None);
        assert_eq!(period(&[0.0, 0.0, 0.0]), None);
    }

    #[test]
    fn coarser_groups_divide_the_finest() {
        assert_eq!(points_per_period(0.5, 0.01), 48);
        assert_eq!(coarsened(48, 0.5, 0.02), 24);
        assert_eq!(coarsened(48, 0.5, 0.012), 48);
        assert_eq!(coarsened(48, 0.5, 1.0), 1);
    }

    #[test]
    fn nodes_repeat_from_zero() {
        let axis = GridAxis::new(&[-1.02, 0.97], 0.01, 1.0, Some((0.5, 40)));
        for i in 0..axis.count {
            let folded = axis.node(i) as f64 * axis.step;
            let turns = (axis.at(i) - folded) / 0.5;
            assert!((turns - turns.round()).abs() < 1e-9);
        }
        assert!(axis.first <= -1.02 - 0.045 && axis.at(axis.count - 1) >= 0.97 + 0.045);
    }
}
