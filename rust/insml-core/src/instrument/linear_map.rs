//! The linear map from the eleven deviations y of a flight to those of (ki, kf) and of (Q, E), for one pixel.
//!
//! After Tobyfit (T. G. Perring) and Horace's `dq_matrix_DGfermi`, `dq_matrix_DGdisk`; dead time and gravity are left out.
//!
//! Frames: *spectrometer* x along ki, z up; *secondary* x along kf, y in the plane of increasing two-theta, z = x cross y;
//! *sample* the axes its shape is given in; *detector* those of its own shape. Columns of every map:
//!
//! | # | Fermi chopper | disk choppers |
//! |---|---|---|
//! | 0 | t_m, departure from the moderator (s) | t_sh, passage of the shaping chopper (s) |
//! | 1, 2 | y_a, z_a at the aperture (m) | horizontal, vertical divergence (rad) |
//! | 3 | t_ch, passage of the chopper (s) | t_ch, passage of the monochromating chopper (s) |
//! | 4, 5, 6 | x_s, y_s, z_s of scattering, sample frame (m) | the same |
//! | 7, 8, 9 | x_d, y_d, z_d of detection, detector frame (m) | the same |
//! | 10 | t_d, detection, relative to the middle of the time bin (s) | the same |
//!
//! Units: m, s, 1/Angstrom, meV, radians.

use crate::vec3::{Mat3, Vec3, mat_mul, mat_vec, transpose};

/// hbar^2 / 2 m of the neutron: E [meV] = ENERGY_PER_K2 k^2 [1/Angstrom^2].
pub const ENERGY_PER_K2: f64 = 2.072124624737861;
/// Flight time of one metre in microseconds is TIME_PER_LENGTH / k: 1e3 m_n [1e-27 kg] / hbar [1e-34 J s].
pub const TIME_PER_LENGTH: f64 = 1e3 * 1.67492716 / 1.054571596;
/// K: v [m/s] = SPEED_PER_K k.
pub const SPEED_PER_K: f64 = 1e6 / TIME_PER_LENGTH;

pub const DEVIATIONS: usize = 11;
/// `N` quantities, each linear in y.
pub type Rows<const N: usize> = [[f64; DEVIATIONS]; N];

/// What brings the neutron to the sample, distances in m and all positive.
#[derive(Clone, Copy, Debug)]
pub enum Beam {
    Fermi {
        /// x0, moderator to chopper.
        moderator_to_chopper: f64,
        /// x1, chopper to sample.
        chopper_to_sample: f64,
        /// xa, aperture to chopper.
        aperture_to_chopper: f64,
        /// omega, 2 pi times the frequency of the chopper, rad/s.
        angular_frequency: f64,
        /// theta_m of the moderator's face, rad.
        moderator_angle: f64,
    },
    Disk {
        /// xa, shaping to monochromating chopper.
        shaping_to_mono: f64,
        /// x1, monochromating chopper to sample.
        mono_to_sample: f64,
    },
}

/// Where a neutron of final wave vector `kf` is counted.
#[derive(Clone, Copy, Debug)]
pub struct Pixel {
    /// 1/Angstrom
    pub kf: f64,
    /// x2, sample to detector, m.
    pub distance: f64,
    /// F: spectrometer frame -> secondary frame.
    pub secondary: Mat3,
    /// D: detector frame -> secondary frame; the identity for blocks and for tubes along the secondary z.
    pub detector: Mat3,
}

/// F for a detector at two-theta phi and azimuth beta (rad; beta = 0 along +y, pi/2 up).
pub fn secondary_frame(two_theta: f64, azimuth: f64) -> Mat3 {
    let ((sp, cp), (sb, cb)) = (two_theta.sin_cos(), azimuth.sin_cos());
    [[cp, cb * sp, sb * sp], [-sp, cb * cp, sb * cp], [0.0, -sb, cb]]
}

/// F for kf along the unit vector `d` of the spectrometer frame. On the beam the azimuth is taken as 0.
pub fn secondary_frame_along(d: &Vec3) -> Mat3 {
    let sine = d[1].hypot(d[2]);
    let (cb, sb) = if sine > 0.0 { (d[1] / sine, d[2] / sine) } else { (1.0, 0.0) };
    [*d, [-sine, cb * d[0], sb * d[0]], [0.0, -sb, cb]]
}

