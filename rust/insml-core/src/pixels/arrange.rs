//! Pixels of a cut in the order of its bins, whatever their number.
//!
//! Bins are counted first. Then every pixel goes to the bucket of its bin, a stretch of the result that fits into memory, and
//! each bucket is sorted. Blocks know beforehand where their pixels go, so the result is that of one thread, in the order in
//! which pixels came. In a file both are done in the same place: what is written once more is still in the system's memory.

use crate::error::{Error, Result};
use crate::parallel::{count_of, for_each};
use crate::pixels::source::{failed, read_floats};
use crate::pixels::target::Target;
use crate::pixels::watch::Watch;
use crate::pixels::{BYTES, FIELDS, LANES, NOWHERE, SIGNAL, VARIANCE};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Bins are counted for each block in at most so many groups.
const GROUPS: usize = 1 << 14;
/// Pixels of a bucket, where bins allow: 32 MB. A bin with more than ALONE is a bucket, which need not be sorted.
const BUCKET: usize = 900_000;
const ALONE: usize = 65_536;
/// Floats that threads gather together before they write them.
const GATHERED: usize = 48 << 20;
/// Pixels copied at a time where there is nothing to sort.
const COPIED: usize = 1 << 18;

const CHANGED: &str = "pixels: expected those that were counted, found others: the file was changed meanwhile";

/// Pixels in blocks, always the same.
pub trait Feed: Sync {
    /// Gives the pixels of a block in order, whole records, to be moved at will.
    fn read(&self, block: usize, buffer: &mut Vec<f32>, work: &mut dyn FnMut(&mut [f32])) -> Result<()>;
}

/// Pixels at places of their own, in memory or from byte `start` of a file.
pub enum Store {
    Memory(Mutex<Vec<f32>>),
    File { path: PathBuf, file: File, start: u64 },
}

impl Store {
    pub fn memory(pixels: usize) -> Self {
        Self::Memory(Mutex::new(vec![0.0; pixels * FIELDS]))
    }

    /// A part of a file that is there.
    pub fn file(path: &Path, start: u64) -> Result<Self> {
        let file = File::options().read(true).write(true).open(path).map_err(|e| unwritten(path, &e))?;
        Ok(Self::File { path: path.to_owned(), file, start })
    }

    fn write(&self, at: usize, values: &[f32]) -> Result<()> {
        match self {
            Self::Memory(all) => {
                let mut all = all.lock().unwrap_or_else(|e| e.into_inner());
                all[at * FIELDS..at * FIELDS + values.len()].copy_from_slice(values);
                Ok(())
            }
            Self::File { path, file, start } => {
                // SAFETY: floats have no padding
                let bytes = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) };
                write_all_at(file, bytes, start + (at * BYTES) as u64).map_err(|e| unwritten(path, &e))
            }
        }
    }

    fn read(&self, at: usize, out: &mut [f32]) -> Result<()> {
        match self {
            Self::Memory(all) => {
                let all = all.lock().unwrap_or_else(|e| e.into_inner());
                out.copy_from_slice(&all[at * FIELDS..at * FIELDS + out.len()]);
                Ok(())
            }
            Self::File { path, file, start } => {
                read_floats(file, start + (at * BYTES) as u64, out).map_err(|e| failed(path, &e))
            }
        }
    }

    fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    pub fn into_memory(self) -> Option<Vec<f32>> {
        match self {
            Self::Memory(all) => Some(all.into_inner().unwrap_or_else(|e| e.into_inner())),
            Self::File { .. } => None,
        }
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        bytes = &bytes[n..];
        at += n as u64;
    }
    Ok(())
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::File(format!("{}: expected to write pixels, found: {error}", path.display()))
}

/// Pixels in each bin, and in each group of bins by block.
pub struct Counts {
    pub npix: Vec<u64>,
    group: usize,
    blocks: Vec<Vec<u32>>,
}

impl Counts {
    pub fn new(bins: usize) -> Self {
        Self { npix: vec![0; bins], group: bins.div_ceil(GROUPS).max(1), blocks: Vec::new() }
    }

