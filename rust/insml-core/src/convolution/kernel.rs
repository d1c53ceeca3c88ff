//! What the time a neutron takes does to its energy, as a distribution function.
//!
//! Times t_i (moderator, chopper, detection, depth of absorption) stretch ki and kf along themselves, by P_i t_i and R_i t_i.
//! A mode of group velocity v (meV Angstrom) is then met at a mismatch of energies
//!   f = A sum_i (P_i - beta R_i) t_i,  A = 2 c ki - v.ki/|ki|,  beta = (2 c kf - v.kf/|kf|) / A,
//! E = c k^2: one family of distributions in beta, each scaled by A.

//! What else moves the mismatch is many small things, taken for a Gaussian: the family has the share of the times as a
//! second parameter.

/// So many modes at a time.
pub const PACK: usize = 8;
pub type Pack = [f32; PACK];

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

    /// Where the row of a mode starts, and how far it is from there to the next: beta of the nearest one, linear in rho.
    #[inline(always)]
    fn row(&self, beta: f32, rho: f32) -> (usize, f32) {
        let place = (beta - self.first_beta as f32) * (1.0 / self.beta_step as f32);
        // max(0.0) and min replace NaN
        let nearest = place.max(0.0).min((self.betas - 1) as f32).round_ties_even();
        let rho = rho.clamp(0.0, 1.0) * (self.rhos - 1) as f32;
        let low = rho.min((self.rhos - 2) as f32).floor();
        // SAFETY: neither NaN nor beyond the table
        let row: i32 = unsafe { (nearest * self.rhos as f32 + low).to_int_unchecked() };
        (row as usize * self.points, rho - low)
    }

    /// The point below `x` standard deviations, and how far it is from there in steps.
    #[inline(always)]
    fn place(&self, x: f32) -> (usize, f32) {
        let x = ((x - self.first as f32) * (1.0 / self.step as f32)).max(0.0);
        let last = (self.points - 2) as f32;
        // SAFETY: neither NaN, which max(0.0) replaces, nor beyond the table
        let column: i32 = unsafe { x.min(last).to_int_unchecked() };
        (column as usize, x - column as f32)
    }

    /// What a point of a row and of the next holds, between them: all that follows is linear in it.
    #[inline(always)]
    fn between(&self, point: usize, weight: f32) -> [f32; 4] {
        debug_assert!(point + self.points < self.table.len());
        // SAFETY: `row` and `place` give points within the table, and a row that has a next one
        let (low, high) = unsafe { (self.table.get_unchecked(point), self.table.get_unchecked(point + self.points)) };
        std::array::from_fn(|i| low[i] + weight * (high[i] - low[i]))
    }

    /// Probability that a mode is met at a mismatch below `x` standard deviations.
    #[inline(always)]
    pub fn below(&self, beta: f32, rho: f32, x: [f32; 2]) -> [f32; 2] {
        let (start, weight) = self.row(beta, rho);
        x.map(|x| {
            let (column, inside) = self.place(x);
            let [f, _, _, next] = self.between(start + column, weight);
            f + inside.min(1.0) * (next - f)
        })
    }

    /// For u uniform in (-1/2, 1/2), a factor `width` > 0 and both of `x`: probability to lie below `x` + `width` u, its
    /// derivative in x, and the mean of u times the probability. Of modes that have nothing to do with each other.
    #[inline(always)]
    pub fn below_with_box(&self, beta: &Pack, rho: &Pack, x: &[Pack; 2], width: &Pack) -> [[Pack; 3]; 2] {
        let (mut starts, mut weights) = ([0; PACK], [0.0; PACK]);
        for l in 0..PACK {
            (starts[l], weights[l]) = self.row(beta[l], rho[l]);
        }
        // function, integral and its integral at both ends of both boxes
        let mut ends = [[[0.0f32; PACK]; 3]; 4];
        for (e, out) in ends.iter_mut().enumerate() {
            let side = if e < 2 { 0.5 } else { -0.5 };
            let (mut columns, mut inside) = ([0; PACK], [0.0; PACK]);
            for l in 0..PACK {
                (columns[l], inside[l]) = self.place(x[e % 2][l] + side * width[l]);
            }
            let mut points = [[0.0; 4]; PACK];
            for l in 0..PACK {
                points[l] = self.between(starts[l] + columns[l], weights[l]);
            }
            let d = self.step as f32;
            for l in 0..PACK {
                let [f, g, h, next] = points[l];
                // beyond the last point the function is constant
                let (part, over) = (inside[l].min(1.0), (inside[l] - 1.0).max(0.0));
                let rise = next - f;
                let end = f + part * rise;
                let once = g + d * part * (f + 0.5 * part * rise);
                let twice = h + d * part * (g + d * part * (0.5 * f + part * rise * (1.0 / 6.0)));
                out[0][l] = end;
                out[1][l] = once + d * over * end;
                out[2][l] = twice + d * over * (once + 0.5 * d * over * end);
            }
        }
        let mut out = [[[0.0; PACK]; 3]; 2];
        for (i, out) in out.iter_mut().enumerate() {
            let ([f1, g1, h1], [f0, g0, h0]) = (&ends[i], &ends[i + 2]);
            for l in 0..PACK {
                let per = 1.0 / width[l];
                out[0][l] = (g1[l] - g0[l]) * per;
                out[1][l] = (f1[l] - f0[l]) * per;
                out[2][l] = (0.5 * (g1[l] + g0[l]) - (h1[l] - h0[l]) * per) * per;
            }
        }
        out
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
        let found_below = |x: f32| kernel.below(0.0, 0.3, [x, x])[0];
        for width in [0.1f32, 0.7, 2.0, 6.5] {
            for x in [-3.4f32, -0.6, 0.0, 0.35, 2.0, 4.0] {
                let n = 4000;
                let (mut below, mut mean) = (0.0, 0.0);
                for i in 0..n {
                    let u = (i as f32 + 0.5) / n as f32 - 0.5;
                    let p = f64::from(found_below(x + width * u)) / f64::from(n);
                    (below, mean) = (below + p, mean + p * f64::from(u));
                }
                let all = |x: f32| [x; PACK];
                let both = kernel.below_with_box(&all(0.0), &all(0.3), &[all(x), all(x)], &all(width));
                assert!(both.iter().all(|one| one.iter().zip(both[0]).all(|(a, b)| *a == [b[0]; PACK])));
                let [found, slope, first] = both[0].map(|a| a[0]);
                assert!((f64::from(found) - below).abs() < 1e-4, "{width} {x}: {found} {below}");
                assert!((f64::from(first) - mean).abs() < 2e-4, "{width} {x}: {first} {mean}");
                let expected = (found_below(x + 0.5 * width) - found_below(x - 0.5 * width)) / width;
                assert!((slope - expected).abs() < 1e-5);
            }
        }
    }
}
