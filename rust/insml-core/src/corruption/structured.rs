//! Background with structure: rings, tails, cones and spots over the slices of some runs.

use crate::corruption::gaussian::gaussian;

/// The bins of a slice: rows, columns, and |Q| of each.
pub struct Tile<'a> {
    pub rows: usize,
    pub columns: usize,
    pub q: &'a [f32],
}

/// A Gaussian of |Q| about `middle`.
#[derive(Clone, Copy)]
pub struct Arc {
    pub middle: f32,
    pub sigma: f32,
}

/// A Gaussian across the surface of a cone. All in bins: the tip, sigma, and how far from the tip the surface is where
/// `share` is 1.
#[derive(Clone, Copy)]
pub struct Cone {
    pub tip: [f32; 2],
    pub sigma: f32,
    pub reach: f32,
}

/// A Gaussian about a place, in bins.
#[derive(Clone, Copy)]
pub struct Spot {
    pub place: [f32; 2],
    pub sigma: f32,
}

/// So many shapes of each run, run by run, and the intensity of each in each slice, slice by slice.
pub struct Shapes<'a, T> {
    pub each: usize,
    pub shapes: &'a [T],
    pub intensity: &'a [f32],
}

impl<T> Shapes<'_, T> {
    fn of(&self, run: usize) -> &[T] {
        &self.shapes[run * self.each..][..self.each]
    }

    fn intensity(&self, slice: usize) -> &[f32] {
        &self.intensity[slice * self.each..][..self.each]
    }
}

pub struct Structure<'a> {
    /// Run of each slice.
    pub run: &'a [usize],
    /// How far the cones are open in each slice.
    pub share: &'a [f32],
    pub arcs: Shapes<'a, Arc>,
    pub cones: Shapes<'a, Cone>,
    pub spots: Shapes<'a, Spot>,
}

/// Adds `structure` to the slices of `signal`.
pub fn add(signal: &mut [f32], tile: &Tile, structure: &Structure) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the feature was just found on this machine
        return unsafe { add_wide(signal, tile, structure) };
    }
    add_plain(signal, tile, structure);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn add_wide(signal: &mut [f32], tile: &Tile, structure: &Structure) {
    add_plain(signal, tile, structure);
}

#[inline(always)]
fn add_plain(signal: &mut [f32], tile: &Tile, structure: &Structure) {
    let size = tile.rows * tile.columns;
    let Structure { run, share, arcs, cones, spots } = structure;
    let runs = run.iter().max().map_or(0, |last| last + 1);
    let mut scratch = Scratch::new(tile, structure);
    for number in 0..runs {
        scratch.prepare(tile, arcs.of(number), cones.of(number), spots.of(number));
        for s in (0..run.len()).filter(|s| run[*s] == number) {
            let slice = &mut signal[s * size..][..size];
            for (shape, intensity) in scratch.arcs.chunks_exact(size).zip(arcs.intensity(s)) {
                for (x, shape) in slice.iter_mut().zip(shape) {
                    *x += intensity * shape;
                }
            }
            let of_cones = cones.of(number).iter().zip(cones.intensity(s));
            for (away, (cone, intensity)) in scratch.away.chunks_exact(size).zip(of_cones) {
                let surface = share[s] * (cone.reach / cone.sigma);
                for (x, away) in slice.iter_mut().zip(away) {
                    *x += intensity * gaussian(away - surface);
                }
            }
            let of_spots = scratch.down.chunks_exact(tile.rows).zip(scratch.across.chunks_exact(tile.columns));
            for ((down, across), intensity) in of_spots.zip(spots.intensity(s)) {
                for (row, down) in slice.chunks_exact_mut(tile.columns).zip(down) {
                    let height = intensity * down;
                    for (x, across) in row.iter_mut().zip(across) {
                        *x += height * across;
                    }
                }
            }
        }
    }
}

