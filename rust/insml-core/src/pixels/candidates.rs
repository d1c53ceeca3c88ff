//! Which stretches of a file in order of its bins can hold pixels of a cut.

use crate::pixels::grid::Axis;
use crate::pixels::projection::{Projection, Shape};
use crate::pixels::target::Target;
use crate::vec3::{Mat3, Vec3, mat_mul, mat_vec};
use std::ops::Range;

/// Gaps of fewer pixels than this are read over: a second request costs as much.
const GAP: usize = 2048;
/// By how much bins are widened, of their width and of the unit: coordinates and edges are float32 in files.
const MARGIN: (f64, f64) = (1e-3, 1e-6);

/// Bins in which pixels lie in a file: Q (crystal Cartesian) = `turn` x + `shift`, energy transfer x4 + `energy`.
pub struct Image<'a> {
    pub turn: Mat3,
    pub shift: Vec3,
    pub energy: f64,
    pub edges: [&'a [f64]; 4],
    /// Pixels of the bins, the first axis fastest.
    pub npix: &'a [u64],
}

/// Pixels that may lie in a bin of the target, as ascending stretches.
pub fn candidates(image: &Image<'_>, target: &Target) -> Vec<Range<usize>> {
    let n: [usize; 4] = std::array::from_fn(|d| image.edges[d].len() - 1);
    let cells = n[0] * n[1] * n[2];
    let mut wanted = vec![false; cells];
    let identity = ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.0; 3]);
    let maps = std::iter::once(identity).chain(target.operations.iter().map(|o| (o.turn, o.shift)));
    for (turn, shift) in maps {
        mark(image, &target.projection, target.grid.axes(), &turn, &shift, &mut wanted);
    }
    let last = target.grid.axes()[3];
    let energy: Vec<bool> = image.edges[3]
        .windows(2)
        .map(|e| {
            let pad = MARGIN.0 * (e[1] - e[0]) + MARGIN.1;
            let at = |x: f64| (x + image.energy - target.projection.offset[3]) / target.projection.scale[3];
            at(e[0] - pad) <= last.hi && at(e[1] + pad) >= last.lo
        })
        .collect();
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for (i, count) in image.npix.iter().enumerate() {
        let end = start + *count as usize;
        if *count > 0 && wanted[i % cells] && energy[i / cells] {
            match out.last_mut() {
                Some(before) if start - before.end < GAP => before.end = end,
                _ => out.push(start..end),
            }
        }
        start = end;
    }
    out
}

/// Marks the cells of the first three axes whose box, moved by `turn` and `shift`, may meet the target.
fn mark(image: &Image<'_>, projection: &Projection, axes: &[Axis; 4], turn: &Mat3, shift: &Vec3, wanted: &mut [bool]) {
    let map = mat_mul(&projection.frame, &mat_mul(turn, &image.turn));
    let moved = mat_vec(turn, &image.shift);
    let at: Vec3 = mat_vec(&projection.frame, &std::array::from_fn(|d| moved[d] + shift[d]));
    let scale = &projection.scale;
    let mut i = 0;
    for z in image.edges[2].windows(2) {
        for y in image.edges[1].windows(2) {
            for x in image.edges[0].windows(2) {
                let sides = [x, y, z];
                let middle = sides.map(|s| 0.5 * (s[0] + s[1]));
                let half = sides.map(|s| (0.5 + MARGIN.0) * (s[1] - s[0]));
                let centre: Vec3 = std::array::from_fn(|d| {
                    (0..3).map(|j| map[d][j] * middle[j]).sum::<f64>() + at[d] - projection.offset[d]
                });
                let reach: Vec3 =
                    std::array::from_fn(|d| (0..3).map(|j| map[d][j].abs() * half[j]).sum::<f64>() + MARGIN.1);
                let meets = |d: usize, low: f64, high: f64| {
                    // infinite bins of a file make these NaN: such a bin may hold anything
                    !(low / scale[d] > axes[d].hi || high / scale[d] < axes[d].lo)
                };
                let within = |d: usize, y: usize| meets(d, centre[y] - reach[y], centre[y] + reach[y]);
                let around = |d: usize, which: &[usize]| {
                    let r = which.iter().map(|y| centre[*y].powi(2)).sum::<f64>().sqrt();
                    let g = which.iter().map(|y| reach[*y].powi(2)).sum::<f64>().sqrt();
                    meets(d, (r - g).max(0.0), r + g)
                };
                wanted[i] |= match projection.shape {
                    Shape::Line => within(0, 0) && within(1, 1) && within(2, 2),
                    Shape::Sphere => around(0, &[0, 1, 2]),
                    Shape::Cylinder => around(0, &[1, 2]) && within(1, 0),
                };
                i += 1;
            }
        }
    }
}
