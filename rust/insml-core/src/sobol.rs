//! Points of a Monte Carlo, addressed by (seed, pixel, sample, dimension): nothing else decides what they are.
//!
//! Sobol's sequence with the direction numbers of S. Joe and F. Y. Kuo, SIAM J. Sci. Comput. 30, 2635 (2008)
//! (new-joe-kuo-6), scrambled by hashing (B. Burley, J. Comput. Graph. Tech. 9(4), 1 (2020), with N. Vegdahl's constants):
//! every pixel and dimension is an Owen scramble of its own.

pub const MAX_DIMENSIONS: usize = 20;
const BITS: usize = 32;

/// Primitive polynomials, with all their bits, and first direction numbers; of dimension 1 on.
const TABLE: [(u32, &[u32]); MAX_DIMENSIONS - 1] = [
    (3, &[1]),
    (7, &[1, 3]),
    (11, &[1, 3, 1]),
    (13, &[1, 1, 1]),
    (19, &[1, 1, 3, 3]),
    (25, &[1, 3, 5, 13]),
    (37, &[1, 1, 5, 5, 17]),
    (41, &[1, 1, 5, 5, 5]),
    (47, &[1, 1, 7, 11, 19]),
    (55, &[1, 1, 5, 1, 1]),
    (59, &[1, 1, 1, 3, 11]),
    (61, &[1, 3, 5, 5, 31]),
    (67, &[1, 3, 3, 9, 7, 49]),
    (91, &[1, 1, 1, 15, 21, 21]),
    (97, &[1, 3, 1, 13, 27, 49]),
    (103, &[1, 1, 1, 15, 7, 5]),
    (109, &[1, 3, 1, 15, 13, 25]),
    (115, &[1, 1, 5, 5, 19, 61]),
    (131, &[1, 3, 7, 11, 23, 15, 103]),
];

/// Where the points of a pixel come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    Sobol,
    /// Independent numbers, for comparison.
    Random,
}

/// The unscrambled points of a number of samples; what all pixels share.
pub struct Points {
    generator: Generator,
    samples: usize,
    dimensions: usize,
    /// (dimensions, samples), lowest bit first
    base: Vec<u32>,
    seed: u64,
}

