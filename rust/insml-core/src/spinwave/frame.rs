//! Local frame of a classical spin: e3 along the spin, u = e1 + i e2, right-handed.

use crate::vec3::{CVec3, Mat3, Vec3, cross, mat_cvec, mat_vec, norm, scale};
use num_complex::Complex64;

#[derive(Clone, Debug)]
pub struct Frame {
    /// Spin length S.
    pub length: f64,
    /// e3, unit vector along the spin.
    pub eta: Vec3,
    /// e1 + i e2.
    pub u: CVec3,
}

impl Frame {
    pub fn of(spin: &Vec3) -> Self {
        let length = norm(spin);
        let eta = scale(spin, 1.0 / length);
        let perpendicular = cross(&eta, &[1.0, 0.0, 0.0]);
        let size = norm(&perpendicular);
        let e2 = if size > 1e-6 { scale(&perpendicular, 1.0 / size) } else { [0.0, 0.0, 1.0] };
        let e1 = cross(&e2, &eta);
        // the fallback e2 = z is not exactly perpendicular to a spin that is only nearly along x
        let e1 = scale(&e1, 1.0 / norm(&e1));
        let e2 = cross(&eta, &e1);
        Self { length, eta, u: std::array::from_fn(|a| Complex64::new(e1[a], e2[a])) }
    }

    pub fn turned(&self, rotation: &Mat3) -> Self {
        Self { length: self.length, eta: mat_vec(rotation, &self.eta), u: mat_cvec(rotation, &self.u) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vec3::dot;

    #[test]
    fn frames_are_right_handed_and_orthonormal() {
        for spin in [[0.0, 0.0, 1.0], [2.0, 0.0, 0.0], [-1.0, 1e-9, 0.0], [0.3, -0.4, 1.2], [1.0, 1e-7, -1e-7]] {
            let frame = Frame::of(&spin);
            let e1: Vec3 = std::array::from_fn(|a| frame.u[a].re);
            let e2: Vec3 = std::array::from_fn(|a| frame.u[a].im);
            let e3 = cross(&e1, &e2);
            for a in 0..3 {
                assert!((e3[a] - frame.eta[a]).abs() < 1e-12);
            }
            assert!(dot(&e1, &e2).abs() < 1e-12 && (norm(&e1) - 1.0).abs() < 1e-12 && (norm(&e2) - 1.0).abs() < 1e-12);
        }
    }
}