    /// Counts blocks `0..blocks` of `feed` after those counted before.
    pub fn add(&mut self, feed: &dyn Feed, target: &Target, blocks: usize, threads: usize) -> Result<()> {
        let (group, bins) = (self.group, self.npix.len());
        let all = Mutex::new(&mut self.npix);
        let work = |(buffer, own): &mut (Vec<f32>, Vec<u32>), block: usize| {
            let mut groups = vec![0u32; bins.div_ceil(group)];
            own.resize(bins, 0);
            let mut lanes = [NOWHERE; LANES];
            let result = feed.read(block, buffer, &mut |pixels| {
                for some in pixels.chunks(LANES * FIELDS) {
                    target.locate(some, &mut lanes);
                    for bin in &lanes[..some.len() / FIELDS] {
                        if *bin != NOWHERE {
                            own[*bin as usize] += 1;
                            groups[*bin as usize / group] += 1;
                        }
                    }
                }
            });
            // whole numbers: their order does not matter
            let mut all = all.lock().unwrap_or_else(|e| e.into_inner());
            for g in (0..groups.len()).filter(|g| groups[*g] > 0) {
                for b in g * group..bins.min((g + 1) * group) {
                    all[b] += u64::from(std::mem::take(&mut own[b]));
                }
            }
            Some((block, result.map(|()| groups)))
        };
        let mut found = for_each(threads, 0..blocks, || (Vec::new(), Vec::new()), work);
        found.sort_by_key(|(block, _)| *block);
        for (_, groups) in found {
            self.blocks.push(groups?);
        }
        Ok(())
    }

    pub fn pixels(&self) -> usize {
        self.npix.iter().sum::<u64>() as usize
    }
}

/// A stretch of the result: bins, and where its pixels start.
struct Bucket {
    bins: Range<usize>,
    start: usize,
    count: usize,
}

/// Where each pixel goes.
pub struct Arrangement {
    target: Target,
    npix: Vec<u64>,
    group: usize,
    buckets: Vec<Bucket>,
    bucket_of: Vec<u32>,
    /// For each block and bucket, the place of its first pixel; and where the last block ends.
    first: Vec<Vec<usize>>,
    end: Vec<usize>,
    gathered: Store,
}

impl Arrangement {
    /// `gathered`: a place for as many pixels as were counted; a file is that of the result.
    pub fn new(target: Target, counts: Counts, gathered: Store) -> Self {
        let Counts { npix, group, blocks } = counts;
        let groups = npix.len().div_ceil(group);
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut bucket_of = Vec::with_capacity(groups);
        let mut start = 0;
        for g in 0..groups {
            let bins = g * group..npix.len().min((g + 1) * group);
            let count = npix[bins.clone()].iter().sum::<u64>() as usize;
            match buckets.last_mut() {
                Some(last) if last.count + count <= BUCKET && (group > 1 || last.count.max(count) <= ALONE) => {
                    last.bins.end = bins.end;
                    last.count += count;
                }
                _ => buckets.push(Bucket { bins, start, count }),
            }
            bucket_of.push((buckets.len() - 1) as u32);
            start += count;
        }
        let mut next: Vec<usize> = buckets.iter().map(|b| b.start).collect();
        let first = blocks
            .iter()
            .map(|groups| {
                let own = next.clone();
                for (g, n) in groups.iter().enumerate() {
                    next[bucket_of[g] as usize] += *n as usize;
                }
                own
            })
            .collect();
        Self { target, npix, group, buckets, bucket_of, first, end: next, gathered }
    }

    pub fn pixels(&self) -> usize {
        self.npix.iter().sum::<u64>() as usize
    }

