//! Three-vectors and 3x3 matrices (row-major), real and with complex vectors.

use num_complex::Complex64;

pub type Vec3 = [f64; 3];
pub type Mat3 = [[f64; 3]; 3];
pub type CVec3 = [Complex64; 3];

pub fn dot(a: &Vec3, b: &Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn cross(a: &Vec3, b: &Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub fn norm(a: &Vec3) -> f64 {
    dot(a, a).sqrt()
}

pub fn scale(a: &Vec3, s: f64) -> Vec3 {
    [a[0] * s, a[1] * s, a[2] * s]
}

/// M v
pub fn mat_vec(m: &Mat3, v: &Vec3) -> Vec3 {
    [dot(&m[0], v), dot(&m[1], v), dot(&m[2], v)]
}

/// M v with complex v
pub fn mat_cvec(m: &Mat3, v: &CVec3) -> CVec3 {
    std::array::from_fn(|i| v[0] * m[i][0] + v[1] * m[i][1] + v[2] * m[i][2])
}

/// a^T M b, no conjugation
pub fn bilinear(a: &CVec3, m: &Mat3, b: &CVec3) -> Complex64 {
    product(a, &mat_cvec(m, b))
}

/// a.b, no conjugation
pub fn product(a: &CVec3, b: &CVec3) -> Complex64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn real(v: &Vec3) -> CVec3 {
    v.map(Complex64::from)
}

pub fn transpose(m: &Mat3) -> Mat3 {
    std::array::from_fn(|i| std::array::from_fn(|j| m[j][i]))
}

pub fn symmetrised(m: &Mat3) -> Mat3 {
    std::array::from_fn(|i| std::array::from_fn(|j| 0.5 * (m[i][j] + m[j][i])))
}

pub fn determinant(m: &Mat3) -> f64 {
    dot(&m[0], &cross(&m[1], &m[2]))
}

pub fn inverse(m: &Mat3) -> Option<Mat3> {
    let d = determinant(m);
    if !d.is_normal() {
        return None;
    }
    let columns = [cross(&m[1], &m[2]), cross(&m[2], &m[0]), cross(&m[0], &m[1])];
    Some(std::array::from_fn(|i| std::array::from_fn(|j| columns[j][i] / d)))
}

pub fn mat_mul(a: &Mat3, b: &Mat3) -> Mat3 {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

pub fn conj(v: &CVec3) -> CVec3 {
    [v[0].conj(), v[1].conj(), v[2].conj()]
}
