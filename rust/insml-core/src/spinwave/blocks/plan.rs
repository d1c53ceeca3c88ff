//! What a model asks for at every wave vector, compiled: the elements of each block as linear combinations of cosines and
//! sines, and the neutron amplitudes as constant rows.

use crate::error::Result;
use crate::spinwave::amplitude::Amplitudes;
use crate::spinwave::blocks::reduce::{Block, Kind, project, reduce};
use crate::spinwave::blocks::split::{Noise, eigenvectors, subspaces};
use crate::spinwave::blocks::uniform::{Uniform, apply};
use crate::spinwave::hamiltonian::Hamiltonian;
use crate::spinwave::rotation::Projector;
use crate::vec3::{CVec3, Vec3, dot};
use faer::Mat;
use num_complex::Complex64;
use std::collections::{BTreeMap, HashMap};
use std::f64::consts::TAU;

/// Elements relative to the size of h that the blocks may leave out.
const EXACT: f64 = 1e-11;

/// Values that are linear in the list 1, cos 2 pi k.d_1, sin 2 pi k.d_1, cos 2 pi k.d_2, ...
#[derive(Clone, Debug, Default)]
pub struct Linear {
    pub starts: Vec<usize>,
    pub terms: Vec<(usize, f64)>,
}

impl Linear {
    fn push(&mut self, terms: impl Iterator<Item = (usize, f64)>, negligible: f64) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.terms.extend(terms.filter(|t| t.1.abs() > negligible));
        self.starts.push(self.terms.len());
    }
}

/// One row of amplitudes of a block: sum over (class, column, coefficient).
pub type Row = Vec<(usize, usize, Complex64)>;

/// Amplitudes of one block: amp = sum_r direction_r (row_r . t), directions orthonormal, as many as are not dark.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub directions: Vec<CVec3>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug)]
pub struct BlockPlan {
    pub particles: usize,
    pub size: usize,
    pub kind: Kind,
    pub real: bool,
    /// Lower triangle, column by column: of h; of A + B and then of A - B in a mirror block. Real and imaginary part of
    /// each element where the block is complex.
    pub elements: Linear,
    /// For each rotating-frame block.
    pub amplitudes: Vec<Rows>,
}

/// Sites with one offset from the gauge's position and one form factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Relative to the first class, magnetic cells.
    pub offset: Vec3,
    /// Of its first site, magnetic cells.
    pub position: Vec3,
    /// Index of the ion, None without a form factor.
    pub ion: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub n: usize,
    /// Displacements d_1, d_2, ...
    pub deltas: Vec<Vec3>,
    pub blocks: Vec<BlockPlan>,
    pub classes: Vec<Class>,
    pub scale: f64,
}

/// Blocks of a Hamiltonian, checked; amplitudes and coefficients follow from it.
#[derive(Clone, Debug)]
pub struct Splitting {
    uniform: Uniform,
    pub blocks: Vec<Block>,
}

