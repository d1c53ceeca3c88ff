//! The momentum component that a slice does not show: integrated over a range, or fixed by the kinematics.

use crate::lattice::Lattice;
use crate::vec3::{Vec3, dot, norm, scale};

/// hbar^2 / 2 m_n in meV Angstrom^2: E = this * k^2.
pub const MEV_ANGSTROM2: f64 = 2.0721248;

#[derive(Clone, Debug)]
pub enum Third {
    /// Average over coordinates with weights that sum to one.
    Integrated { coordinates: Vec<f64>, weights: Vec<f64> },
    /// Crystal fixed, incident beam along `beam` (r.l.u.): Q = ki - kf decides.
    Kinematic { beam: Vec3 },
}

/// Solves for the third coordinate at given in-plane Q, incident energy and energy transfer.
#[derive(Clone, Debug)]
pub struct Kinematics {
    direction: Vec3,
    w: Vec3,
    w2: f64,
}

impl Kinematics {
    pub fn new(lattice: &Lattice, beam: &Vec3, third: &Vec3) -> Self {
        let direction = lattice.q_cartesian(beam);
        let w = lattice.q_cartesian(third);
        Self { direction: scale(&direction, 1.0 / norm(&direction)), w, w2: dot(&w, &w) }
    }

    /// The forward-scattering root of |ki - q_plane - l w| = kf; None where the spectrometer cannot reach.
    pub fn coordinate(&self, q_plane: &Vec3, ei: f64, energy: f64) -> Option<f64> {
        let kf2 = (ei - energy) / MEV_ANGSTROM2;
        if kf2 <= 0.0 {
            return None;
        }
        let ki = (ei / MEV_ANGSTROM2).sqrt();
        let rest: Vec3 = std::array::from_fn(|a| ki * self.direction[a] - q_plane[a]);
        let b = dot(&self.w, &rest);
        let c = dot(&rest, &rest) - kf2;
        let discriminant = b * b - self.w2 * c;
        // the root nearer to zero leaves kf along the beam
        (discriminant >= 0.0).then(|| (b - b.signum() * discriminant.sqrt()) / self.w2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momentum_and_energy_are_conserved() {
        let lattice = Lattice::new([[5.4, 0.0, 0.0], [0.0, 5.5, 0.0], [0.3, 0.0, 19.0]]).unwrap();
        let kinematics = Kinematics::new(&lattice, &[0.0, 0.0, 1.0], &[0.0, 0.0, 1.0]);
        let (ei, energy) = (50.0, 12.0);
        let plane = lattice.q_cartesian(&[0.4, -0.7, 0.0]);
        let l = kinematics.coordinate(&plane, ei, energy).unwrap();
        let q = lattice.q_cartesian(&[0.4, -0.7, l]);
        let beam = lattice.q_cartesian(&[0.0, 0.0, 1.0]);
        let ki = scale(&beam, (ei / MEV_ANGSTROM2).sqrt() / norm(&beam));
        let kf: Vec3 = std::array::from_fn(|a| ki[a] - q[a]);
        assert!((dot(&kf, &kf) * MEV_ANGSTROM2 - (ei - energy)).abs() < 1e-9);
        assert!(dot(&kf, &ki) > 0.0);
        assert!(kinematics.coordinate(&lattice.q_cartesian(&[9.0, 0.0, 0.0]), ei, energy).is_none());
        assert!(kinematics.coordinate(&plane, ei, 51.0).is_none());
    }
}
