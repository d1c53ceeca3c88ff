//! Magnetic form factor <j0>: sum_i a_i exp(-b_i s^2) + c with s = |Q| / 4 pi (1/Angstrom).

use std::f64::consts::PI;
use std::sync::{Arc, OnceLock};

/// Values and slopes in |Q|^2 are tabulated up to TABLE_END (1/Angstrom^2) and interpolated by cubics between.
const TABLE_END: f64 = 400.0;
const TABLE_STEP: f64 = 0.05;

#[derive(Clone, Debug)]
pub struct FormFactor {
    terms: Vec<(f64, f64)>,
    constant: f64,
    /// (value, slope * TABLE_STEP) at multiples of TABLE_STEP; made when first needed, shared by clones.
    table: Arc<OnceLock<Vec<(f64, f64)>>>,
}

impl PartialEq for FormFactor {
    fn eq(&self, other: &Self) -> bool {
        self.terms == other.terms && self.constant == other.constant
    }
}

impl FormFactor {
    /// Coefficients a1 b1 a2 b2 ... c (odd length).
    pub fn new(coefficients: &[f64]) -> Option<Self> {
        if coefficients.len().is_multiple_of(2) || coefficients.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let (constant, terms) = coefficients.split_last()?;
        Some(Self {
            terms: terms.chunks_exact(2).map(|t| (t[0], t[1])).filter(|t| t.0 != 0.0).collect(),
            constant: *constant,
            table: Arc::default(),
        })
    }

    fn table(&self) -> &[(f64, f64)] {
        self.table.get_or_init(|| {
            let points = (TABLE_END / TABLE_STEP) as usize + 2;
            (0..points).map(|i| self.exact(i as f64 * TABLE_STEP)).map(|(f, d)| (f, d * TABLE_STEP)).collect()
        })
    }

    /// Value and derivative with respect to |Q|^2.
    fn exact(&self, q_squared: f64) -> (f64, f64) {
        const PER_S2: f64 = 1.0 / (16.0 * PI * PI);
        // fits hold to a few 1/Angstrom; beyond, a negative b must not overflow
        let decay = |b: f64| (-b * PER_S2 * q_squared).min(40.0).exp();
        let parts = self.terms.iter().map(|&(a, b)| (a * decay(b), b * PER_S2));
        parts.fold((self.constant, 0.0), |(f, d), (term, rate)| (f + term, d - rate * term))
    }

    /// <j0> at |Q|^2 in 1/Angstrom^2, to 1e-9.
    pub fn at(&self, q_squared: f64) -> f64 {
        if !(0.0..TABLE_END).contains(&q_squared) {
            return self.exact(q_squared).0;
        }
        let x = q_squared / TABLE_STEP;
        let i = x as usize;
        let t = x - i as f64;
        let table = self.table();
        let ((f0, d0), (f1, d1)) = (table[i], table[i + 1]);
        let rise = f1 - f0;
        f0 + t * (d0 + t * ((3.0 * rise - 2.0 * d0 - d1) + t * (d0 + d1 - 2.0 * rise)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_follows_the_sum() {
        // Mn3+ and an ion with a steep term
        for c in [[0.4198, 14.2829, 0.6054, 5.4689, 0.9241, -0.0088, -0.9498], [0.5, 60.0, 0.3, 20.0, 0.2, 1.0, 0.0]] {
            let f = FormFactor::new(&c).unwrap();
            for i in 0..5000 {
                let q2 = 0.0917 * f64::from(i);
                assert!((f.at(q2) - f.exact(q2).0).abs() < 1e-9, "{q2}");
            }
        }
        assert!(FormFactor::new(&[1.0, 2.0]).is_none() && FormFactor::new(&[f64::NAN]).is_none());
    }
}