    /// Takes blocks `0..blocks` of `feed`, which were counted as those from `before` on.
    pub fn gather(&self, feed: &dyn Feed, before: usize, blocks: usize, threads: usize) -> Result<()> {
        let most = GATHERED / count_of(threads);
        let work = |(buffer, own): &mut (Vec<f32>, Vec<Vec<f32>>), block: usize| {
            own.resize_with(self.buckets.len(), Vec::new);
            let mut next = self.first[before + block].clone();
            let mut held = 0;
            let mut lanes = [NOWHERE; LANES];
            let mut write = |own: &mut Vec<Vec<f32>>| -> Result<()> {
                for (b, pixels) in own.iter_mut().enumerate().filter(|(_, p)| !p.is_empty()) {
                    self.gathered.write(next[b], pixels)?;
                    next[b] += pixels.len() / FIELDS;
                    pixels.clear();
                }
                Ok(())
            };
            let mut written = Ok(());
            let read = feed.read(block, buffer, &mut |pixels| {
                for some in pixels.chunks_mut(LANES * FIELDS) {
                    self.target.locate_and_move(some, &mut lanes);
                    for (pixel, bin) in some.chunks_exact(FIELDS).zip(lanes) {
                        if bin != NOWHERE {
                            own[self.bucket_of[bin as usize / self.group] as usize].extend_from_slice(pixel);
                            held += FIELDS;
                        }
                    }
                }
                if held > most && written.is_ok() {
                    held = 0;
                    written = write(own);
                }
            });
            if written.is_ok() {
                written = write(own);
            }
            let after = self.first.get(before + block + 1).unwrap_or(&self.end);
            let kept = if next == *after { Ok(()) } else { Err(Error::File(CHANGED.into())) };
            read.and(written).and(kept).err()
        };
        for_each(threads, 0..blocks, || (Vec::new(), Vec::new()), work).into_iter().next().map_or(Ok(()), Err)
    }

    /// Sorts what was gathered, in place if it is in a file, otherwise into `out`; sums of signal and of variance by bin.
    pub fn sort(&self, out: &Store, watch: &Watch, threads: usize) -> Result<[Vec<f64>; 2]> {
        let out = if self.gathered.is_file() { &self.gathered } else { out };
        let work = |scratch: &mut Scratch, b: usize| {
            let bucket = &self.buckets[b];
            Some(watch.passed(bucket.count).and_then(|()| self.sort_bucket(bucket, out, scratch)).map(|s| (b, s)))
        };
        let mut sums = [vec![0.0; self.npix.len()], vec![0.0; self.npix.len()]];
        for found in for_each(threads, 0..self.buckets.len(), Scratch::default, work) {
            let (b, own) = found?;
            for (all, values) in sums.iter_mut().zip(own) {
                all[self.buckets[b].bins.clone()].copy_from_slice(&values);
            }
        }
        Ok(sums)
    }

    fn sort_bucket(&self, bucket: &Bucket, out: &Store, scratch: &mut Scratch) -> Result<[Vec<f64>; 2]> {
        let bins = bucket.bins.clone();
        let mut sums = [vec![0.0; bins.len()], vec![0.0; bins.len()]];
        if bins.len() == 1 {
            for at in (0..bucket.count).step_by(COPIED) {
                let pixels = scratch.read(&self.gathered, bucket.start + at, COPIED.min(bucket.count - at))?;
                for pixel in pixels.chunks_exact(FIELDS) {
                    sums[0][0] += f64::from(pixel[SIGNAL]);
                    sums[1][0] += f64::from(pixel[VARIANCE]);
                }
                if !self.gathered.is_file() {
                    out.write(bucket.start + at, pixels)?;
                }
            }
            return Ok(sums);
        }
        let mut next: Vec<usize> = Vec::with_capacity(bins.len());
        let mut at = 0;
        for n in &self.npix[bins.clone()] {
            next.push(at);
            at += *n as usize;
        }
        scratch.read(&self.gathered, bucket.start, bucket.count)?;
        scratch.sorted.resize(bucket.count * FIELDS, 0.0);
        let mut lanes = [NOWHERE; LANES];
        for some in scratch.read.chunks(LANES * FIELDS) {
            self.target.locate_stored(some, &mut lanes);
            for (pixel, bin) in some.chunks_exact(FIELDS).zip(lanes) {
                let b = bin as usize - bins.start;
                sums[0][b] += f64::from(pixel[SIGNAL]);
                sums[1][b] += f64::from(pixel[VARIANCE]);
                scratch.sorted[next[b] * FIELDS..(next[b] + 1) * FIELDS].copy_from_slice(pixel);
                next[b] += 1;
            }
        }
        out.write(bucket.start, &scratch.sorted)?;
        Ok(sums)
    }

