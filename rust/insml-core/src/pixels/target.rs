//! Which bin of a cut each pixel falls into, as it is or after a symmetry operation.

use crate::pixels::grid::Grid;
use crate::pixels::projection::{Projection, Shape};
#[cfg(target_arch = "x86_64")]
use crate::pixels::wide;
use crate::pixels::{FIELDS, LANES, NOWHERE};
use crate::vec3::{Mat3, Vec3};

/// Pixels whose coordinates are in registers together.
const WIDE: usize = 8;

/// Q becomes `turn` Q + `shift`, crystal Cartesian.
#[derive(Clone, Debug)]
pub struct Operation {
    pub turn: Mat3,
    pub shift: Vec3,
}

impl Operation {
    /// As it is stored: a pixel that was moved is binned by its float32 coordinates, wherever that is done.
    #[inline(always)]
    pub fn moved(&self, pixel: &[f32]) -> [f32; 3] {
        let q = [pixel[0], pixel[1], pixel[2]].map(f64::from);
        std::array::from_fn(|d| {
            let t = &self.turn[d];
            (t[0] * q[0] + t[1] * q[1] + t[2] * q[2] + self.shift[d]) as f32
        })
    }
}

/// Bins of a cut.
#[derive(Clone, Debug)]
pub struct Target {
    pub projection: Projection,
    pub grid: Grid,
    /// Tried in order on pixels that lie in no bin as they are; each pixel is taken once.
    pub operations: Vec<Operation>,
}

impl Target {
    /// Bins of at most LANES pixels; what is beyond them is left.
    pub fn locate(&self, pixels: &[f32], bins: &mut [u32; LANES]) {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { self.locate_wide(pixels, bins) };
            return;
        }
        self.locate_stored_plain(pixels, bins);
        self.locate_rest(pixels, bins);
    }

    /// As `locate`; pixels that an operation brought into their bin are moved in place.
    pub fn locate_and_move(&self, pixels: &mut [f32], bins: &mut [u32; LANES]) {
        self.locate_stored(pixels, bins);
        if !self.operations.is_empty() {
            let before = *bins;
            self.locate(pixels, bins);
            for (i, pixel) in pixels.chunks_exact_mut(FIELDS).enumerate() {
                if bins[i] != before[i] {
                    self.move_into(pixel, bins[i]);
                }
            }
        }
    }

    /// Bins of pixels as they are, whatever the operations.
    pub fn locate_stored(&self, pixels: &[f32], bins: &mut [u32; LANES]) {
        #[cfg(target_arch = "x86_64")]
        if crate::spinwave::blocks::kernel::supported() {
            // SAFETY: the features were just found on this machine
            unsafe { self.locate_stored_wide(pixels, bins) };
            return;
        }
        self.locate_stored_plain(pixels, bins);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn locate_wide(&self, pixels: &[f32], bins: &mut [u32; LANES]) {
        // SAFETY: the caller found the features
        unsafe { self.locate_stored_wide(pixels, bins) };
        self.locate_rest(pixels, bins);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn locate_stored_wide(&self, pixels: &[f32], bins: &mut [u32; LANES]) {
        let done = if self.projection.shape == Shape::Line {
            // SAFETY: the caller found the features
            unsafe { wide::straight_bins(self, pixels, bins) }
        } else {
            0
        };
        self.locate_stored_plain(&pixels[done * FIELDS..], &mut bins[done..]);
    }

    #[inline(always)]
    fn locate_rest(&self, pixels: &[f32], bins: &mut [u32; LANES]) {
        let count = (pixels.len() / FIELDS).min(LANES);
        for operation in &self.operations {
            if !bins[..count].contains(&NOWHERE) {
                return;
            }
            for (own, some) in bins.as_chunks_mut::<WIDE>().0.iter_mut().zip(pixels.chunks(WIDE * FIELDS)) {
                let found = self.bins_after(some, |pixel| operation.moved(pixel));
                for (bin, new) in own.iter_mut().zip(found) {
                    if *bin == NOWHERE {
                        *bin = new;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn locate_stored_plain(&self, pixels: &[f32], bins: &mut [u32]) {
        for (own, some) in bins.chunks_mut(WIDE).zip(pixels.chunks(WIDE * FIELDS)) {
            let found = self.bins_after(some, |pixel| [pixel[0], pixel[1], pixel[2]]);
            own.copy_from_slice(&found[..own.len()]);
        }
    }

    #[inline(always)]
    fn bins_after(&self, some: &[f32], q: impl Fn(&[f32]) -> [f32; 3]) -> [u32; WIDE] {
        let mut x = [[f64::NAN; WIDE]; 4];
        for (i, pixel) in some.chunks_exact(FIELDS).enumerate() {
            let q = q(pixel);
            for d in 0..3 {
                x[d][i] = f64::from(q[d]);
            }
            x[3][i] = f64::from(pixel[3]);
        }
        self.projection.coordinates(&mut x, self.angles());
        self.grid.bins_of(&x)
    }

    /// Whether angles matter: not where axes take a whole turn as one bin.
    #[inline(always)]
    fn angles(&self) -> bool {
        let whole = |d: usize, lo: f64, hi: f64| {
            let (axis, scale) = (&self.grid.axes()[d], self.projection.scale[d]);
            axis.bins == 1 && axis.lo * scale <= lo && axis.hi * scale >= hi
        };
        let turn = whole(2, -180.0, 180.0);
        !(turn && (self.projection.shape == Shape::Cylinder || whole(1, 0.0, 180.0)))
    }

    /// Moves a pixel by the first operation that takes it anywhere, which is where it was found.
    fn move_into(&self, pixel: &mut [f32], bin: u32) {
        for operation in &self.operations {
            let mut moved: [f32; FIELDS] = std::array::from_fn(|i| pixel[i]);
            moved[..3].copy_from_slice(&operation.moved(pixel));
            let mut found = [NOWHERE; LANES];
            self.locate_stored(&moved, &mut found);
            if found[0] != NOWHERE {
                debug_assert_eq!(found[0], bin);
                pixel.copy_from_slice(&moved);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::grid::Axis;

    #[test]
    fn a_pixel_is_taken_once_by_the_first_operation_that_brings_it_in() {
        let eye = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let scale = [1.0; 4];
        let projection = Projection { shape: Shape::Line, frame: eye, offset: [0.0; 4], scale, first_turn: -180.0 };
        let all = Axis { lo: f64::NEG_INFINITY, hi: f64::INFINITY, bins: 1 };
        let grid = Grid::new([Axis { lo: 0.0, hi: 4.0, bins: 4 }, all, all, all]).unwrap();
        let mirror = |m: f64| Operation { turn: [[-1.0, 0.0, 0.0], eye[1], eye[2]], shift: [m, 0.0, 0.0] };
        let target = Target { projection, grid, operations: vec![mirror(0.0), mirror(1.0)] };
        let mut pixels: Vec<f32> = [1.5, -2.5, -3.5, 9.0, -4.5].iter().flat_map(|x| [*x; FIELDS]).collect();
        let (mut bins, mut moved) = ([NOWHERE; LANES], [NOWHERE; LANES]);
        target.locate(&pixels, &mut bins);
        assert_eq!(bins[..6], [1, 2, 3, NOWHERE, NOWHERE, NOWHERE]);
        target.locate_and_move(&mut pixels, &mut moved);
        assert_eq!(bins, moved);
        let first: Vec<f32> = pixels.chunks(FIELDS).map(|p| p[0]).collect();
        assert_eq!(first, [1.5, 2.5, 3.5, 9.0, -4.5]);
    }
}
