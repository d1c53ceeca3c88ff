//! exp(-x^2 / 2) in single precision, for loops that a compiler turns into vector instructions.

use std::f32::consts::{LN_2, LOG2_E};

/// Added and taken away again, rounds to a whole number, which is then in the last bits.
const ROUND: f32 = 12_582_912.0;
/// Less than 2 to this, 1e-12, is 0: products of subnormal numbers take processors a hundred times as long.
const LEAST: f32 = -40.0;

/// To 3e-7 of its value where that is above 1e-12, otherwise 0.
#[inline(always)]
pub fn gaussian(x: f32) -> f32 {
    let wanted = x * x * (-0.5 * LOG2_E);
    let power = wanted.max(LEAST);
    let rounded = power + ROUND;
    let y = (power - (rounded - ROUND)) * LN_2;
    // Taylor's, |y| <= ln 2 / 2
    let series =
        1.0 + y * (1.0 + y * (1.0 / 2.0 + y * (1.0 / 6.0 + y * (1.0 / 24.0 + y * (1.0 / 120.0 + y * (1.0 / 720.0))))));
    let whole = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    if wanted < LEAST { 0.0 } else { series * whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_double_precision() {
        for i in -74_000..=74_000 {
            let x = i as f32 * 1e-4;
            let expected = (-0.5 * f64::from(x).powi(2)).exp();
            let found = f64::from(gaussian(x));
            // rounding of x^2 is magnified by itself
            let allowed = 3e-7 * (1.0 + 0.5 * f64::from(x).powi(2));
            assert!((found / expected - 1.0).abs() < allowed, "{x}: {found} {expected}");
        }
        assert_eq!([gaussian(7.5), gaussian(-1e19)], [0.0; 2]);
        assert_eq!(gaussian(0.0), 1.0);
    }
}