    pub fn into_npix(self) -> Vec<u64> {
        self.npix
    }
}

#[derive(Default)]
struct Scratch {
    read: Vec<f32>,
    sorted: Vec<f32>,
}

impl Scratch {
    fn read(&mut self, store: &Store, at: usize, count: usize) -> Result<&[f32]> {
        self.read.resize(count * FIELDS, 0.0);
        store.read(at, &mut self.read)?;
        Ok(&self.read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::grid::{Axis, Grid};
    use crate::pixels::projection::{Projection, Shape};

    struct Some(Vec<f32>);

    impl Feed for Some {
        fn read(&self, block: usize, buffer: &mut Vec<f32>, work: &mut dyn FnMut(&mut [f32])) -> Result<()> {
            buffer.clear();
            buffer.extend(self.0.chunks(1000 * FIELDS).nth(block).unwrap());
            work(buffer);
            Ok(())
        }
    }

    fn arranged(feed: &Some, bins: usize, threads: usize) -> (Vec<f32>, Vec<u64>, [Vec<f64>; 2]) {
        let eye = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let projection =
            Projection { shape: Shape::Line, frame: eye, offset: [0.0; 4], scale: [1.0; 4], first_turn: -180.0 };
        let one = |bins| Axis { lo: 0.0, hi: 1.0, bins };
        let target =
            Target { projection, grid: Grid::new([one(bins), one(1), one(1), one(3)]).unwrap(), operations: vec![] };
        let mut counts = Counts::new(target.grid.bins());
        let blocks = feed.0.len().div_ceil(1000 * FIELDS);
        counts.add(feed, &target, blocks - 1, threads).unwrap();
        let last = Some(feed.0[(blocks - 1) * 1000 * FIELDS..].to_vec());
        counts.add(&last, &target, 1, threads).unwrap();
        let n = counts.pixels();
        let plan = Arrangement::new(target, counts, Store::memory(n));
        plan.gather(&last, blocks - 1, 1, threads).unwrap();
        plan.gather(feed, 0, blocks - 1, threads).unwrap();
        let out = Store::memory(n);
        let sums = plan.sort(&out, &Watch::default(), threads).unwrap();
        let changed = Some(vec![-1.0; 1000 * FIELDS]);
        assert!(plan.gather(&changed, 0, 1, threads).is_err());
        (out.into_memory().unwrap(), plan.into_npix(), sums)
    }

    #[test]
    fn pixels_come_in_the_order_of_bins_and_of_their_blocks_on_any_threads() {
        let number = |i: usize, k: usize| ((i * 2654435761 + k * 40503) % 1009) as f32 / 1000.0;
        let feed = Some(
            (0..5300).flat_map(|i| (0..FIELDS).map(move |k| if k == 8 { i as f32 } else { number(i, k) })).collect(),
        );
        for bins in [1, 7, 20_000] {
            let (pixels, npix, sums) = arranged(&feed, bins, 1);
            let again = arranged(&feed, bins, 4);
            assert_eq!((&pixels, &npix, &sums), (&again.0, &again.1, &again.2));
            let mut at = 0;
            for (b, n) in npix.iter().enumerate() {
                let own = &pixels[at * FIELDS..(at + *n as usize) * FIELDS];
                let order: Vec<f32> = own.chunks(FIELDS).map(|p| p[8]).collect();
                assert!(order.is_sorted());
                for p in own.chunks(FIELDS) {
                    let x = ((f64::from(p[0]) * bins as f64) as usize).min(bins - 1);
                    assert_eq!(b, x + bins * ((f64::from(p[3]) * 3.0) as usize).min(2));
                }
                assert_eq!(sums[1][b], order.iter().map(|x| f64::from(*x)).sum::<f64>());
                at += *n as usize;
            }
            let inside = |p: &&[f32]| p[..4].iter().all(|x| *x <= 1.0);
            assert_eq!(at, feed.0.chunks(FIELDS).filter(inside).count());
        }
    }
}