/// What the slices of a run have in common.
struct Scratch {
    /// (arcs, size)
    arcs: Vec<f32>,
    /// (cones, size) distance from the tip in units of sigma.
    away: Vec<f32>,
    /// (spots, rows), (spots, columns)
    down: Vec<f32>,
    across: Vec<f32>,
}

impl Scratch {
    fn new(tile: &Tile, structure: &Structure) -> Self {
        let size = tile.rows * tile.columns;
        Self {
            arcs: vec![0.0; structure.arcs.each * size],
            away: vec![0.0; structure.cones.each * size],
            down: vec![0.0; structure.spots.each * tile.rows],
            across: vec![0.0; structure.spots.each * tile.columns],
        }
    }

    #[inline(always)]
    fn prepare(&mut self, tile: &Tile, arcs: &[Arc], cones: &[Cone], spots: &[Spot]) {
        let size = tile.rows * tile.columns;
        for (shape, arc) in self.arcs.chunks_exact_mut(size).zip(arcs) {
            let per = 1.0 / arc.sigma;
            for (x, q) in shape.iter_mut().zip(tile.q) {
                *x = gaussian((q - arc.middle) * per);
            }
        }
        for (away, cone) in self.away.chunks_exact_mut(size).zip(cones) {
            let per = 1.0 / cone.sigma;
            for (i, row) in away.chunks_exact_mut(tile.columns).enumerate() {
                let down = i as f32 - cone.tip[0];
                for (j, x) in row.iter_mut().enumerate() {
                    let across = j as f32 - cone.tip[1];
                    *x = (down * down + across * across).sqrt() * per;
                }
            }
        }
        for (n, spot) in spots.iter().enumerate() {
            let per = 1.0 / spot.sigma;
            for (side, axis, length) in [(&mut self.down, 0, tile.rows), (&mut self.across, 1, tile.columns)] {
                for (i, x) in side[n * length..][..length].iter_mut().enumerate() {
                    *x = gaussian((i as f32 - spot.place[axis]) * per);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_stand_where_they_are_told_in_the_slices_of_their_run() {
        let (rows, columns) = (9, 11);
        let q: Vec<f32> = (0..rows * columns).map(|i| (i / columns) as f32).collect();
        let tile = Tile { rows, columns, q: &q };
        let arcs = [Arc { middle: 2.0, sigma: 0.1 }, Arc { middle: 6.0, sigma: 0.1 }];
        let cones = [Cone { tip: [4.0, 5.0], sigma: 0.1, reach: 3.0 }; 2];
        let spots = [Spot { place: [8.0, 10.0], sigma: 0.1 }, Spot { place: [0.0, 0.0], sigma: 0.1 }];
        let structure = Structure {
            run: &[1, 0],
            share: &[1.0, 0.0],
            arcs: Shapes { each: 1, shapes: &arcs, intensity: &[1.0, 10.0] },
            cones: Shapes { each: 1, shapes: &cones, intensity: &[2.0, 20.0] },
            spots: Shapes { each: 1, shapes: &spots, intensity: &[4.0, 40.0] },
        };
        let mut signal = vec![0.5; 2 * rows * columns];
        add(&mut signal, &tile, &structure);
        for (s, slice) in signal.chunks(rows * columns).enumerate() {
            for (n, x) in slice.iter().enumerate() {
                let (i, j) = (n / columns, n % columns);
                let (down, across) = (i as f64 - 4.0, j as f64 - 5.0);
                let expected = if s == 0 {
                    let cone = (-0.5 * ((down.hypot(across) - 3.0) / 0.1).powi(2)).exp();
                    f64::from(u8::from(i == 6)) + 2.0 * cone + 4.0 * f64::from(u8::from((i, j) == (0, 0)))
                } else {
                    let tip = f64::from(u8::from((i, j) == (4, 5)));
                    10.0 * f64::from(u8::from(i == 2)) + 20.0 * tip + 40.0 * f64::from(u8::from((i, j) == (8, 10)))
                };
                assert!((f64::from(*x) - 0.5 - expected).abs() < 1e-4, "{s} {i} {j}: {x} {expected}");
            }
        }
    }
}