/// b: (dki_x, dki_y, dki_z) in the spectrometer frame, (dkf_x, dkf_y, dkf_z) in the secondary frame. `sample` is S, sample
/// frame -> spectrometer frame.
///
/// With v = K k, t_i the flight time to the chopper (moderator or shaping chopper as the start), t_f = x2/vf, P = k/t:
/// a late start slows the neutron down to reach the chopper on time, a late chopper speeds up the start's and delays the
/// arrival at the sample; what is left for the second flight makes dkf_x. The Fermi chopper opens as it turns, so a neutron
/// that crosses it off its axis (an aperture or a scattering point off the axis) passes at another time, by 1/(omega (xa + x1))
/// per metre; the tilted face of the moderator adds the factors g.
pub fn wavevector_rows(beam: &Beam, ki: f64, sample: &Mat3, pixel: &Pixel) -> Rows<6> {
    let Pixel { kf, distance: x2, secondary, detector } = pixel;
    let (vi, vf) = (SPEED_PER_K * ki, SPEED_PER_K * kf);
    // P_f and T_f
    let (along, across) = (kf * vf / x2, kf / x2);
    let scattered = mat_mul(secondary, sample);
    let mut b = [[0.0; DEVIATIONS]; 6];
    // (d arrival at the sample / d x_s per sample axis) off the axis, before the flight along x
    let mut off_axis = 0.0;
    match *beam {
        Beam::Fermi {
            moderator_to_chopper: x0,
            chopper_to_sample: x1,
            aperture_to_chopper: xa,
            angular_frequency: omega,
            moderator_angle,
        } => {
            let tilt = omega * moderator_angle.tan() / vi;
            let (g1, g2) = (1.0 - tilt * (x0 + x1), 1.0 - tilt * (x0 - xa));
            let (f1, f2) = (1.0 + x1 / x0 * g1, 1.0 + x1 / x0 * g2);
            let turn = 1.0 / (omega * (xa + x1));
            let (pi, ti) = (ki * vi / x0, ki / (xa + x1));
            b[0][0] = pi;
            b[0][1] = -pi * g1 * turn;
            b[0][3] = -pi;
            b[1][1] = -ti;
            b[2][2] = -ti;
            for a in 0..3 {
                b[0][4 + a] = pi * g2 * turn * sample[1][a];
                b[1][4 + a] = ti * sample[1][a];
                b[2][4 + a] = ti * sample[2][a];
            }
            b[3][0] = -along * x1 / x0;
            b[3][1] = along * f1 * turn;
            b[3][3] = along * (x0 + x1) / x0;
            off_axis = f2 * turn;
        }
        Beam::Disk { shaping_to_mono: xa, mono_to_sample: x1 } => {
            let pi = ki * vi / xa;
            b[0][0] = pi;
            b[0][3] = -pi;
            b[1][1] = ki;
            b[2][2] = ki;
            b[3][0] = -along * x1 / xa;
            b[3][3] = along * (xa + x1) / xa;
        }
    }
    for a in 0..3 {
        b[3][4 + a] = along * (sample[0][a] / vi - scattered[0][a] / vf - off_axis * sample[1][a]);
        b[4][4 + a] = -across * scattered[1][a];
        b[5][4 + a] = -across * scattered[2][a];
        b[3][7 + a] = along * detector[0][a] / vf;
        b[4][7 + a] = across * detector[1][a];
        b[5][7 + a] = across * detector[2][a];
    }
    b[3][10] = -along;
    b
}

/// (dQ_x, dQ_y, dQ_z) in the spectrometer frame and dE, of a `wavevector_rows` b.
pub fn rows_of(b: &Rows<6>, ki: f64, pixel: &Pixel) -> Rows<4> {
    let back = transpose(&pixel.secondary);
    let mut out = [[0.0; DEVIATIONS]; 4];
    for j in 0..DEVIATIONS {
        let final_ = mat_vec(&back, &[b[3][j], b[4][j], b[5][j]]);
        for i in 0..3 {
            out[i][j] = b[i][j] - final_[i];
        }
        out[3][j] = 2.0 * ENERGY_PER_K2 * (ki * b[0][j] - pixel.kf * b[3][j]);
    }
    out
}

/// (dQ, dE) in the spectrometer frame.
pub fn rows(beam: &Beam, ki: f64, sample: &Mat3, pixel: &Pixel) -> Rows<4> {
    rows_of(&wavevector_rows(beam, ki, sample, pixel), ki, pixel)
}

