//! Within a block: a basis in which h(k) is real (an antiunitary symmetry such as inversion), and one in which particles
//! and holes mirror each other, h = [[A, B], [B, A]], so that w^2 are the eigenvalues of (A - B)(A + B).
//!
//! Both follow from Schur's lemma: an intertwiner is diagonal between eigenbases of corresponding random elements, its
//! phases are carried along the largest matrix elements, and the result is checked on all of them.

use crate::error::Result;
use crate::spinwave::blocks::split::{Noise, Subspace, eigenvectors};
use crate::spinwave::blocks::uniform::{Uniform, apply};
use faer::Mat;
use num_complex::Complex64;

/// Largest deviation, relative to the size of h, at which a symmetry holds.
const EXACT: f64 = 1e-11;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Particles alone: h is Hermitian, its eigenvalues are the energies.
    Particles,
    /// h = [[A, B], [B, A]].
    Mirror,
    /// No relation between particles and holes.
    Pairs,
    /// Holes alone: no mode, but h must be positive here, too.
    Holes,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Particles => "particles",
            Self::Mirror => "mirror",
            Self::Pairs => "pairs",
            Self::Holes => "holes",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Block {
    /// Orthonormal columns, 2N long; particles first. In a mirror block hole i mirrors particle i.
    pub basis: Vec<Vec<Complex64>>,
    pub particles: usize,
    pub kind: Kind,
    pub real: bool,
}

impl Block {
    pub fn size(&self) -> usize {
        self.basis.len()
    }

    /// Order of the Hermitian eigenproblem that is left.
    pub fn order(&self) -> usize {
        if self.kind == Kind::Mirror { self.particles } else { self.size() }
    }
}

/// V^+ image for basis vectors V.
pub fn project(basis: &[Vec<Complex64>], image: &Mat<Complex64>) -> Mat<Complex64> {
    Mat::from_fn(basis.len(), image.ncols(), |r, c| {
        (0..image.nrows()).filter(|&i| basis[r][i] != Complex64::ZERO).map(|i| basis[r][i].conj() * image[(i, c)]).sum()
    })
}

pub fn reduce(space: Subspace, uniform: &Uniform, scale: f64) -> Result<Block> {
    let Subspace { basis, particles: p } = space;
    let m = basis.len() - p;
    let mut noise = Noise::new(2);
    let samples: Vec<Mat<Complex64>> =
        (0..3).map(|_| project(&basis, &apply(&uniform.sparse(&noise.wave_vector()), &basis))).collect();
    let kind = match (p, m) {
        (_, 0) => Kind::Particles,
        (0, _) => Kind::Holes,
        _ => Kind::Pairs,
    };
    let plain = Block { basis, particles: p, kind, real: false };
    if kind == Kind::Holes {
        return Ok(plain);
    }
    let Some(eigen) = Eigenbasis::new(&samples, p, scale, &mut noise)? else { return Ok(plain) };
    let phases = eigen.real_phases(scale);
    let real = phases.is_some();
    let mirror = if p == m { eigen.mirror(phases.as_deref(), scale) } else { None };
    // columns of the eigenbasis with their phases, in coordinates of the block's basis
    let column =
        |r: usize, phase: Complex64| -> Vec<Complex64> { (0..p + m).map(|i| eigen.vectors[(i, r)] * phase).collect() };
    let one = Complex64::ONE;
    let adapted: Vec<Vec<Complex64>> = (0..p + m).map(|r| column(r, phases.as_ref().map_or(one, |f| f[r]))).collect();
    let (coordinates, kind, real) = match mirror {
        Some(mirror) => {
            let mut front = if real { sparse_real(&adapted[..p]) } else { unit_vectors(p, p + m) };
            // hole = sum over r of (particle_r^+ x) mirror_r hole_r
            let back: Vec<Vec<Complex64>> = front
                .iter()
                .map(|x| {
                    let mut hole = vec![Complex64::ZERO; p + m];
                    for r in 0..p {
                        let along: Complex64 = adapted[r].iter().zip(x).map(|(a, b)| a.conj() * b).sum();
                        for (slot, y) in hole.iter_mut().zip(&adapted[p + r]) {
                            *slot += along * mirror[r] * y;
                        }
                    }
                    hole
                })
                .collect();
            front.extend(back);
            (front, Kind::Mirror, real)
        }
        None if real => {
            let mut front = sparse_real(&adapted[..p]);
            front.extend(sparse_real(&adapted[p..]));
            (front, kind, true)
        }
        None => return Ok(plain),
    };
    let full = coordinates.iter().map(|c| combine(&plain.basis, c)).collect();
    Ok(Block { basis: full, particles: p, kind, real })
}