impl Splitting {
    /// None where no blocks found reproduce h at wave vectors the search has not seen.
    pub fn find(hamiltonian: &Hamiltonian) -> Result<Option<Self>> {
        let uniform = Uniform::new(hamiltonian)?;
        let scale = hamiltonian.scale;
        // two blocks may come so close in the spectrum of a random element that rounding mixes them: then another one
        for attempt in 0..4 {
            let blocks = subspaces(&uniform, scale, attempt)?
                .into_iter()
                .map(|space| reduce(space, &uniform, scale))
                .collect::<Result<Vec<_>>>()?;
            let out = Self { uniform: uniform.clone(), blocks };
            if out.holds(scale) {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }

    /// The same blocks for other couplings between the same spins; None where they no longer hold.
    pub fn adapted(&self, hamiltonian: &Hamiltonian) -> Result<Option<Self>> {
        let out = Self { uniform: Uniform::new(hamiltonian)?, blocks: self.blocks.clone() };
        Ok(out.holds(hamiltonian.scale).then_some(out))
    }

    pub fn sites(&self) -> usize {
        self.uniform.n
    }

    /// Whether the blocks cost less than h as a whole. Large ones do not fit into the cache many at a time.
    pub fn pays(&self) -> bool {
        let cost = |order: usize| (order as f64).powi(3) * if order > 90 { 2.5 } else { 0.5 };
        self.blocks.iter().map(|b| cost(b.order())).sum::<f64>() < (2.0 * self.uniform.n as f64).powi(3)
    }

    /// Modes add up, and every block maps to itself in its stated form at fresh wave vectors.
    fn holds(&self, scale: f64) -> bool {
        let n = self.uniform.n;
        if self.blocks.iter().map(|b| b.particles).sum::<usize>() != n {
            return false;
        }
        let mut noise = Noise::new(3);
        (0..3).all(|_| {
            let h = self.uniform.sparse(&noise.wave_vector());
            self.blocks.iter().all(|block| {
                let image = apply(&h, &block.basis);
                let inside = project(&block.basis, &image);
                let v = Mat::from_fn(2 * n, block.size(), |i, j| block.basis[j][i]);
                let outside = image - &v * &inside;
                let small = |m: &Mat<Complex64>| {
                    (0..m.ncols()).all(|j| (0..m.nrows()).all(|i| m[(i, j)].norm() < EXACT * scale))
                };
                let p = block.particles;
                let real = !block.real
                    || (0..block.size()).all(|j| (0..block.size()).all(|i| inside[(i, j)].im.abs() < EXACT * scale));
                let mirrored = block.kind != Kind::Mirror
                    || (0..p).all(|j| {
                        (0..p).all(|i| {
                            (inside[(i, j)] - inside[(p + i, p + j)]).norm() < EXACT * scale
                                && (inside[(i, p + j)] - inside[(p + i, j)]).norm() < EXACT * scale
                        })
                    });
                small(&outside) && real && mirrored
            })
        })
    }

    /// The plan for amplitudes of one kind; `frames` are shift (r.l.u. of the magnetic cell) and projector of each
    /// rotating-frame block.
    pub fn plan(
        &self,
        hamiltonian: &Hamiltonian,
        amplitudes: &Amplitudes,
        frames: &[(Vec3, Projector)],
    ) -> Result<Plan> {
        let uniform = &self.uniform;
        let (classes, class_of) = self.classes(amplitudes);
        let mut blocks = Vec::new();
        for block in &self.blocks {
            blocks.push(BlockPlan {
                particles: block.particles,
                size: block.size(),
                kind: block.kind,
                real: block.real,
                elements: elements(uniform, block, hamiltonian.scale),
                amplitudes: frames
                    .iter()
                    .map(|frame| rows(uniform, block, amplitudes, classes.len(), &class_of, frame))
                    .collect::<Result<Vec<_>>>()?,
            });
        }
        let n = uniform.n;
        Ok(Plan { n, deltas: uniform.deltas[1..].to_vec(), blocks, classes, scale: hamiltonian.scale })
    }

    fn classes(&self, amplitudes: &Amplitudes) -> (Vec<Class>, Vec<usize>) {
        let offset =
            |i: usize| -> Vec3 { std::array::from_fn(|a| amplitudes.positions[i][a] - self.uniform.positions[i][a]) };
        let first = offset(0);
        let mut classes: Vec<Class> = Vec::new();
        let of = (0..self.uniform.n)
            .map(|i| {
                let ion = amplitudes.ion(i);
                let here: Vec3 = std::array::from_fn(|a| offset(i)[a] - first[a]);
                let same = |c: &Class| c.ion == ion && (0..3).all(|a| (c.offset[a] - here[a]).abs() < 1e-9);
                classes.iter().position(same).unwrap_or_else(|| {
                    classes.push(Class { offset: here, position: amplitudes.positions[i], ion });
                    classes.len() - 1
                })
            })
            .collect();
        (classes, of)
    }
}

impl Splitting {
    /// Displacements (magnetic cells) that a shift of k by G must turn by whole turns for the blocks to stay what they are:
    /// between the gauge's positions of sites that a block's projector joins, and between sites of one class.
    pub fn repeats(&self, amplitudes: &Amplitudes) -> Vec<Vec3> {
        let between = |x: &[Vec3], i: usize, j: usize| -> Vec3 { std::array::from_fn(|a| x[i][a] - x[j][a]) };
        let mut out = Vec::new();
        let n = self.uniform.n;
        for block in &self.blocks {
            for i in 0..2 * n {
                for j in 0..i {
                    let shared: Complex64 = block.basis.iter().map(|v| v[i] * v[j].conj()).sum();
                    if shared.norm() > 1e-9 {
                        out.push(between(&self.uniform.positions, i % n, j % n));
                    }
                }
            }
        }
        let (classes, of) = self.classes(amplitudes);
        for class in 0..classes.len() {
            let sites: Vec<usize> = (0..of.len()).filter(|&i| of[i] == class).collect();
            out.extend(sites.iter().map(|&i| between(&amplitudes.positions, i, sites[0])));
        }
        out
    }
}

/// Non-zero entries of each row of a basis: by site (and hole), (column, value).
fn by_row(block: &Block, rows: usize) -> Vec<Vec<(usize, Complex64)>> {
    (0..rows)
        .map(|i| {
            (0..block.size())
                .filter(|&c| block.basis[c][i] != Complex64::ZERO)
                .map(|c| (c, block.basis[c][i]))
                .collect()
        })
        .collect()
}

/// Displacement -> coefficients of its cosine and sine.
type Waves = Vec<(usize, [Complex64; 2])>;

fn elements(uniform: &Uniform, block: &Block, scale: f64) -> Linear {
    let size = block.size();
    let by_row = by_row(block, 2 * uniform.n);
    let mut table: HashMap<(usize, usize), Waves> = HashMap::new();
    for e in &uniform.entries {
        for &(r, left) in &by_row[e.row] {
            for &(c, right) in &by_row[e.column] {
                let value = left.conj() * e.coefficient * right;
                let list = table.entry((r, c)).or_default();
                let index = list.iter().position(|t| t.0 == e.delta).unwrap_or_else(|| {
                    list.push((e.delta, [Complex64::ZERO; 2]));
                    list.len() - 1
                });
                list[index].1[0] += value;
                list[index].1[1] += Complex64::I * e.sign * value;
            }
        }
    }
    let mut out = Linear::default();
    let negligible = 1e-14 * scale;
    let mut push = |parts: &[(usize, usize, f64)]| {
        // index into the list 1, cos, sin, cos, ... -> coefficient
        let mut sum: BTreeMap<usize, Complex64> = BTreeMap::new();
        for &(r, c, sign) in parts {
            for &(d, [cosine, sine]) in table.get(&(r, c)).map_or(&[][..], Vec::as_slice) {
                *sum.entry((2 * d).saturating_sub(1)).or_default() += cosine * sign;
                if d > 0 {
                    *sum.entry(2 * d).or_default() += sine * sign;
                }
            }
        }
        out.push(sum.iter().map(|(&index, z)| (index, z.re)), negligible);
        if !block.real {
            out.push(sum.iter().map(|(&index, z)| (index, z.im)), negligible);
        }
    };
    if block.kind == Kind::Mirror {
        let p = block.particles;
        for sign in [1.0, -1.0] {
            for c in 0..p {
                for r in c..p {
                    push(&[(r, c, 1.0), (r, p + c, sign)]);
                }
            }
        }
    } else {
        for c in 0..size {
            for r in c..size {
                push(&[(r, c, 1.0)]);
            }
        }
    }
    out
}

fn rows(
    uniform: &Uniform,
    block: &Block,
    amplitudes: &Amplitudes,
    classes: usize,
    class_of: &[usize],
    (shift, projector): &(Vec3, Projector),
) -> Result<Rows> {
    let (n, size) = (uniform.n, block.size());
    if block.kind == Kind::Holes {
        return Ok(Rows::default());
    }
    let mut table = vec![[Complex64::ZERO; 3]; classes * size];
    for i in 0..n {
        let phase = Complex64::from_polar(1.0, TAU * dot(shift, &uniform.positions[i]));
        let u = amplitudes.vectors[i];
        for (c, column) in block.basis.iter().enumerate() {
            let slot = &mut table[class_of[i] * size + c];
            for a in 0..3 {
                slot[a] += phase * (u[a].conj() * column[i] + u[a] * column[n + i]);
            }
        }
    }
    for slot in &mut table {
        *slot = projector.apply(slot);
    }
    // principal directions of the amplitudes
    let mut gram = Mat::<Complex64>::zeros(3, 3);
    for slot in &table {
        for a in 0..3 {
            for b in 0..3 {
                gram[(a, b)] += slot[a] * slot[b].conj();
            }
        }
    }
    let (values, vectors) = eigenvectors(&gram)?;
    let total: f64 = amplitudes.vectors.iter().flatten().map(|x| x.norm_sqr()).sum();
    let mut out = Rows::default();
    for r in (0..3).rev().filter(|&r| values[r] > 1e-22 * total) {
        let direction: CVec3 = std::array::from_fn(|a| vectors[(a, r)]);
        let mut row = Row::new();
        for (index, slot) in table.iter().enumerate() {
            let value: Complex64 = (0..3).map(|a| direction[a].conj() * slot[a]).sum();
            if value.norm_sqr() > 1e-26 * total {
                row.push((index / size, index % size, value));
            }
        }
        out.directions.push(direction);
        out.rows.push(row);
    }
    Ok(out)
}
