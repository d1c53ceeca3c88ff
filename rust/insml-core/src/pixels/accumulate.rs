//! Sums of signal, variance and pixels in the bins of a cut.
//!
//! Pixels are divided into parts by their number alone; each part is summed in order, and parts in the order of a binary tree.
//! So any threads, and processes that take whole branches of the tree, arrive at the same bits.

use crate::error::Result;
use crate::parallel::for_each;
use crate::pixels::source::Source;
use crate::pixels::target::Target;
#[cfg(target_arch = "x86_64")]
use crate::pixels::wide;
use crate::pixels::{FIELDS, LANES, NOWHERE, SIGNAL, VARIANCE};
use std::ops::Range;

/// Copies of sums, where they are at most as many as COPIED.
const COPIES: usize = 4;
const COPIED: usize = 2048;

/// Number of pixels, nothing, signal and variance of a bin: a vector of the machine.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
pub struct Sums([f64; 4]);

impl Sums {
    fn add(&mut self, other: &Self) {
        for d in 0..4 {
            self.0[d] += other.0[d];
        }
    }

    pub fn pixels(&self) -> u64 {
        self.0[0] as u64
    }

    pub fn signal(&self) -> f64 {
        self.0[2]
    }

    pub fn variance(&self) -> f64 {
        self.0[3]
    }
}

/// What part `part` of `parts` has of the pixels of `ranges`.
pub fn share(ranges: &[Range<usize>], part: usize, parts: usize) -> Vec<Range<usize>> {
    let all: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let at = |p: usize| (all as u128 * p as u128 / parts as u128) as usize;
    let (first, last) = (at(part), at(part + 1));
    let mut out = Vec::new();
    let mut before = 0;
    for range in ranges {
        let (a, b) = (first.max(before), last.min(before + range.len()));
        if a < b {
            out.push(range.start + a - before..range.start + b - before);
        }
        before += range.len();
    }
    out
}

/// Sums over the parts `chosen` of `parts`, a branch of their tree: all of them, or aligned powers of two of a power of two.
pub fn accumulate(
    source: &Source<'_>,
    target: &Target,
    ranges: &[Range<usize>],
    parts: usize,
    chosen: Range<usize>,
    threads: usize,
) -> Result<Vec<Sums>> {
    let work = |buffer: &mut Vec<f32>, part: usize| {
        let mut table = Table::new(target.grid.bins());
        for range in share(ranges, part, parts) {
            if let Err(e) = source.read(range, buffer, |pixels| table.add(target, pixels)) {
                return Some((part, Err(e)));
            }
        }
        Some((part, Ok(table.total())))
    };
    let mut found = for_each(threads, chosen, Vec::new, work);
    found.sort_by_key(|(part, _)| *part);
    let mut found = found.into_iter().map(|(_, sums)| sums).collect::<Result<Vec<_>>>()?;
    while found.len() > 1 {
        let mut next = Vec::with_capacity(found.len().div_ceil(2));
        let mut each = found.into_iter();
        while let Some(mut a) = each.next() {
            if let Some(b) = each.next() {
                a.iter_mut().zip(&b).for_each(|(x, y)| x.add(y));
            }
            next.push(a);
        }
        found = next;
    }
    Ok(found.pop().unwrap_or_else(|| vec![Sums::default(); target.grid.bins()]))
}

/// Sums that are kept beside each other, so that a pixel need not wait for the one before where both are in one bin.
struct Table {
    /// Bins, and one for pixels that are in none.
    width: usize,
    copies: usize,
    sums: Vec<Sums>,
}

impl Table {
    fn new(bins: usize) -> Self {
        let width = bins + 1;
        let copies = if width <= COPIED { COPIES } else { 1 };
        Self { width, copies, sums: vec![Sums::default(); width * copies] }
    }

    fn add(&mut self, target: &Target, pixels: &[f32]) {
        let mut bins = [NOWHERE; LANES];
        for block in pixels.chunks(LANES * FIELDS) {
            target.locate(block, &mut bins);
            #[cfg(target_arch = "x86_64")]
            if crate::spinwave::blocks::kernel::supported() {
                // SAFETY: the features were just found on this machine
                unsafe { self.add_wide(block, &bins) };
                continue;
            }
            self.add_plain(block, &bins, |sums, pixel| {
                sums.add(&Sums([1.0, 0.0, f64::from(pixel[SIGNAL]), f64::from(pixel[VARIANCE])]));
            });
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_wide(&mut self, block: &[f32], bins: &[u32; LANES]) {
        // SAFETY: the caller found the features
        self.add_plain(block, bins, |sums, pixel| unsafe { wide::add_pixel(&mut sums.0, pixel) });
    }

    #[inline(always)]
    fn add_plain(&mut self, block: &[f32], bins: &[u32; LANES], mut one: impl FnMut(&mut Sums, &[f32])) {
        let last = self.width - 1;
        let step = if self.copies > 1 { self.width } else { 0 };
        for (bins, pixels) in bins.chunks(COPIES).zip(block.chunks(COPIES * FIELDS)) {
            if bins.iter().all(|b| *b == NOWHERE) {
                continue;
            }
            for (c, (bin, pixel)) in bins.iter().zip(pixels.chunks_exact(FIELDS)).enumerate() {
                one(&mut self.sums[(*bin as usize).min(last) + c * step], pixel);
            }
        }
    }

    fn total(mut self) -> Vec<Sums> {
        let (first, others) = self.sums.split_at_mut(self.width);
        for copy in others.chunks(self.width) {
            first.iter_mut().zip(copy).for_each(|(x, y)| x.add(y));
        }
        self.sums.truncate(self.width - 1);
        self.sums
    }
}

/// Smallest and largest of each number of pixels; NaN is neither.
pub fn limits(source: &Source<'_>, threads: usize) -> Result<[[f32; 2]; FIELDS]> {
    const PARTS: usize = 64;
    let none = [[f32::INFINITY, f32::NEG_INFINITY]; FIELDS];
    let work = |buffer: &mut Vec<f32>, part: usize| {
        let mut own = none;
        for range in share(&std::iter::once(0..source.len()).collect::<Vec<_>>(), part, PARTS) {
            let read = source.read(range, buffer, |pixels| {
                for pixel in pixels.as_chunks::<FIELDS>().0 {
                    for (limit, x) in own.iter_mut().zip(pixel) {
                        *limit = [limit[0].min(*x), limit[1].max(*x)];
                    }
                }
            });
            if let Err(e) = read {
                return Some(Err(e));
            }
        }
        Some(Ok(own))
    };
    for_each(threads, 0..PARTS, Vec::new, work).into_iter().try_fold(none, |mut all, own| {
        for (limit, own) in all.iter_mut().zip(own?) {
            *limit = [limit[0].min(own[0]), limit[1].max(own[1])];
        }
        Ok(all)
    })
}