fn unit_vectors(count: usize, size: usize) -> Vec<Vec<Complex64>> {
    (0..count).map(|i| (0..size).map(|j| if i == j { Complex64::ONE } else { Complex64::ZERO }).collect()).collect()
}

fn combine(basis: &[Vec<Complex64>], coordinates: &[Complex64]) -> Vec<Complex64> {
    let mut out = vec![Complex64::ZERO; basis[0].len()];
    for (b, c) in basis.iter().zip(coordinates) {
        for (slot, x) in out.iter_mut().zip(b) {
            *slot += c * x;
        }
    }
    for x in &mut out {
        if x.norm() < 1e-12 {
            *x = Complex64::ZERO;
        }
    }
    out
}

/// Real span of `adapted` by vectors with few entries: of all u + W u^* and i (u - W u^*) with unit vectors u, where
/// W = adapted adapted^T, the largest, orthogonalised.
fn sparse_real(adapted: &[Vec<Complex64>]) -> Vec<Vec<Complex64>> {
    let Some(first) = adapted.first() else { return Vec::new() };
    let size = first.len();
    // in coordinates of `adapted` the candidates are real: 2 Re and 2 Im of rows
    let mut rest: Vec<Vec<f64>> = (0..size)
        .flat_map(|i| {
            [adapted.iter().map(|a| a[i].re).collect::<Vec<f64>>(), adapted.iter().map(|a| a[i].im).collect()]
        })
        .collect();
    let mut out: Vec<Vec<Complex64>> = Vec::new();
    while out.len() < adapted.len() {
        let norm = |c: &Vec<f64>| c.iter().map(|x| x * x).sum::<f64>();
        let largest = rest.iter().map(norm).fold(0.0, f64::max);
        let pivot = rest.iter().position(|c| norm(c) > (1.0 - 1e-6) * largest).unwrap_or(0);
        let length = norm(&rest[pivot]).sqrt();
        let chosen: Vec<f64> = rest[pivot].iter().map(|x| x / length).collect();
        for c in &mut rest {
            let overlap: f64 = c.iter().zip(&chosen).map(|(x, y)| x * y).sum();
            for (x, y) in c.iter_mut().zip(&chosen) {
                *x -= overlap * y;
            }
        }
        let mut v = vec![Complex64::ZERO; size];
        for (a, c) in adapted.iter().zip(&chosen) {
            for (slot, x) in v.iter_mut().zip(a) {
                *slot += *c * x;
            }
        }
        for x in &mut v {
            if x.norm() < 1e-11 {
                *x = Complex64::ZERO;
            }
        }
        out.push(v);
    }
    out
}

/// Eigenvectors of corresponding random elements on particles and on holes, and all samples between them.
struct Eigenbasis {
    p: usize,
    m: usize,
    vectors: Mat<Complex64>,
    values: Vec<f64>,
    samples: Vec<Mat<Complex64>>,
}

impl Eigenbasis {
    /// None where eigenvalues coincide: phases could then not be carried.
    fn new(samples: &[Mat<Complex64>], p: usize, scale: f64, noise: &mut Noise) -> Result<Option<Self>> {
        let size = samples[0].nrows();
        let m = size - p;
        let (mut on_particles, mut on_holes) = (Mat::<Complex64>::zeros(p, p), Mat::<Complex64>::zeros(m, m));
        for (j, x) in samples.iter().enumerate() {
            let c = faer::Scale(Complex64::from(noise.number()));
            on_particles += x.submatrix(0, 0, p, p) * c;
            on_holes += x.submatrix(p, p, m, m) * c;
            for y in &samples[j..] {
                let c = faer::Scale(Complex64::from(noise.number() / scale));
                let (b, d) = (x.submatrix(0, p, p, m), y.submatrix(0, p, p, m));
                let (left, right) = (b * d.adjoint() * c, b.adjoint() * d * c);
                on_particles += &left;
                on_particles += left.adjoint();
                on_holes += &right;
                on_holes += right.adjoint();
            }
        }
        let (mut values, front) = eigenvectors(&on_particles)?;
        let (others, back) = if m > 0 { eigenvectors(&on_holes)? } else { (Vec::new(), Mat::zeros(0, 0)) };
        let tight = |v: &[f64]| v.windows(2).any(|w| w[1] - w[0] < 1e-7 * scale);
        if tight(&values) || tight(&others) {
            return Ok(None);
        }
        values.extend(others);
        let vectors = Mat::from_fn(size, size, |i, j| match (i < p, j < p) {
            (true, true) => front[(i, j)],
            (false, false) => back[(i - p, j - p)],
            _ => Complex64::ZERO,
        });
        let samples = samples.iter().map(|x| vectors.adjoint() * x * &vectors).collect();
        Ok(Some(Self { p, m, vectors, values, samples }))
    }