/// (dh, dk, dl, dE); `spec_to_rlu` takes Q of the spectrometer frame to r.l.u.
pub fn hkl_rows(beam: &Beam, ki: f64, sample: &Mat3, pixel: &Pixel, spec_to_rlu: &Mat3) -> Rows<4> {
    let mut out = rows(beam, ki, sample, pixel);
    for j in 0..DEVIATIONS {
        let hkl = mat_vec(spec_to_rlu, &[out[0][j], out[1][j], out[2][j]]);
        for i in 0..3 {
            out[i][j] = hkl[i];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const EYE: Mat3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

    /// Times a flight in full: no linearisation. Spectrometer frame, straight legs, classic detector.
    fn flown(beam: &Beam, ki: f64, pixel: &Pixel, y: &[f64; DEVIATIONS]) -> [f64; 4] {
        let vi0 = SPEED_PER_K * ki;
        let (x0, x1, xa, omega, angle) = match *beam {
            Beam::Fermi {
                moderator_to_chopper,
                chopper_to_sample,
                aperture_to_chopper,
                angular_frequency,
                moderator_angle,
            } => (moderator_to_chopper, chopper_to_sample, aperture_to_chopper, angular_frequency, moderator_angle),
            Beam::Disk { .. } => unreachable!(),
        };
        // the line from aperture to scattering point, positions across the beam against x from the sample
        let slope = [(y[5] - y[1]) / (xa + x1 + y[4]), (y[6] - y[2]) / (xa + x1 + y[4])];
        let at = |x: f64| y[1] + slope[0] * (x + xa + x1);
        // the package is open along slope[0] when it has turned by that angle
        let chopper_time = x0 / vi0 + y[3] - slope[0] / omega;
        // the tilted face lies farther upstream for positive y
        let start = at(-(x0 + x1)) * angle.tan();
        let vi = (x0 + start) / (chopper_time - y[0]);
        let ki_true = vi / SPEED_PER_K;
        let at_sample = chopper_time + (x1 + y[4]) / vi;
        let nominal = mat_vec(&transpose(&pixel.secondary), &[pixel.distance + y[7], y[8], y[9]]);
        let leg: Vec3 = std::array::from_fn(|i| nominal[i] - y[4 + i]);
        let length = crate::vec3::norm(&leg);
        let arrival = (x0 + x1) / vi0 + pixel.distance / (SPEED_PER_K * pixel.kf) + y[10];
        let kf_true = length / (arrival - at_sample) / SPEED_PER_K;
        // to first order the component of ki along x is |ki|
        let q: Vec3 = std::array::from_fn(|i| {
            let incident = if i == 0 { ki_true } else { ki_true * slope[i - 1] };
            incident - kf_true * leg[i] / length
        });
        [q[0], q[1], q[2], ENERGY_PER_K2 * (ki_true * ki_true - kf_true * kf_true)]
    }

    #[test]
    fn the_map_is_the_derivative_of_the_flight() {
        let beam = Beam::Fermi {
            moderator_to_chopper: 10.1,
            chopper_to_sample: 1.9,
            aperture_to_chopper: 8.11,
            angular_frequency: 1571.0,
            moderator_angle: 0.56,
        };
        let pixel = Pixel { kf: 5.1, distance: 6.0, secondary: secondary_frame(0.52, 0.8), detector: EYE };
        let ki = 6.9;
        let rows = rows(&beam, ki, &EYE, &pixel);
        for j in 0..DEVIATIONS {
            let step = if [0, 3, 10].contains(&j) { 1e-9 } else { 1e-6 };
            let mut y = [0.0; DEVIATIONS];
            y[j] = step;
            let up = flown(&beam, ki, &pixel, &y);
            y[j] = -step;
            let down = flown(&beam, ki, &pixel, &y);
            for i in 0..4 {
                let slope = (up[i] - down[i]) / (2.0 * step);
                let scale = rows[i].iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                assert!(
                    (slope - rows[i][j]).abs() < 1e-6 * scale,
                    "row {i} column {j}: {slope} against {}",
                    rows[i][j]
                );
            }
        }
    }

    #[test]
    fn frames_of_angles_and_of_directions_agree() {
        for (two_theta, azimuth) in [(0.3, 0.0), (1.2, 2.5), (2.9, -1.0)] {
            let f = secondary_frame(two_theta, azimuth);
            let g = secondary_frame_along(&f[0]);
            for (a, b) in f.iter().flatten().zip(g.iter().flatten()) {
                assert!((a - b).abs() < 1e-14);
            }
        }
    }
}
