//! Eigenproblems on a grid, each distinct one solved once and kept as energies and contracted eigenvectors.

use crate::error::{Error, Result};
use crate::spinwave::{Amplitudes, Bogoliubov, Hamiltonian};
use crate::vec3::{CVec3, Vec3};
use num_complex::Complex64;
use rayon::prelude::*;
use std::sync::Arc;

/// Where the eigenproblems of a table lie: origin + i / counts[0] * spans[0] + j / counts[1] * spans[1], in r.l.u. of
/// the magnetic cell. For a periodic axis the span is a reciprocal lattice vector.
#[derive(Clone, Debug)]
pub struct NodeGrid {
    pub origin: Vec3,
    pub spans: [Vec3; 2],
    pub counts: [usize; 2],
}

fn close(a: &Vec3, b: &Vec3) -> bool {
    a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-9)
}

impl NodeGrid {
    pub fn transposed(&self) -> Self {
        Self { origin: self.origin, spans: [self.spans[1], self.spans[0]], counts: [self.counts[1], self.counts[0]] }
    }

    fn same(&self, other: &Self) -> bool {
        self.counts == other.counts
            && close(&self.origin, &other.origin)
            && close(&self.spans[0], &other.spans[0])
            && close(&self.spans[1], &other.spans[1])
    }

    fn points(&self) -> Vec<Vec3> {
        let [n0, n1] = self.counts;
        (0..n0 * n1)
            .map(|node| {
                let (x, y) = ((node / n1) as f64 / n0 as f64, (node % n1) as f64 / n1 as f64);
                std::array::from_fn(|a| self.origin[a] + x * self.spans[0][a] + y * self.spans[1][a])
            })
            .collect()
    }
}

/// A table with the strides that turn (i, j) of a grid into its nodes.
#[derive(Clone)]
pub struct NodeView {
    pub table: Arc<NodeTable>,
    strides: [usize; 2],
}

impl NodeView {
    pub fn node(&self, i: usize, j: usize) -> usize {
        i * self.strides[0] + j * self.strides[1]
    }
}

/// Tables by grid, for one model: twins whose axes are swapped and slices with wider resolution share them.
#[derive(Default)]
pub struct NodeCache {
    tables: Vec<(NodeGrid, Arc<NodeTable>)>,
}

impl NodeCache {
    /// Every `coarse`-th point of `grid` along each axis. Must run inside a thread pool.
    pub fn view(
        &mut self,
        hamiltonian: &Hamiltonian,
        amplitudes: &Amplitudes,
        grid: &NodeGrid,
        coarse: [usize; 2],
    ) -> Result<NodeView> {
        let flipped = grid.transposed();
        for (known, table) in &self.tables {
            let strides = [known.counts[1], 1];
            if known.same(grid) {
                return Ok(NodeView {
                    table: table.clone(),
                    strides: [strides[0] * coarse[0], strides[1] * coarse[1]],
                });
            }
            if known.same(&flipped) {
                return Ok(NodeView {
                    table: table.clone(),
                    strides: [strides[1] * coarse[0], strides[0] * coarse[1]],
                });
            }
        }
        self.tables.push((grid.clone(), Arc::new(NodeTable::solve(hamiltonian, amplitudes, &grid.points())?)));
        self.view(hamiltonian, amplitudes, grid, coarse)
    }
}

pub struct NodeTable {
    modes: usize,
    energies: Vec<f64>,
    contracted: Vec<CVec3>,
}

impl NodeTable {
    /// Solves at every `k` (r.l.u. of the magnetic cell). Of several unstable points the lowest eigenvalue is reported, whatever the thread count.
    /// Must run inside a thread pool.
    pub fn solve(hamiltonian: &Hamiltonian, amplitudes: &Amplitudes, k: &[Vec3]) -> Result<Self> {
        let n = hamiltonian.n();
        let mut energies = vec![0.0; k.len() * n];
        let mut contracted = vec![[Complex64::ZERO; 3]; k.len() * n * n];
        let worst = k
            .par_iter()
            .zip(energies.par_chunks_mut(n))
            .zip(contracted.par_chunks_mut(n * n))
            .map_init(
                || Bogoliubov::new(n),
                |solver, ((k, energies), contracted)| {
                    solver.solve(hamiltonian, &hamiltonian.chemical(k))?;
                    energies.copy_from_slice(&solver.energies);
                    amplitudes.contract(solver, contracted);
                    Ok(())
                },
            )
            .filter_map(Result::err)
            .collect::<Vec<Error>>()
            .into_iter()
            .min_by(|a, b| a.depth().total_cmp(&b.depth()));
        match worst {
            Some(error) => Err(error),
            None => Ok(Self { modes: n, energies, contracted }),
        }
    }

    pub fn energies(&self, node: usize) -> &[f64] {
        &self.energies[node * self.modes..(node + 1) * self.modes]
    }

    /// Contracted eigenvector of one mode, one entry per site.
    pub fn contracted(&self, node: usize, mode: usize) -> &[CVec3] {
        let start = (node * self.modes + mode) * self.modes;
        &self.contracted[start..start + self.modes]
    }
}
