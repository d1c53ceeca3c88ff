//! Where pixels come from: memory, or a stretch of a file that is read piece by piece.

use crate::error::{Error, Result};
use crate::pixels::accumulate::share;
use crate::pixels::arrange::Feed;
use crate::pixels::watch::Watch;
use crate::pixels::{BYTES, FIELDS};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Pixels read at a time from a file: small enough for the second cache, large enough that the calls do not matter.
pub const PIECE: usize = 16 * 1024;

/// Pixels, and who watches them being read.
pub struct Source<'a> {
    place: Place<'a>,
    watch: Option<&'a Watch>,
}

enum Place<'a> {
    Memory(&'a [f32]),
    Stored(Stored),
}

/// `count` pixels of a file, from byte `start`.
pub struct Stored {
    path: PathBuf,
    file: File,
    start: u64,
    count: usize,
}

impl Stored {
    pub fn open(path: &Path, start: u64, count: usize) -> Result<Self> {
        let file = File::open(path).map_err(|e| failed(path, &e))?;
        Ok(Self { path: path.to_owned(), file, start, count })
    }
}

impl<'a> Source<'a> {
    pub fn memory(pixels: &'a [f32]) -> Self {
        Self { place: Place::Memory(pixels), watch: None }
    }

    pub fn stored(stored: Stored) -> Self {
        Self { place: Place::Stored(stored), watch: None }
    }

    pub fn watched(self, watch: &'a Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    pub fn len(&self) -> usize {
        match &self.place {
            Place::Memory(pixels) => pixels.len() / FIELDS,
            Place::Stored(stored) => stored.count,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives pixels `range` to `work`, in order, at most PIECE at a time.
    pub fn read(&self, range: Range<usize>, buffer: &mut Vec<f32>, mut work: impl FnMut(&[f32])) -> Result<()> {
        if range.end > self.len() || range.start > range.end {
            return Err(Error::Geometry(format!("pixels: expected some of {}, found {range:?}", self.len())));
        }
        for at in range.clone().step_by(PIECE) {
            let count = PIECE.min(range.end - at);
            match &self.place {
                Place::Memory(pixels) => work(&pixels[at * FIELDS..(at + count) * FIELDS]),
                Place::Stored(stored) => {
                    buffer.resize(PIECE * FIELDS, 0.0);
                    let piece = &mut buffer[..count * FIELDS];
                    read_floats(&stored.file, stored.start + (at * BYTES) as u64, piece)
                        .map_err(|e| failed(&stored.path, &e))?;
                    work(piece);
                }
            }
            if let Some(watch) = self.watch {
                watch.passed(count)?;
            }
        }
        Ok(())
    }
}

/// Floats from byte `at` of a file.
pub fn read_floats(file: &File, at: u64, out: &mut [f32]) -> std::io::Result<()> {
    read_exact_at(file, bytes_of(out), at)
}

fn bytes_of(values: &mut [f32]) -> &mut [u8] {
    // SAFETY: any bits are floats, and floats have no padding
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), std::mem::size_of_val(values)) }
}

#[cfg(unix)]
fn read_exact_at(file: &File, out: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut out: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !out.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, out, at)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        out = &mut out[n..];
        at += n as u64;
    }
    Ok(())
}

pub fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::File(format!("{}: expected to read pixels, found: {error}", path.display()))
}

/// Stretches of a source in blocks of equal numbers.
pub struct Selection<'a> {
    pub source: &'a Source<'a>,
    pub ranges: &'a [Range<usize>],
    pub blocks: usize,
}

impl Feed for Selection<'_> {
    fn read(&self, block: usize, buffer: &mut Vec<f32>, work: &mut dyn FnMut(&mut [f32])) -> Result<()> {
        let mut own = Vec::new();
        for range in share(self.ranges, block, self.blocks) {
            self.source.read(range, buffer, |pixels| {
                own.clear();
                own.extend_from_slice(pixels);
                work(&mut own);
            })?;
        }
        Ok(())
    }
}