    /// Phases f with conj(f_r) X_rc f_c real for all samples.
    fn real_phases(&self, scale: f64) -> Option<Vec<Complex64>> {
        let size = self.p + self.m;
        // conj(f_r) X f_c real: f_r = f_c X / |X|
        let phases = carry(size, &self.samples, |x, r, c| x[(r, c)])?;
        let exact = self.samples.iter().all(|x| {
            (0..size).all(|r| (0..size).all(|c| (phases[r].conj() * x[(r, c)] * phases[c]).im.abs() < EXACT * scale))
        });
        exact.then_some(phases)
    }

    /// Phases g such that hole g_r w_r mirrors particle r: D = A and B = B^+ in that basis.
    fn mirror(&self, real: Option<&[Complex64]>, scale: f64) -> Option<Vec<Complex64>> {
        let p = self.p;
        if (0..p).any(|r| (self.values[r] - self.values[p + r]).abs() > EXACT * scale) {
            return None;
        }
        let one = vec![Complex64::ONE; 2 * p];
        let f = real.unwrap_or(&one);
        let samples: Vec<Mat<Complex64>> =
            self.samples.iter().map(|x| Mat::from_fn(2 * p, 2 * p, |r, c| f[r].conj() * x[(r, c)] * f[c])).collect();
        // pairs (on particles, on holes) that the mirror maps to each other
        let mut pairs: Vec<(Mat<Complex64>, Mat<Complex64>)> = Vec::new();
        for x in &samples {
            pairs.push((x.submatrix(0, 0, p, p).to_owned(), x.submatrix(p, p, p, p).to_owned()));
            for y in &samples {
                let (b, d) = (x.submatrix(0, p, p, p), y.submatrix(0, p, p, p));
                let c = faer::Scale(Complex64::from(1.0 / scale));
                pairs.push((b * d.adjoint() * c, b.adjoint() * d * c));
            }
        }
        // conj(g_r) D g_c = A: g_r = g_c D / A
        let ratio: Vec<Mat<Complex64>> =
            pairs.iter().map(|(a, d)| Mat::from_fn(p, p, |r, c| d[(r, c)] * a[(r, c)].conj())).collect();
        let mut g = carry(p, &ratio, |x, r, c| x[(r, c)])?;
        // B g Hermitian fixes the common phase up to sign: g_r g_c = conj(B_cr) / B_rc
        let (mut best, mut at) = (0.0, (0, 0, 0));
        for (s, x) in samples.iter().enumerate() {
            for (r, c) in (0..p).flat_map(|r| (0..p).map(move |c| (r, c))) {
                let size = x[(r, p + c)].norm();
                if size > best {
                    (best, at) = (size, (s, r, c));
                }
            }
        }
        let (s, r, c) = at;
        let wanted = samples[s][(c, p + r)].conj() * samples[s][(r, p + c)].conj() / (g[r] * g[c]);
        if wanted.norm() == 0.0 {
            return None;
        }
        let common = (wanted / wanted.norm()).sqrt();
        for x in &mut g {
            *x *= common;
        }
        let exact = samples.iter().all(|x| {
            (0..p).all(|r| {
                (0..p).all(|c| {
                    let mirrored = g[r].conj() * x[(p + r, p + c)] * g[c] - x[(r, c)];
                    let (b, t) = (x[(r, p + c)] * g[c], x[(c, p + r)] * g[r]);
                    let complex = if real.is_some() { b.im.abs() } else { 0.0 };
                    mirrored.norm() + (b - t.conj()).norm() + complex < EXACT * scale
                })
            })
        });
        exact.then_some(g)
    }
}

/// Phases f with f_r = f_c z_rc / |z_rc| along a spanning tree of the largest elements; None where nothing connects.
fn carry(
    size: usize,
    samples: &[Mat<Complex64>],
    element: impl Fn(&Mat<Complex64>, usize, usize) -> Complex64,
) -> Option<Vec<Complex64>> {
    let mut phases = vec![None; size];
    phases[0] = Some(Complex64::ONE);
    let largest = |r: usize, c: usize| {
        samples.iter().map(|x| element(x, r, c)).max_by(|a, b| a.norm().total_cmp(&b.norm())).unwrap_or_default()
    };
    for _ in 1..size {
        let mut best: Option<(f64, usize, Complex64)> = None;
        for r in (0..size).filter(|&r| phases[r].is_none()) {
            for c in 0..size {
                if let Some(known) = phases[c] {
                    let z = largest(r, c);
                    if z.norm() > best.map_or(0.0, |b| b.0) {
                        best = Some((z.norm(), r, known * z / z.norm()));
                    }
                }
            }
        }
        let (_, r, phase) = best?;
        phases[r] = Some(phase);
    }
    phases.into_iter().collect()
}
