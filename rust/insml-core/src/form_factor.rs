//! Magnetic form factor <j0>: sum_i a_i exp(-b_i s^2) + c with s = |Q| / 4 pi (1/Angstrom).

use std::f64::consts::PI;

#[derive(Clone, Debug, PartialEq)]
pub struct FormFactor {
    terms: Vec<(f64, f64)>,
    constant: f64,
}

impl FormFactor {
    /// Coefficients a1 b1 a2 b2 ... c (odd length).
    pub fn new(coefficients: &[f64]) -> Option<Self> {
        if coefficients.len() % 2 == 0 || coefficients.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let (constant, terms) = coefficients.split_last()?;
        Some(Self {
            terms: terms.chunks_exact(2).map(|t| (t[0], t[1])).filter(|t| t.0 != 0.0).collect(),
            constant: *constant,
        })
    }

    pub fn at(&self, q_squared: f64) -> f64 {
        let s2 = q_squared / (16.0 * PI * PI);
        self.terms.iter().map(|(a, b)| a * (-b * s2).exp()).sum::<f64>() + self.constant
    }
}
