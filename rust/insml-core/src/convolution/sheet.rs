//! Modes of a domain in the middle of cells that divide the bins of an image.

use crate::convolution::slice::Domain;
use crate::error::Result;
use crate::lanes::LANES;
use crate::parallel::for_each;
use crate::table::Modes;
use crate::table::solver::Solver;
use crate::vec3::{Vec3, dot};
use std::ops::Range;

/// Bins of an image, all of one size, each divided into cells. A margin of bins on every side holds what is scattered in.
#[derive(Clone, Debug)]
pub struct Raster {
    /// Bins along both axes, without the margin, and how many bins that has on each side.
    pub bins: [usize; 2],
    pub margin: [usize; 2],
    /// Centre of the first bin of the margin, and full widths.
    pub first: [f64; 2],
    pub widths: [f64; 2],
    /// Cells along each side of a bin.
    pub cells: usize,
    /// hkl of a unit of axis 0, axis 1 and the third.
    pub vectors: [Vec3; 3],
}

impl Raster {
    /// Bins along an axis with the margin.
    pub fn all(&self, axis: usize) -> usize {
        self.bins[axis] + 2 * self.margin[axis]
    }

    /// Full width of a cell.
    pub fn step(&self, axis: usize) -> f64 {
        self.widths[axis] / self.cells as f64
    }

    pub fn centre(&self, axis: usize, bin: usize) -> f64 {
        self.first[axis] + bin as f64 * self.widths[axis]
    }

    fn cell_centre(&self, axis: usize, cell: i64) -> f64 {
        self.first[axis] - 0.5 * self.widths[axis] + (cell as f64 + 0.5) * self.step(axis)
    }

    pub fn hkl(&self, x: f64, y: f64, third: f64) -> Vec3 {
        let [u, v, w] = &self.vectors;
        std::array::from_fn(|c| x * u[c] + y * v[c] + third * w[c])
    }
}

/// Some rows of cells, all columns. Cells are counted from the first of the margin.
pub struct Sheet {
    rows: Range<usize>,
    columns: usize,
    count: usize,
    width: usize,
    /// Mean over the cell, (rows, columns, modes), meV.
    energies: Vec<f32>,
    /// dE/d(axis 0), then dE/d(axis 1): (rows, columns, 2, modes).
    slopes: Vec<f32>,
    /// (rows, columns, products).
    products: Vec<f32>,
}

impl Sheet {
    /// Bytes of a row of cells while it is built.
    pub fn row_bytes(modes: &Modes, raster: &Raster) -> usize {
        4 * (4 * modes.count + modes.width) * (raster.all(1) * raster.cells + 2)
    }

    /// Modes depend on axes 0 and 1 alone. Bits do not depend on `threads`.
    pub fn build(domain: &Domain, modes: &Modes, raster: &Raster, rows: Range<usize>, threads: usize) -> Result<Self> {
        let columns = raster.all(1) * raster.cells;
        let (count, width) = (modes.count, modes.width);
        // one cell more on each side, for differences
        let (tall, wide) = (rows.len() + 2, columns + 2);
        let mut ring = vec![0.0f32; tall * wide * count];
        let mut products = vec![0.0f32; tall * wide * width];
        let place = |i: usize, j: usize| -> Vec3 {
            let x = raster.cell_centre(0, (rows.start + i) as i64 - 1);
            let hkl = raster.hkl(x, raster.cell_centre(1, j as i64 - 1), 0.0);
            modes.hamiltonian.magnetic(&domain.map.map(|row| dot(&row, &hkl)))
        };
        let pieces = ring.chunks_mut(wide * count).zip(products.chunks_mut(wide * width)).enumerate();
        let errors = for_each(
            threads,
            pieces,
            || Solver::new(modes),
            |solver, (i, (energies, products))| {
                for start in (0..wide).step_by(LANES) {
                    let end = wide.min(start + LANES);
                    let k: Vec<Vec3> = (start..end).map(|j| place(i, j)).collect();
                    let energies = &mut energies[start * count..end * count];
                    let products = &mut products[start * width..end * width];
                    if let Err(error) = solver.solve(&k, energies, products) {
                        return Some(error);
                    }
                }
                None
            },
        );
        if let Some(error) = errors.into_iter().min_by(|a, b| a.depth().total_cmp(&b.depth())) {
            return Err(error);
        }
        let inverse = [0, 1].map(|a| (0.5 / raster.step(a)) as f32);
        let mut energies = Vec::with_capacity(rows.len() * columns * count);
        let mut slopes = Vec::with_capacity(2 * rows.len() * columns * count);
        for i in 1..=rows.len() {
            for j in 1..=columns {
                let at = |i: usize, j: usize| &ring[(i * wide + j) * count..(i * wide + j + 1) * count];
                let around = at(i + 1, j).iter().zip(at(i - 1, j)).zip(at(i, j + 1).iter().zip(at(i, j - 1)));
                // mean over the cell of the parabola through the neighbours
                let mean =
                    |e: &f32, ((a, b), (c, d)): ((&f32, &f32), (&f32, &f32))| e + (a + b + c + d - 4.0 * e) / 24.0;
                energies.extend(at(i, j).iter().zip(around).map(|(e, n)| mean(e, n)));
                slopes.extend(at(i + 1, j).iter().zip(at(i - 1, j)).map(|(x, y)| (x - y) * inverse[0]));
                slopes.extend(at(i, j + 1).iter().zip(at(i, j - 1)).map(|(x, y)| (x - y) * inverse[1]));
            }
        }
        // the ring's own products are not needed
        let products = (1..=rows.len())
            .flat_map(|i| products[(i * wide + 1) * width..(i * wide + 1 + columns) * width].iter().copied())
            .collect();
        Ok(Self { rows, columns, count, width, energies, slopes, products })
    }

    /// Energies, slopes along both axes, and products at a cell.
    #[inline(always)]
    pub fn at(&self, row: usize, column: usize) -> (&[f32], &[f32], &[f32], &[f32]) {
        let cell = (row - self.rows.start) * self.columns + column;
        let n = self.count;
        let (x, y) = self.slopes[2 * cell * n..2 * (cell + 1) * n].split_at(n);
        (&self.energies[cell * n..(cell + 1) * n], x, y, &self.products[cell * self.width..(cell + 1) * self.width])
    }
}
