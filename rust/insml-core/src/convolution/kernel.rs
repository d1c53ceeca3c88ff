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
    pub first_beta: f64,
    pub beta_step: f64,
    pub betas: usize,
    /// From 0 to 1.
    pub rhos: usize,
    /// Arguments in standard deviations.
    pub first: f64,
    pub step: f64,
    pub points: usize,
    /// (betas, rhos, points).
    pub cumulative: Vec<f32>,
    /// sigma^2 of the times (1/Angstrom^2): polynomial in beta.
    pub variance: [f64; 3],
}

impl TimingKernel {
    /// Standard deviations between which everything happens.
    pub fn ends(&self) -> (f32, f32) {
        (self.first as f32, (self.first + self.step * (self.points - 1) as f64) as f32)
    }

    /// Probability to lie between two arguments, in standard deviations.
    #[inline(always)]
    pub fn between(&self, beta: f32, rho: f32, low: f32, high: f32) -> f32 {
        let place = (beta - self.first_beta as f32) / self.beta_step as f32;
        let nearest = place.clamp(0.0, (self.betas - 1) as f32).round_ties_even() as usize;
        let rho = rho.clamp(0.0, 1.0) * (self.rhos - 1) as f32;
        let row = (rho as usize).min(self.rhos - 2);
        let start = (nearest * self.rhos + row) * self.points;
        let rows = &self.cumulative[start..start + 2 * self.points];
        let weight = rho - row as f32;
        let cumulative = |x: f32| {
            let x = ((x - self.first as f32) / self.step as f32).clamp(0.0, (self.points - 1) as f32);
            let column = (x as usize).min(self.points - 2);
            let inside = x - column as f32;
            let at = |row: &[f32]| row[column] + inside * (row[column + 1] - row[column]);
            let (y, z) = (at(&rows[..self.points]), at(&rows[self.points..]));
            y + weight * (z - y)
        };
        cumulative(high) - cumulative(low)
    }
}
