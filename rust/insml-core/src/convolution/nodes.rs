//! Eigenproblems on a grid, each distinct one solved once and kept as energies and contracted eigenvectors.

use crate::error::{Error, Result};
use crate::spinwave::{Amplitudes, Bogoliubov, Hamiltonian};
use crate::vec3::{CVec3, Vec3};
use num_complex::Complex64;
use rayon::prelude::*;

pub struct NodeTable {
    modes: usize,
    energies: Vec<f64>,
    contracted: Vec<CVec3>,
}

impl NodeTable {
    /// Solves at every `hkl`. Of several unstable points the lowest eigenvalue is reported, whatever the thread count.
    /// Must run inside a thread pool.
    pub fn solve(hamiltonian: &Hamiltonian, amplitudes: &Amplitudes, hkl: &[Vec3]) -> Result<Self> {
        let n = hamiltonian.n();
        let mut energies = vec![0.0; hkl.len() * n];
        let mut contracted = vec![[Complex64::ZERO; 3]; hkl.len() * n * n];
        let worst = hkl
            .par_iter()
            .zip(energies.par_chunks_mut(n))
            .zip(contracted.par_chunks_mut(n * n))
            .map_init(
                || Bogoliubov::new(n),
                |solver, ((hkl, energies), contracted)| {
                    solver.solve(hamiltonian, hkl)?;
                    energies.copy_from_slice(&solver.energies);
                    amplitudes.contract(solver, contracted);
                    Ok(())
                },
            )
            .filter_map(Result::err)
            .collect::<Vec<Error>>()
            .into_iter()
            .min_by(|a, b| depth(a).total_cmp(&depth(b)));
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

fn depth(error: &Error) -> f64 {
    match error {
        Error::Unstable { lowest_eigenvalue, .. } => *lowest_eigenvalue,
        _ => f64::NEG_INFINITY,
    }
}
