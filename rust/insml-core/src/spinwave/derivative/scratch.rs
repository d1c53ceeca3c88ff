//! Numbers of a block, real or complex, and room to work on them.

use crate::lanes::{Complex, Real, Scalar};

/// Real and complex blocks.
pub trait Field: Scalar {
    /// Numbers per element.
    const PARTS: usize;
    fn join(parts: &[Real]) -> Self;
    fn parts(self, out: &mut [Real]);
    /// sum + z self
    fn into_amplitude(self, sum: Complex, z: Complex) -> Complex;
    /// What of an overlap meets matrix elements of this kind.
    fn of(z: Complex) -> Self;
}

impl Field for Real {
    const PARTS: usize = 1;

    #[inline(always)]
    fn join(parts: &[Real]) -> Self {
        parts[0]
    }

    #[inline(always)]
    fn parts(self, out: &mut [Real]) {
        out[0] = self;
    }

    #[inline(always)]
    fn into_amplitude(self, sum: Complex, z: Complex) -> Complex {
        Complex { re: sum.re.plus(z.re, self), im: sum.im.plus(z.im, self) }
    }

    #[inline(always)]
    fn of(z: Complex) -> Self {
        z.re
    }
}

impl Field for Complex {
    const PARTS: usize = 2;

    #[inline(always)]
    fn join(parts: &[Real]) -> Self {
        Self { re: parts[0], im: parts[1] }
    }

    #[inline(always)]
    fn parts(self, out: &mut [Real]) {
        out[0] = self.re;
        out[1] = self.im;
    }

    #[inline(always)]
    fn into_amplitude(self, sum: Complex, z: Complex) -> Complex {
        sum.plus(z, self)
    }

    #[inline(always)]
    fn of(z: Complex) -> Self {
        z
    }
}

/// Square matrices of the largest block, and a few rows of it.
pub struct Scratch<T> {
    pub form: Vec<T>,
    pub other: Vec<T>,
    pub product: Vec<T>,
    pub m: Vec<T>,
    pub rows: Vec<T>,
    /// Columns of T, those of positive norm first.
    pub t: Vec<T>,
    pub outer: Vec<T>,
    pub overlap: Vec<T>,
    pub work: Vec<T>,
    pub row: Vec<Complex>,
    pub amplitudes: Vec<Complex>,
    pub along: Vec<Complex>,
    pub inverse: Vec<Real>,
    pub d: Vec<Real>,
    pub e: Vec<Real>,
    pub z: Vec<Real>,
}

impl<T: Field> Scratch<T> {
    pub fn new(size: usize) -> Self {
        let square = vec![T::ZERO; size * size];
        let (row, numbers) = (vec![Complex::ZERO; size], vec![Real::ZERO; size]);
        Self {
            form: square.clone(),
            other: square.clone(),
            product: square.clone(),
            m: square.clone(),
            rows: square.clone(),
            t: square.clone(),
            outer: square.clone(),
            overlap: square,
            work: vec![T::ZERO; size],
            row: row.clone(),
            amplitudes: vec![Complex::ZERO; 3 * size],
            along: row,
            inverse: numbers.clone(),
            d: numbers.clone(),
            e: numbers,
            z: vec![Real::ZERO; size * size * T::PARTS],
        }
    }
}
