//! Real and complex numbers of `LANES` problems.

use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

pub const LANES: usize = 8;

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Real(pub [f64; LANES]);

#[derive(Clone, Copy, Debug)]
pub struct Complex {
    pub re: Real,
    pub im: Real,
}

impl Real {
    pub const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    pub fn splat(x: f64) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let mut out = self;
        for x in &mut out.0 {
            *x = f(*x);
        }
        out
    }

    #[inline(always)]
    pub fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let mut out = self;
        for (x, y) in out.0.iter_mut().zip(other.0) {
            *x = f(*x, y);
        }
        out
    }

    #[inline(always)]
    pub fn sqrt(self) -> Self {
        self.map(f64::sqrt)
    }

    #[inline(always)]
    pub fn recip(self) -> Self {
        self.map(|x| 1.0 / x)
    }

    /// Per lane `a` where self > limit, else `b`.
    #[inline(always)]
    pub fn above(self, limit: f64, a: Self, b: Self) -> Self {
        let mut out = b;
        for l in 0..LANES {
            out.0[l] = if self.0[l] > limit { a.0[l] } else { b.0[l] };
        }
        out
    }
}

impl Add for Real {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |x, y| x + y)
    }
}

impl Sub for Real {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |x, y| x - y)
    }
}

impl Mul for Real {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |x, y| x * y)
    }
}

impl Neg for Real {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|x| -x)
    }
}

impl Add for Complex {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

impl Neg for Complex {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self { re: -self.re, im: -self.im }
    }
}

macro_rules! assign {
    ($type:ident) => {
        impl AddAssign for $type {
            #[inline(always)]
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl SubAssign for $type {
            #[inline(always)]
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }
    };
}

assign!(Real);
assign!(Complex);

/// What the factorisations need of a field; a real number is its own conjugate.
pub trait Scalar:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + 'static
{
    const ZERO: Self;

    fn conj(self) -> Self;
    fn re(self) -> Real;
    fn from_real(x: Real) -> Self;
    fn norm_sqr(self) -> Real;
    fn scale(self, x: Real) -> Self;
    /// self + a b, rounded once per real product.
    fn plus(self, a: Self, b: Self) -> Self;
    /// self - a b
    fn minus(self, a: Self, b: Self) -> Self;
}

impl Scalar for Real {
    const ZERO: Self = Self::ZERO;

    #[inline(always)]
    fn conj(self) -> Self {
        self
    }

    #[inline(always)]
    fn re(self) -> Real {
        self
    }

    #[inline(always)]
    fn from_real(x: Real) -> Self {
        x
    }

    #[inline(always)]
    fn norm_sqr(self) -> Real {
        self * self
    }

    #[inline(always)]
    fn scale(self, x: Real) -> Self {
        self * x
    }

    #[inline(always)]
    fn plus(self, a: Self, b: Self) -> Self {
        let mut out = self;
        for l in 0..LANES {
            out.0[l] = a.0[l].mul_add(b.0[l], self.0[l]);
        }
        out
    }

    #[inline(always)]
    fn minus(self, a: Self, b: Self) -> Self {
        let mut out = self;
        for l in 0..LANES {
            out.0[l] = (-a.0[l]).mul_add(b.0[l], self.0[l]);
        }
        out
    }
}

impl Scalar for Complex {
    const ZERO: Self = Self { re: Real::ZERO, im: Real::ZERO };

    #[inline(always)]
    fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    #[inline(always)]
    fn re(self) -> Real {
        self.re
    }

    #[inline(always)]
    fn from_real(x: Real) -> Self {
        Self { re: x, im: Real::ZERO }
    }

    #[inline(always)]
    fn norm_sqr(self) -> Real {
        self.re * self.re + self.im * self.im
    }

    #[inline(always)]
    fn scale(self, x: Real) -> Self {
        Self { re: self.re * x, im: self.im * x }
    }

    #[inline(always)]
    fn plus(self, a: Self, b: Self) -> Self {
        Self { re: self.re.plus(a.re, b.re).minus(a.im, b.im), im: self.im.plus(a.re, b.im).plus(a.im, b.re) }
    }

    #[inline(always)]
    fn minus(self, a: Self, b: Self) -> Self {
        Self { re: self.re.minus(a.re, b.re).plus(a.im, b.im), im: self.im.minus(a.re, b.im).minus(a.im, b.re) }
    }
}