impl Points {
    /// `dimensions` at most `MAX_DIMENSIONS` for Sobol.
    pub fn new(generator: Generator, seed: u64, samples: usize, dimensions: usize) -> Self {
        let mut base = Vec::new();
        if generator == Generator::Sobol {
            base.reserve(dimensions * samples);
            for d in 0..dimensions {
                let directions = directions(d);
                base.extend((0..samples).map(|s| {
                    let bits = (0..BITS).filter(|b| s >> b & 1 == 1);
                    bits.fold(0, |x: u32, b| x ^ directions[b]).reverse_bits()
                }));
            }
        }
        Self { generator, samples, dimensions, base, seed }
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// What addresses a pixel in `draw`.
    pub fn key(&self, pixel: u64) -> u64 {
        hash(hash(self.seed) ^ pixel)
    }

    /// One dimension of all samples of a pixel, in (0, 1).
    pub fn draw(&self, key: u64, dimension: usize, out: &mut [f64]) {
        let own = hash(key ^ (dimension as u64 + 1));
        match self.generator {
            Generator::Sobol => {
                let seed = own as u32 ^ (own >> 32) as u32;
                for (x, base) in out.iter_mut().zip(&self.base[dimension * self.samples..]) {
                    *x = middle(scramble(*base, seed));
                }
            }
            Generator::Random => {
                for (s, x) in out.iter_mut().enumerate() {
                    *x = middle((hash(own ^ (s as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32) as u32);
                }
            }
        }
    }

    /// Points of one pixel, (samples, dimensions).
    pub fn fill(&self, pixel: u64, out: &mut [f64]) {
        let key = self.key(pixel);
        let mut one = vec![0.0; self.samples];
        for d in 0..self.dimensions {
            self.draw(key, d, &mut one);
            for (point, x) in out.chunks_exact_mut(self.dimensions).zip(&one) {
                point[d] = *x;
            }
        }
    }
}

/// In the middle of the last place.
fn middle(bits: u32) -> f64 {
    (f64::from(bits) + 0.5) / 4_294_967_296.0
}

/// splitmix64's finaliser (G. L. Steele et al., OOPSLA 2014).
pub fn hash(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn directions(dimension: usize) -> [u32; BITS] {
    let mut v = [0u32; BITS];
    if dimension == 0 {
        return std::array::from_fn(|b| 1 << (BITS - 1 - b));
    }
    let (polynomial, first) = TABLE[dimension - 1];
    let degree = first.len();
    for (b, m) in first.iter().enumerate() {
        v[b] = m << (BITS - 1 - b);
    }
    for b in degree..BITS {
        v[b] = v[b - degree] ^ (v[b - degree] >> degree);
        for k in 1..degree {
            if polynomial >> (degree - k) & 1 == 1 {
                v[b] ^= v[b - k];
            }
        }
    }
    v
}

/// Every bit is flipped or not by a hash of those above it: an Owen scramble. `x` lowest bit first, the result highest.
fn scramble(mut x: u32, seed: u32) -> u32 {
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^= x.wrapping_mul(0x53a2_2864);
    x.reverse_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(generator: Generator, pixel: u64, samples: usize) -> Vec<f64> {
        let mut out = vec![0.0; samples * MAX_DIMENSIONS];
        Points::new(generator, 7, samples, MAX_DIMENSIONS).fill(pixel, &mut out);
        out
    }

    #[test]
    fn every_dimension_visits_every_interval_once() {
        for pixel in [0, 5, u64::MAX] {
            for samples in [1, 8, 64, 1024] {
                let x = points(Generator::Sobol, pixel, samples);
                for d in 0..MAX_DIMENSIONS {
                    let mut seen = vec![false; samples];
                    for s in 0..samples {
                        seen[(x[s * MAX_DIMENSIONS + d] * samples as f64) as usize] = true;
                    }
                    assert!(seen.iter().all(|x| *x), "dimension {d}, {samples} samples");
                }
            }
        }
    }

    #[test]
    fn the_first_two_dimensions_are_a_net() {
        // 256 points: one in each of 2^a by 2^(8 - a) boxes
        let x = points(Generator::Sobol, 3, 256);
        for a in 0..=8 {
            let mut seen = [false; 256];
            for p in x.chunks_exact(MAX_DIMENSIONS) {
                let (i, j) = ((p[0] * f64::from(1 << a)) as usize, (p[1] * f64::from(1 << (8 - a))) as usize);
                seen[i << (8 - a) | j] = true;
            }
            assert!(seen.iter().all(|x| *x), "{a}");
        }
    }

    #[test]
    fn unscrambled_numbers_are_the_published_ones() {
        // first points of dimensions 1 to 4 (Bratley and Fox; Joe and Kuo), in eighths, natural order
        let base = Points::new(Generator::Sobol, 0, 4, 4).base;
        let eighths: Vec<u32> = base.iter().map(|x| x.reverse_bits() >> 29).collect();
        assert_eq!(eighths, [0, 4, 2, 6, 0, 4, 6, 2, 0, 4, 6, 2, 0, 4, 6, 2]);
    }

    #[test]
    fn pixels_are_independent_of_each_other() {
        for generator in [Generator::Sobol, Generator::Random] {
            let samples = 64;
            let (mut cross, mut square) = (0.0, 0.0);
            for pixel in 0..200 {
                let (x, y) = (points(generator, pixel, samples), points(generator, pixel + 1, samples));
                for (a, b) in x.iter().zip(&y) {
                    cross += (a - 0.5) * (b - 0.5);
                    square += (a - 0.5).powi(2);
                }
            }
            let n = (200 * samples * MAX_DIMENSIONS) as f64;
            assert!((square / n - 1.0 / 12.0).abs() < 1e-3);
            // two scrambles of one sequence share what all of them do: as many independent numbers as pairs
            assert!(
                (cross / n).abs() < 5.0 / 12.0 / (200.0 * MAX_DIMENSIONS as f64).sqrt(),
                "{generator:?}: {}",
                cross / n
            );
        }
    }
}
