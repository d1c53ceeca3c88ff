//! The momentum component that a slice does not show: integrated over a range, or fixed by the kinematics.

use crate::lattice::Lattice;
use crate::vec3::{Vec3, dot, norm, scale};

/// hbar^2 / 2 m_n in meV Angstrom^2: E = this * k^2.
pub const MEV_ANGSTROM2: f64 = 2.0721248;

#[derive(Clone, Debug)]
pub enum Third {
    /// Average over coordinates with weights that sum to one; with `angles`, over those of them that the detectors see.
    Integrated { coordinates: Vec<f64>, weights: Vec<f64>, angles: Option<ScatteringAngles> },
    /// Crystal fixed, incident beam along `beam` (r.l.u.): Q = ki - kf decides.
    Kinematic { beam: Vec3 },
}

/// Range of scattering angles 2 theta that detectors cover, as cosines: momentum transfers outside are never measured.
#[derive(Clone, Copy, Debug)]
pub struct ScatteringAngles {
    cos_smallest: f64,
    cos_largest: f64,
    /// Half of the third coordinate's range that one sample stands for.
    pub half_cell: f64,
}

impl ScatteringAngles {
    /// Radians.
    pub fn new(smallest: f64, largest: f64, half_cell: f64) -> Self {
        Self { cos_smallest: smallest.cos(), cos_largest: largest.cos(), half_cell }
    }

    /// Share of a cell whose ends have these |Q|^2 that can be measured at this incident energy and energy transfer;
    /// continuous, so that images change smoothly with the energies.
    pub fn visible(&self, ends: (f64, f64), ei: f64, energy: f64) -> f64 {
        let (ki2, kf2) = (ei / MEV_ANGSTROM2, (ei - energy) / MEV_ANGSTROM2);
        if kf2 <= 0.0 {
            return 0.0;
        }
        let cross = 2.0 * (ki2 * kf2).sqrt();
        let (nearest, farthest) = (ki2 + kf2 - cross * self.cos_smallest, ki2 + kf2 - cross * self.cos_largest);
        let (low, high) = (ends.0.min(ends.1), ends.0.max(ends.1).max(ends.0.min(ends.1) + 1e-9));
        ((high.min(farthest) - low.max(nearest)) / (high - low)).clamp(0.0, 1.0)
    }
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
    fn scattering_angles_bound_the_momentum_transfer() {
        let angles = ScatteringAngles::new(0.0, std::f64::consts::PI, 0.1);
        let (ei, energy) = (60.0, 40.0);
        let (ki, kf) = ((ei / MEV_ANGSTROM2).sqrt(), ((ei - energy) / MEV_ANGSTROM2).sqrt());
        let (nearest, farthest) = ((ki - kf).powi(2), (ki + kf).powi(2));
        assert_eq!(angles.visible((0.9 * nearest, 0.99 * nearest), ei, energy), 0.0);
        assert_eq!(angles.visible((1.1 * nearest, 0.9 * farthest), ei, energy), 1.0);
        assert_eq!(angles.visible((1.1 * farthest, 1.2 * farthest), ei, energy), 0.0);
        assert!((angles.visible((nearest - 0.25, nearest + 0.75), ei, energy) - 0.75).abs() < 1e-12);
        assert!((angles.visible((nearest + 0.75, nearest - 0.25), ei, energy) - 0.75).abs() < 1e-12);
        assert_eq!(angles.visible((1.0, 2.0), ei, 60.0), 0.0);
    }

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
