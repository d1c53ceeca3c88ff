//! Four axes of equal bins.

use crate::error::{Error, Result};
use crate::pixels::NOWHERE;

/// Bins of equal width from `lo` to `hi`, both inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    pub lo: f64,
    pub hi: f64,
    pub bins: usize,
}

/// The first axis is the fastest, as in Horace's files.
#[derive(Clone, Debug)]
pub struct Grid {
    axes: [Axis; 4],
    inverse_step: [f64; 4],
    stride: [f64; 4],
    bins: usize,
}

impl Grid {
    pub fn new(axes: [Axis; 4]) -> Result<Self> {
        let mut bins = 1usize;
        let mut stride = [1.0; 4];
        let mut inverse_step = [0.0; 4];
        for (d, axis) in axes.iter().enumerate() {
            // infinite ranges are one bin that takes everything
            let finite = axis.lo.is_finite() && axis.hi.is_finite();
            if axis.bins == 0 || axis.lo.is_nan() || axis.hi.is_nan() || axis.hi < axis.lo || (!finite && axis.bins > 1)
            {
                return Err(Error::Geometry(format!(
                    "axis {}: expected bins in an ascending range, found {} from {} to {}",
                    d + 1,
                    axis.bins,
                    axis.lo,
                    axis.hi
                )));
            }
            stride[d] = bins as f64;
            bins = bins.checked_mul(axis.bins).filter(|n| *n < NOWHERE as usize).ok_or_else(|| {
                Error::Geometry(format!(
                    "bins: expected less than {NOWHERE} in all, found more: {:?}",
                    axes.map(|a| a.bins)
                ))
            })?;
            if axis.bins > 1 {
                inverse_step[d] = axis.bins as f64 / (axis.hi - axis.lo);
            }
        }
        Ok(Self { axes, inverse_step, stride, bins })
    }

    pub fn bins(&self) -> usize {
        self.bins
    }

    pub fn axes(&self) -> &[Axis; 4] {
        &self.axes
    }

    /// Axes, by how much the bin changes along each, and bins per unit.
    pub fn parts(&self) -> (&[Axis; 4], &[f64; 4], &[f64; 4]) {
        (&self.axes, &self.stride, &self.inverse_step)
    }

    /// Bin of each point, NOWHERE outside; `x` by axis.
    #[inline(always)]
    pub fn bins_of<const W: usize>(&self, x: &[[f64; W]; 4]) -> [u32; W] {
        // whole numbers below 2^52 are exact in f64, and adding 2^52 leaves them in the lowest bits
        const WHOLE: f64 = 4_503_599_627_370_496.0;
        let mut index = [WHOLE; W];
        let mut outside = [0; W];
        for d in 0..4 {
            let Axis { lo, hi, bins } = self.axes[d];
            for i in 0..W {
                outside[i] |= if (x[d][i] >= lo) & (x[d][i] <= hi) { 0 } else { u64::MAX };
            }
            if bins > 1 {
                let (scale, last, stride) = (self.inverse_step[d], (bins - 1) as f64, self.stride[d]);
                for i in 0..W {
                    index[i] += stride * ((x[d][i] - lo) * scale).floor().min(last);
                }
            }
        }
        std::array::from_fn(|i| (index[i].to_bits() | outside[i]) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_belong_to_the_bin_above_and_the_last_to_the_last() {
        let one = |lo, hi, bins| Axis { lo, hi, bins };
        let grid = Grid::new([
            one(0.0, 1.0, 4),
            one(-1.0, 1.0, 2),
            one(f64::NEG_INFINITY, f64::INFINITY, 1),
            one(5.0, 5.0, 1),
        ]);
        let grid = grid.unwrap();
        let mut x = [[0.0; 7]; 4];
        x[3] = [5.0; 7];
        let at = [(0.0, -1.0), (0.25, -1.0), (1.0, 1.0), (0.999, 0.0), (-1e-12, 0.0), (0.5, 1.1), (f64::NAN, 0.0)];
        for (i, (a, b)) in at.iter().enumerate() {
            (x[0][i], x[1][i]) = (*a, *b);
        }
        assert_eq!(grid.bins_of(&x), [0, 1, 7, 7, NOWHERE, NOWHERE, NOWHERE]);
    }

    #[test]
    fn bins_that_cannot_be_are_refused() {
        let whole = Axis { lo: f64::NEG_INFINITY, hi: f64::INFINITY, bins: 1 };
        for bad in [Axis { bins: 2, ..whole }, Axis { lo: 1.0, hi: 0.0, bins: 1 }, Axis { lo: 0.0, hi: 1.0, bins: 0 }] {
            assert!(Grid::new([bad, whole, whole, whole]).is_err());
        }
        let many = Axis { lo: 0.0, hi: 1.0, bins: 100_000 };
        assert!(Grid::new([many, many, whole, whole]).is_err());
    }
}
