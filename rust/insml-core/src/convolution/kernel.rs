//! What the time a neutron takes does to its energy, as a distribution function.
//!
//! Times t_i (moderator, chopper, detection, depth of absorption) stretch ki and kf along themselves, by P_i t_i and R_i t_i.
//! A mode of group velocity v (meV Angstrom) is then met at a mismatch of energies
//!   f = A sum_i (P_i - beta R_i) t_i,  A = 2 c ki - v.ki/|ki|,  beta = (2 c kf - v.kf/|kf|) / A,
//! E = c k^2: one family of distributions in beta, each scaled by A.

//! What else moves the mismatch is many small things, taken for a Gaussian: the family has the share of the times as a
//! second parameter.

/// Distribution functions of rho sum_i (P_i - beta R_i) t_i / sigma + sqrt(1 - rho^2) x, x a standard Gaussian, for evenly
/// spaced beta and rho.
#[derive(Clone, Debug)]
pub struct TimingKernel {
    first_beta: f64,
    beta_step: f64,
    betas: usize,
    rhos: usize,
    /// Arguments in standard deviations.
    first: f64,
    step: f64,
    points: usize,
    /// Distribution function, its integral, that one's, and the function at the next point, (betas, rhos, points).
    table: Vec<[f32; 4]>,
    /// sigma^2 of the times (1/Angstrom^2): polynomial in beta.
    pub variance: [f64; 3],
}

impl TimingKernel {
    /// `beta` and `x`: first and step; rho runs from 0 to 1. `cumulative`: distribution functions, of that shape.
    pub fn new(
        beta: (f64, f64),
        x: (f64, f64),
        shape: (usize, usize, usize),
        cumulative: &[f32],
        variance: [f64; 3],
    ) -> Self {
        let mut table = Vec::with_capacity(cumulative.len());
        for row in cumulative.chunks_exact(shape.2) {
            // exact for a function that is linear between the points
            let (mut once, mut twice) = (0.0, 0.0);
            for (i, f) in row.iter().enumerate() {
                if i > 0 {
                    let (low, high) = (f64::from(row[i - 1]), f64::from(*f));
                    twice += x.1 * (once + x.1 * (low / 3.0 + high / 6.0));
                    once += 0.5 * x.1 * (low + high);
                }
                table.push([*f, once as f32, twice as f32, *row.get(i + 1).unwrap_or(f)]);
            }
        }
        let (betas, rhos, points) = shape;
        Self { first_beta: beta.0, beta_step: beta.1, betas, rhos, first: x.0, step: x.1, points, table, variance }
    }

    /// Standard deviations between which everything happens.
    pub fn ends(&self) -> (f32, f32) {
        (self.first as f32, (self.first + self.step * (self.points - 1) as f64) as f32)
    }

    /// The distribution function for one mode: beta of the nearest row, linear in rho.
    #[inline(always)]
    pub fn curve(&self, beta: f32, rho: f32) -> Curve<'_> {
        let place = (beta - self.first_beta as f32) / self.beta_step as f32;
        let nearest = place.clamp(0.0, (self.betas - 1) as f32).round_ties_even() as usize;
        let rho = rho.clamp(0.0, 1.0) * (self.rhos - 1) as f32;
        let row = (rho as usize).min(self.rhos - 2);
        let start = (nearest * self.rhos + row) * self.points;
        let (low, high) = self.table[start..start + 2 * self.points].split_at(self.points);
        let step = self.step as f32;
        Curve { low, high, weight: rho - row as f32, first: self.first as f32, step, inverse: 1.0 / step }
    }
}

/// Between two rows of a kernel.
#[derive(Clone, Copy)]
pub struct Curve<'a> {
    low: &'a [[f32; 4]],
    high: &'a [[f32; 4]],
    weight: f32,
    first: f32,
    step: f32,
    inverse: f32,
}

