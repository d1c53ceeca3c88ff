//! h and its derivatives in the blocks of a model, as linear combinations of cosines and sines.

use crate::error::Result;
use crate::spinwave::amplitude::Amplitudes;
use crate::spinwave::blocks::plan::{Class, Linear, Rows, Splitting};
use crate::spinwave::blocks::reduce::{Block, Kind, project};
use crate::spinwave::blocks::uniform::{Entry, SAME, Sparse, Uniform, apply};
use crate::spinwave::hamiltonian::Hamiltonian;
use crate::spinwave::rotation::Projector;
use crate::vec3::Vec3;
use faer::Mat;
use num_complex::Complex64;
use std::f64::consts::FRAC_1_SQRT_2;

/// Elements relative to the size of dh that the blocks may leave out.
const EXACT: f64 = 1e-11;

pub struct BlockPlan {
    pub particles: usize,
    pub size: usize,
    /// h = [[A, B], [B, A]], taken in the basis (x + y, x - y) / sqrt 2 of particles x and holes y, in which it falls into
    /// A + B and A - B.
    pub mirror: bool,
    pub real: bool,
    /// Lower triangle of h (of A + B, then of A - B in a mirror block), column by column; real and imaginary part of each
    /// element where the block is complex.
    pub form: Linear,
    /// Of each dh/dp, likewise.
    pub slopes: Vec<Linear>,
    /// For each rotating-frame block.
    pub amplitudes: Vec<Rows>,
}

pub struct Plan {
    /// Displacements d_1, d_2, ...
    pub deltas: Vec<Vec3>,
    pub blocks: Vec<BlockPlan>,
    /// Modes of each block.
    pub particles: Vec<usize>,
    pub classes: Vec<Class>,
    pub scale: f64,
}

impl Plan {
    /// None where a direction leaves the blocks of the model.
    pub fn new(
        splitting: &Splitting,
        hamiltonian: &Hamiltonian,
        directions: &[&Hamiltonian],
        amplitudes: &Amplitudes,
        frames: &[(Vec3, Projector)],
    ) -> Result<Option<Self>> {
        let uniform = Uniform::new(hamiltonian)?;
        let mut deltas = uniform.deltas;
        let forms: Vec<Vec<Entry>> = directions.iter().map(|d| entries(d, &uniform.positions, &mut deltas)).collect();
        let magnetic: Vec<_> =
            frames.iter().map(|(shift, projector)| (hamiltonian.magnetic(shift), *projector)).collect();
        let known = splitting.plan(hamiltonian, amplitudes, &magnetic)?;
        let mut blocks = Vec::with_capacity(splitting.blocks.len());
        for (block, rows) in splitting.blocks.iter().zip(known.blocks) {
            let Some(form) = linear(block, &uniform.entries, deltas.len(), hamiltonian.scale) else { return Ok(None) };
            let slopes = directions.iter().zip(&forms).map(|(d, e)| linear(block, e, deltas.len(), d.scale));
            let Some(slopes) = slopes.collect() else { return Ok(None) };
            blocks.push(BlockPlan {
                particles: block.particles,
                size: block.size(),
                mirror: block.kind == Kind::Mirror,
                real: block.real,
                form,
                slopes,
                amplitudes: rows.amplitudes,
            });
        }
        Ok(Some(Self {
            deltas: deltas[1..].to_vec(),
            particles: blocks.iter().map(|b| b.particles).collect(),
            blocks,
            classes: known.classes,
            scale: hamiltonian.scale,
        }))
    }
}

