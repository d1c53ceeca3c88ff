//! Spin waves that depend on two components of the wave vector, on a regular grid: energies and products of amplitudes of
//! every block, bilinear in between.
//!
//! Modes of a block are followed in ascending order: those of different symmetry cross freely, those of one avoid each
//! other. What is interpolated besides energies is energy times products, which stays finite and smooth where an acoustic
//! mode goes to zero.

pub mod periodic;
pub mod reduced;
pub mod solver;
pub mod weigh;

use crate::error::Result;
use crate::lanes::LANES;
use crate::parallel::for_each;
use crate::spinwave::blocks::plan::Class;
use crate::spinwave::derivative::plan::Plan;
use crate::spinwave::rotation::Projector;
use crate::spinwave::{Amplitudes, Compiled, Hamiltonian};
use crate::vec3::{Vec3, dot};
use reduced::Reduced;
use solver::Solver;

/// The blocks of a model with their amplitudes reduced: what a table, or an exact evaluation in its place, needs.
pub struct Modes<'a> {
    pub hamiltonian: &'a Hamiltonian,
    pub amplitudes: &'a Amplitudes,
    pub(crate) plan: Plan,
    pub reduced: Vec<Reduced>,
    /// Modes, and products of all modes.
    pub count: usize,
    pub width: usize,
    /// Of each mode: the first weight, the first product, and how many there are.
    pub places: Vec<(usize, usize, usize)>,
    /// The two components: xi_j = basis_j . k, k in r.l.u. of the magnetic cell.
    pub basis: [Vec3; 2],
    /// What has to be whole, times G, for modes at k + G to be those at k.
    repeats: Vec<Vec3>,
}

impl<'a> Modes<'a> {
    /// None where the model does not split, turns in a rotating frame, or has modes that depend on all of k.
    pub fn new(model: &'a Compiled, amplitudes: &'a Amplitudes) -> Result<Option<Self>> {
        let hamiltonian = &model.hamiltonian;
        if model.model.rotation.is_some() {
            return Ok(None);
        }
        let Some(splitting) = model.splitting()? else { return Ok(None) };
        let frames = [([0.0; 3], Projector::Whole)];
        let Some(plan) = Plan::new(splitting, hamiltonian, &[], amplitudes, &frames)? else { return Ok(None) };
        let Some(basis) = plane(&plan.deltas) else { return Ok(None) };
        let reduced: Vec<Reduced> = plan.blocks.iter().map(|b| Reduced::new(b, plan.classes.len())).collect();
        let count = reduced.iter().map(|r| r.modes).sum();
        let width = reduced.iter().map(|r| r.modes * r.products()).sum();
        let (mut places, mut weight, mut product) = (Vec::with_capacity(count), 0, 0);
        for block in &reduced {
            for _ in 0..block.modes {
                places.push((weight, product, block.products()));
                product += block.products();
            }
            weight += block.products();
        }
        let repeats = splitting.repeats(amplitudes);
        Ok(Some(Self { hamiltonian, amplitudes, plan, reduced, count, width, places, basis, repeats }))
    }

    fn classes(&self) -> &[Class] {
        &self.plan.classes
    }

    pub fn xi(&self, k: &Vec3) -> [f64; 2] {
        self.basis.map(|b| dot(&b, k))
    }

    /// The wave vector in the plane of the two components.
    pub fn k(&self, xi: [f64; 2]) -> Vec3 {
        std::array::from_fn(|a| xi[0] * self.basis[0][a] + xi[1] * self.basis[1][a])
    }
}

/// Orthonormal vectors whose span holds all displacements: unit vectors where these do. None where it takes three.
fn plane(deltas: &[Vec3]) -> Option<[Vec3; 2]> {
    const FLAT: f64 = 1e-9;
    let unit = |a: usize| std::array::from_fn(|c| if a == c { 1.0 } else { 0.0 });
    for (a, [b, c]) in [(2, [0, 1]), (1, [0, 2]), (0, [1, 2])] {
        if deltas.iter().all(|d| d[a].abs() < FLAT) {
            return Some([unit(b), unit(c)]);
        }
    }
    let mut out: Vec<Vec3> = Vec::new();
    for d in deltas {
        let mut rest = *d;
        for b in &out {
            let along = dot(b, &rest);
            rest = std::array::from_fn(|a| rest[a] - along * b[a]);
        }
        let length = dot(&rest, &rest).sqrt();
        if length > FLAT {
            if out.len() == 2 {
                return None;
            }
            out.push(rest.map(|x| x / length));
        }
    }
    (out.len() == 2).then(|| [out[0], out[1]])
}

/// A regular grid in the two components; nodes lie on multiples of the step.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub first: [i64; 2],
    pub count: [usize; 2],
    pub step: [f64; 2],
}

impl Grid {
    /// The smallest grid that holds a rectangle.
    pub fn around(low: [f64; 2], high: [f64; 2], step: [f64; 2]) -> Self {
        let first = [0, 1].map(|a| (low[a] / step[a]).floor() as i64);
        let count = [0, 1].map(|a| ((high[a] / step[a]).ceil() as i64 - first[a] + 1).max(2) as usize);
        Self { first, count, step }
    }

    /// Node below, and how far into its cell; points outside are taken to the edge.
    #[inline(always)]
    pub fn cell(&self, xi: [f64; 2]) -> (usize, [f32; 2]) {
        let mut index = [0; 2];
        let mut inside = [0.0; 2];
        for a in 0..2 {
            let x = (xi[a] / self.step[a] - self.first[a] as f64).clamp(0.0, (self.count[a] - 1) as f64 - 1e-9);
            index[a] = x as usize;
            inside[a] = (x - index[a] as f64) as f32;
        }
        (index[0] * self.count[1] + index[1], inside)
    }
}

pub struct Table {
    pub grid: Grid,
    pub energies: Vec<f32>,
    pub products: Vec<f32>,
}

impl Table {
    /// Bits do not depend on `threads`.
    pub fn build(modes: &Modes, grid: Grid, threads: usize) -> Result<Self> {
        let nodes = grid.count[0] * grid.count[1];
        let mut energies = vec![0.0f32; nodes * modes.count];
        let mut products = vec![0.0f32; nodes * modes.width];
        let row = grid.count[1];
        let pieces = energies.chunks_mut(row * modes.count).zip(products.chunks_mut(row * modes.width)).enumerate();
        let errors = for_each(
            threads,
            pieces,
            || Solver::new(modes),
            |solver, (i, (energies, products))| {
                for start in (0..row).step_by(LANES) {
                    let end = row.min(start + LANES);
                    let k: Vec<Vec3> = (start..end)
                        .map(|j| modes.k([0, 1].map(|a| (grid.first[a] + [i, j][a] as i64) as f64 * grid.step[a])))
                        .collect();
                    let energies = &mut energies[start * modes.count..end * modes.count];
                    let products = &mut products[start * modes.width..end * modes.width];
                    if let Err(error) = solver.solve(&k, energies, products) {
                        return Some(error);
                    }
                }
                None
            },
        );
        match errors.into_iter().min_by(|a, b| a.depth().total_cmp(&b.depth())) {
            Some(error) => Err(error),
            None => Ok(Self { grid, energies, products }),
        }
    }
}
