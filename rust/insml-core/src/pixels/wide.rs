//! Bins of a cut along straight axes, four pixels in the lanes of a vector. The bits are those of the general
//! path.

use crate::pixels::target::Target;
use crate::pixels::{FIELDS, LANES};
use std::arch::x86_64::*;

/// Pixels in the lanes of a vector.
const WIDE: usize = 4;

/// Bytes ahead of the pixels at work that are asked for: the processor does not look past the end of a page itself.
const AHEAD: usize = 2048;

/// Finds the bins of whole vectors of pixels; how many pixels that were.
///
/// # Safety
/// The machine must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn straight_bins(target: &Target, pixels: &[f32], bins: &mut [u32; LANES]) -> usize {
    let count = pixels.len() / FIELDS / WIDE;
    let (m, o) = (&target.projection.frame, &target.projection.offset);
    let (axes, stride, scale) = target.grid.parts();
    let whole = _mm256_set1_pd(4_503_599_627_370_496.0);
    for g in 0..count {
        let own = &pixels[g * WIDE * FIELDS..(g + 1) * WIDE * FIELDS];
        for line in 0..3 {
            // a hint, which may point anywhere
            _mm_prefetch::<_MM_HINT_T0>(own.as_ptr().wrapping_byte_add(AHEAD + 64 * line).cast());
        }
        // SAFETY: a pixel has nine numbers, and four are loaded
        let row = |i: usize| unsafe { _mm_loadu_ps(own.as_ptr().add(i * FIELDS)) };
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        let q = [
            _mm256_cvtps_pd(_mm_movelh_ps(ab, cd)),
            _mm256_cvtps_pd(_mm_movehl_ps(cd, ab)),
            _mm256_cvtps_pd(_mm_movelh_ps(ab_high, cd_high)),
        ];
        let energy = _mm256_cvtps_pd(_mm_movehl_ps(cd_high, ab_high));
        let mut inside = _mm256_castsi256_pd(_mm256_set1_epi64x(-1));
        let mut index = whole;
        for d in 0..4 {
            let x = if d < 3 {
                let third = _mm256_fmsub_pd(_mm256_set1_pd(m[d][2]), q[2], _mm256_set1_pd(o[d]));
                let second = _mm256_fmadd_pd(_mm256_set1_pd(m[d][1]), q[1], third);
                _mm256_fmadd_pd(_mm256_set1_pd(m[d][0]), q[0], second)
            } else {
                _mm256_sub_pd(energy, _mm256_set1_pd(o[3]))
            };
            let lo = _mm256_set1_pd(axes[d].lo);
            let above = _mm256_cmp_pd::<_CMP_GE_OQ>(x, lo);
            let below = _mm256_cmp_pd::<_CMP_LE_OQ>(x, _mm256_set1_pd(axes[d].hi));
            inside = _mm256_and_pd(inside, _mm256_and_pd(above, below));
            if axes[d].bins > 1 {
                let t = _mm256_mul_pd(_mm256_sub_pd(x, lo), _mm256_set1_pd(scale[d]));
                let t = _mm256_min_pd(_mm256_floor_pd(t), _mm256_set1_pd((axes[d].bins - 1) as f64));
                index = _mm256_fmadd_pd(_mm256_set1_pd(stride[d]), t, index);
            }
        }
        let found = _mm256_or_pd(index, _mm256_xor_pd(inside, _mm256_castsi256_pd(_mm256_set1_epi64x(-1))));
        let low = _mm256_permutevar8x32_epi32(_mm256_castpd_si256(found), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
        // SAFETY: there is room for as many bins as pixels
        unsafe { _mm_storeu_si128(bins[g * WIDE..].as_mut_ptr().cast(), _mm256_castsi256_si128(low)) };
    }
    count * WIDE
}

/// Adds 1, 0, signal and variance of a pixel.
///
/// # Safety
/// The machine must have AVX2.
#[inline]
#[target_feature(enable = "avx2")]
pub unsafe fn add_pixel(sums: &mut [f64; 4], pixel: &[f32]) {
    let pixel: &[f32; FIELDS] = pixel.try_into().expect("a pixel");
    // SAFETY: the last four numbers of a pixel end in signal and variance; sums are four
    unsafe {
        let values = _mm256_cvtps_pd(_mm_loadu_ps(pixel.as_ptr().add(FIELDS - 4)));
        let one = _mm256_setr_pd(1.0, 0.0, 0.0, 0.0);
        let total = _mm256_add_pd(_mm256_loadu_pd(sums.as_ptr()), _mm256_blend_pd::<0b1100>(one, values));
        _mm256_storeu_pd(sums.as_mut_ptr(), total);
    }
}