/// Elements of a form in the gauge that puts sites at `positions`; new displacements join `deltas`.
fn entries(hamiltonian: &Hamiltonian, positions: &[Vec3], deltas: &mut Vec<Vec3>) -> Vec<Entry> {
    let n = hamiltonian.n();
    let mut out = Vec::new();
    let mut push = |row: usize, column: usize, delta: Vec3, coefficient: Complex64| {
        if coefficient == Complex64::ZERO {
            return;
        }
        let is = |known: &Vec3, sign: f64| (0..3).all(|a| (known[a] - sign * delta[a]).abs() < SAME);
        let found = deltas
            .iter()
            .enumerate()
            .find_map(|(index, known)| [1.0, -1.0].into_iter().find(|&sign| is(known, sign)).map(|sign| (index, sign)));
        let (delta, sign) = found.unwrap_or_else(|| {
            deltas.push(delta);
            (deltas.len() - 1, 1.0)
        });
        out.push(Entry { row, column, delta, sign, coefficient });
    };
    for (i, (&d, &b)) in hamiltonian.diagonal.iter().zip(&hamiltonian.pairing).enumerate() {
        push(i, i, [0.0; 3], d.into());
        push(n + i, n + i, [0.0; 3], d.into());
        push(i, n + i, [0.0; 3], b);
        push(n + i, i, [0.0; 3], b.conj());
    }
    for term in &hamiltonian.terms {
        let (i, j, dl) = (term.row, term.column, hamiltonian.displacements[term.phase]);
        let delta: Vec3 = std::array::from_fn(|a| f64::from(dl[a]) + positions[j][a] - positions[i][a]);
        push(i, j, delta, term.a);
        push(n + i, n + j, delta, term.a.conj());
        push(i, n + j, delta, term.b);
        push(n + j, i, delta.map(|x| -x), term.b.conj());
    }
    out
}

/// The basis in which a block's forms are written.
fn columns(block: &Block) -> Vec<Vec<Complex64>> {
    if block.kind != Kind::Mirror {
        return block.basis.clone();
    }
    let (particles, holes) = block.basis.split_at(block.particles);
    let combined = |sign: f64| {
        particles
            .iter()
            .zip(holes)
            .map(move |(x, y)| x.iter().zip(y).map(|(x, y)| (x + sign * y) * FRAC_1_SQRT_2).collect())
    };
    combined(1.0).chain(combined(-1.0)).collect()
}

/// The form within a block; None where it leads out of the block, or lacks the block's symmetries.
fn linear(block: &Block, entries: &[Entry], deltas: usize, scale: f64) -> Option<Linear> {
    let size = block.size();
    let columns = columns(block);
    let rows = columns[0].len();
    let basis = Mat::from_fn(rows, size, |i, j| columns[j][i]);
    let part = if block.kind == Kind::Mirror { block.particles } else { size };
    let lower: Vec<(usize, usize)> = (0..size).flat_map(|c| (c..(c / part + 1) * part).map(move |r| (r, c))).collect();
    // by element of the lower triangle, real and imaginary part: (index into 1, cos, sin, cos, ..., coefficient)
    let mut slots: Vec<[Vec<(usize, f64)>; 2]> = vec![Default::default(); lower.len()];
    for delta in 0..deltas {
        let wave = |other: Complex64| -> Sparse {
            let of = entries.iter().filter(|e| e.delta == delta);
            of.map(|e| (e.row, e.column, e.coefficient * if e.sign > 0.0 { Complex64::ONE } else { other })).collect()
        };
        let parts = [((2 * delta).saturating_sub(1), Complex64::ONE, 1.0), (2 * delta, Complex64::I, -1.0)];
        for (index, factor, other) in parts.into_iter().take(if delta == 0 { 1 } else { 2 }) {
            let image = apply(&wave(other.into()), &columns);
            let inside = project(&columns, &image);
            let outside = image - &basis * &inside;
            let exact = (0..size).all(|c| {
                (0..rows).all(|r| outside[(r, c)].norm() < EXACT * scale)
                    && (0..size).filter(|r| r / part != c / part).all(|r| inside[(r, c)].norm() < EXACT * scale)
                    && (!block.real || (0..size).all(|r| (factor * inside[(r, c)]).im.abs() < EXACT * scale))
            });
            if !exact {
                return None;
            }
            for (&(r, c), slot) in lower.iter().zip(&mut slots) {
                let value = factor * inside[(r, c)];
                for (list, x) in slot.iter_mut().zip([value.re, value.im]) {
                    if x.abs() > 1e-14 * scale {
                        list.push((index, x));
                    }
                }
            }
        }
    }
    let mut out = Linear { starts: vec![0], terms: Vec::new() };
    for slot in slots {
        for list in slot.into_iter().take(if block.real { 1 } else { 2 }) {
            out.terms.extend(list);
            out.starts.push(out.terms.len());
        }
    }
    Some(out)
}
