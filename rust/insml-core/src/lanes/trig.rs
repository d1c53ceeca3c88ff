//! Sine and cosine of 2 pi x, x in turns: exact range reduction, then the polynomials of fdlibm on [-pi/4, pi/4].

use crate::lanes::scalar::{LANES, Real};
use std::f64::consts::TAU;

/// (sin 2 pi x, cos 2 pi x) to about 1e-16.
#[inline(always)]
pub fn sin_cos_turns(x: Real) -> (Real, Real) {
    let (mut sine, mut cosine) = (Real::ZERO, Real::ZERO);
    for l in 0..LANES {
        let quarter = (4.0 * x.0[l]).round_ties_even();
        let a = TAU * (x.0[l] - 0.25 * quarter);
        let z = a * a;
        let s = a + a
            * z
            * (-1.666_666_666_666_663_2e-1
                + z * (8.333_333_333_322_49e-3
                    + z * (-1.984_126_982_985_795e-4
                        + z * (2.755_731_370_707_006_8e-6
                            + z * (-2.505_076_025_340_686_3e-8 + z * 1.589_690_995_211_55e-10)))));
        let c = 1.0 - 0.5 * z
            + z * z
                * (4.166_666_666_666_66e-2
                    + z * (-1.388_888_888_887_411e-3
                        + z * (2.480_158_728_947_673e-5
                            + z * (-2.755_731_435_139_066_3e-7
                                + z * (2.087_572_321_298_175e-9 - z * 1.135_964_755_778_819_5e-11)))));
        // quadrant of the angle, 0 to 3
        let q = quarter - 4.0 * (0.25 * quarter).floor();
        let odd = q == 1.0 || q == 3.0;
        let (s0, c0) = if odd { (c, s) } else { (s, c) };
        sine.0[l] = if q >= 2.0 { -s0 } else { s0 };
        cosine.0[l] = if q == 1.0 || q == 2.0 { -c0 } else { c0 };
    }
    (sine, cosine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_libm() {
        for i in 0..4000 {
            let x = -7.3 + 0.003_712 * f64::from(i);
            let (s, c) = sin_cos_turns(Real::splat(x));
            let angle = TAU * (x - x.round());
            // the reference angle itself is rounded to 4e-16
            assert!((s.0[0] - angle.sin()).abs() < 6e-16, "sin at {x}");
            assert!((c.0[0] - angle.cos()).abs() < 6e-16, "cos at {x}");
        }
        for (x, s, c) in [(0.0, 0.0, 1.0), (0.25, 1.0, 0.0), (0.5, 0.0, -1.0), (0.75, -1.0, 0.0), (-0.25, -1.0, 0.0)] {
            let found = sin_cos_turns(Real::splat(x));
            assert_eq!((found.0.0[0], found.1.0[0]), (s, c), "at {x}");
        }
    }
}