impl Curve<'_> {
    #[inline(always)]
    fn place(&self, x: f32) -> (usize, f32) {
        let x = ((x - self.first) * self.inverse).max(0.0);
        let last = (self.low.len() - 2) as f32;
        // SAFETY: neither NaN, which max(0.0) replaces, nor beyond the table
        let column: i32 = unsafe { x.min(last).to_int_unchecked() };
        (column as usize, x - column as f32)
    }

    /// What a point of both rows holds, between them: all that follows is linear in it.
    #[inline(always)]
    fn between(&self, column: usize) -> [f32; 4] {
        let (low, high) = (&self.low[column], &self.high[column]);
        std::array::from_fn(|i| low[i] + self.weight * (high[i] - low[i]))
    }

    /// Probability to lie below `x` standard deviations.
    #[inline(always)]
    pub fn below(&self, x: f32) -> f32 {
        let (column, inside) = self.place(x);
        let [f, _, _, next] = self.between(column);
        f + inside.min(1.0) * (next - f)
    }

    /// The same, its integral, and that one's, of four arguments at once: (3, 4).
    #[inline(always)]
    fn up_to(&self, x: [f32; 4]) -> [[f32; 4]; 3] {
        let places = x.map(|x| self.place(x));
        let points = places.map(|(column, _)| self.between(column));
        let d = self.step;
        let mut out = [[0.0; 4]; 3];
        for i in 0..4 {
            let (inside, [f, g, h, next]) = (places[i].1, points[i]);
            // beyond the last point the function is constant
            let (part, over) = (inside.min(1.0), (inside - 1.0).max(0.0));
            let rise = next - f;
            let end = f + part * rise;
            let once = g + d * part * (f + 0.5 * part * rise);
            let twice = h + d * part * (g + d * part * (0.5 * f + part * rise / 6.0));
            out[0][i] = end;
            out[1][i] = once + d * over * end;
            out[2][i] = twice + d * over * (once + 0.5 * d * over * end);
        }
        out
    }

    /// For u uniform in (-1/2, 1/2), a factor `width` > 0 and both of `x`: probability to lie below `x` + `width` u, its
    /// derivative in x, and the mean of u times the probability.
    #[inline(always)]
    pub fn below_with_box(&self, x: [f32; 2], width: f32) -> [[f32; 3]; 2] {
        let half = 0.5 * width;
        let [f, g, h] = self.up_to([x[0] + half, x[1] + half, x[0] - half, x[1] - half]);
        let per = 1.0 / width;
        [0, 1].map(|i| {
            let ([f1, g1, h1], [f0, g0, h0]) = ([f[i], g[i], h[i]], [f[i + 2], g[i + 2], h[i + 2]]);
            [(g1 - g0) * per, (f1 - f0) * per, (0.5 * (g1 + g0) - (h1 - h0) * per) * per]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that is a triangle of half width 1, in one beta and two rho.
    fn triangle() -> TimingKernel {
        let x: Vec<f64> = (0..601).map(|i| -3.0 + 0.01 * f64::from(i)).collect();
        let below = |x: f64| match x {
            x if x <= -1.0 => 0.0,
            x if x <= 0.0 => 0.5 * (1.0 + x).powi(2),
            x if x <= 1.0 => 1.0 - 0.5 * (1.0 - x).powi(2),
            _ => 1.0,
        };
        let row: Vec<f32> = x.iter().map(|x| below(*x) as f32).collect();
        TimingKernel::new((0.0, 1.0), (-3.0, 0.01), (1, 2, 601), &[row.clone(), row].concat(), [1.0, 0.0, 0.0])
    }

    #[test]
    fn a_box_is_integrated_over() {
        let kernel = triangle();
        let curve = kernel.curve(0.0, 0.3);
        for width in [0.1f32, 0.7, 2.0, 6.5] {
            for x in [-3.4f32, -0.6, 0.0, 0.35, 2.0, 4.0] {
                let n = 4000;
                let (mut below, mut mean) = (0.0, 0.0);
                for i in 0..n {
                    let u = (i as f32 + 0.5) / n as f32 - 0.5;
                    let p = f64::from(curve.below(x + width * u)) / f64::from(n);
                    (below, mean) = (below + p, mean + p * f64::from(u));
                }
                let [[found, slope, first], other] = curve.below_with_box([x, x], width);
                assert_eq!([found, slope, first], other);
                assert!((f64::from(found) - below).abs() < 1e-4, "{width} {x}: {found} {below}");
                assert!((f64::from(first) - mean).abs() < 2e-4, "{width} {x}: {first} {mean}");
                let expected = (curve.below(x + 0.5 * width) - curve.below(x - 0.5 * width)) / width;
                assert!((slope - expected).abs() < 1e-5);
            }
        }
    }
}
