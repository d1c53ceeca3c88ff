//! `Target`, `accumulate`, `arrange`, `candidates`, `Generator`: pixels into the bins of a cut.

use crate::error::to_python;
use crate::watched::watched;
use insml_core::Error;
use insml_core::pixels::accumulate::{accumulate as core_accumulate, limits};
use insml_core::pixels::arrange::{Arrangement, Counts, Feed, Store};
use insml_core::pixels::candidates::{Image, candidates as core_candidates};
use insml_core::pixels::generate::{Mode, Run, RunFeed};
use insml_core::pixels::grid::{Axis, Grid};
use insml_core::pixels::projection::{Projection, Shape};
use insml_core::pixels::source::{Selection, Source, Stored};
use insml_core::pixels::target::{Operation, Target as CoreTarget};
use insml_core::pixels::watch::Watch;
use insml_core::pixels::{BYTES, FIELDS, LANES, NOWHERE};
use insml_core::vec3::{Mat3, Vec3};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

type Floats<'py> = Bound<'py, PyArray1<f64>>;
type Counted<'py> = Bound<'py, PyArray1<u64>>;
type Pixels<'py> = Bound<'py, PyArray2<f32>>;

/// Pixels in memory (n, 9), or of a file: path, first byte, number.
#[derive(FromPyObject)]
pub enum Given<'py> {
    Memory(PyReadonlyArray2<'py, f32>),
    Stored(PathBuf, u64, usize),
}

impl Given<'_> {
    fn source(&self, py: Python<'_>) -> PyResult<Source<'_>> {
        match self {
            Self::Memory(pixels) if pixels.as_array().ncols() == FIELDS => Ok(Source::memory(pixels.as_slice()?)),
            Self::Memory(_) => Err(PyValueError::new_err("pixels: expected (n, 9)")),
            Self::Stored(path, start, count) => {
                Ok(Source::stored(Stored::open(path, *start, *count).map_err(|e| to_python(py, e))?))
            }
        }
    }
}

/// Ascending stretches, (n, 2) first and one past the last; `None` for all.
fn stretches(ranges: Option<&PyReadonlyArray2<'_, i64>>, all: usize) -> PyResult<Vec<Range<usize>>> {
    let Some(ranges) = ranges else { return Ok(std::iter::once(0..all).collect()) };
    let bad = || PyValueError::new_err(format!("ranges: expected stretches of {all} pixels"));
    ranges
        .as_array()
        .rows()
        .into_iter()
        .map(|r| {
            let [a, b] = [r[0], r[1]].map(usize::try_from);
            let range = a.map_err(|_| bad())?..b.map_err(|_| bad())?;
            if range.start <= range.end && range.end <= all { Ok(range) } else { Err(bad()) }
        })
        .collect()
}

/// Bins of a cut: four (first edge, last edge, number), the first fastest.
#[pyclass(frozen)]
pub struct Target {
    inner: CoreTarget,
}

#[pymethods]
impl Target {
    /// `shape`: "line", "sphere" or "cylinder"; `operations`: matrix and shift of Q, tried in order.
    #[new]
    #[pyo3(signature = (*, shape, frame, offset, scale, first_turn, axes, operations))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        shape: &str,
        frame: Mat3,
        offset: [f64; 4],
        scale: [f64; 4],
        first_turn: f64,
        axes: [(f64, f64, usize); 4],
        operations: Vec<(Mat3, Vec3)>,
    ) -> PyResult<Self> {
        let shape = match shape {
            "line" => Shape::Line,
            "sphere" => Shape::Sphere,
            "cylinder" => Shape::Cylinder,
            _ => return Err(PyValueError::new_err(format!("shape: expected line, sphere or cylinder, found {shape}"))),
        };
        let grid = Grid::new(axes.map(|(lo, hi, bins)| Axis { lo, hi, bins })).map_err(|e| to_python(py, e))?;
        let operations = operations.into_iter().map(|(turn, shift)| Operation { turn, shift }).collect();
        let projection = Projection { shape, frame, offset, scale, first_turn };
        Ok(Self { inner: CoreTarget { projection, grid, operations } })
    }

    /// Bin of each pixel (n, 9), -1 where it lies in none.
    fn locate<'py>(&self, py: Python<'py>, pixels: PyReadonlyArray2<'py, f32>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let mut out = Vec::with_capacity(pixels.as_array().nrows());
        let mut lanes = [NOWHERE; LANES];
        for some in pixels.as_slice()?.chunks(LANES * FIELDS) {
            self.inner.locate(some, &mut lanes);
            out.extend(lanes[..some.len() / FIELDS].iter().map(|b| if *b == NOWHERE { -1 } else { i64::from(*b) }));
        }
        Ok(out.into_pyarray(py))
    }
}

/// Sums of signal and variance and numbers of pixels, by bin, of a branch of the tree of parts: see the core.
#[pyfunction]
#[pyo3(signature = (source, target, *, ranges, parts, first, last, threads, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn accumulate<'py>(
    py: Python<'py>,
    source: Given<'py>,
    target: &Target,
    ranges: Option<PyReadonlyArray2<'py, i64>>,
    parts: usize,
    first: usize,
    last: usize,
    threads: usize,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<(Floats<'py>, Floats<'py>, Counted<'py>)> {
    let source = source.source(py)?;
    let ranges = stretches(ranges.as_ref(), source.len())?;
    if first > last || last > parts {
        return Err(PyValueError::new_err(format!("parts: expected some of {parts}, found {first} to {last}")));
    }
    let sums = watched(py, progress.as_ref(), |watch| {
        core_accumulate(&source.watched(watch), &target.inner, &ranges, parts, first..last, threads)
    })?;
    let signal: Vec<f64> = sums.iter().map(|s| s.signal()).collect();
    let variance: Vec<f64> = sums.iter().map(|s| s.variance()).collect();
    let npix: Vec<u64> = sums.iter().map(|s| s.pixels()).collect();
    Ok((signal.into_pyarray(py), variance.into_pyarray(py), npix.into_pyarray(py)))
}

/// Smallest and largest of the nine numbers of pixels.
#[pyfunction]
#[pyo3(signature = (source, *, threads))]
pub fn pixel_limits(py: Python<'_>, source: Given<'_>, threads: usize) -> PyResult<[[f32; 2]; FIELDS]> {
    let source = source.source(py)?;
    watched(py, None, |watch| limits(&source.watched(watch), threads))
}

/// Stretches (n, 2) of a file in the order of its bins that can hold pixels of `target`. Q = `turn` x + `shift`.
#[pyfunction]
#[pyo3(signature = (target, *, turn, shift, energy, edges, npix))]
pub fn candidates<'py>(
    py: Python<'py>,
    target: &Target,
    turn: Mat3,
    shift: Vec3,
    energy: f64,
    edges: [PyReadonlyArray1<'py, f64>; 4],
    npix: PyReadonlyArray1<'py, u64>,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let mut own: [&[f64]; 4] = [&[]; 4];
    for (slot, e) in own.iter_mut().zip(&edges) {
        *slot = e.as_slice()?;
    }
    let npix = npix.as_slice()?;
    if own.iter().any(|e| e.len() < 2) || npix.len() != own.iter().map(|e| e.len() - 1).product::<usize>() {
        return Err(PyValueError::new_err("npix: expected one for each bin"));
    }
    let image = Image { turn, shift, energy, edges: own, npix };
    let found = py.detach(|| core_candidates(&image, &target.inner));
    let flat: Vec<i64> = found.iter().flat_map(|r| [r.start as i64, r.end as i64]).collect();
    flat.into_pyarray(py).reshape([found.len(), 2])
}

/// Sums by bin, numbers of pixels, and the pixels where they were to stay in memory.
type Arranged<'py> = (Floats<'py>, Floats<'py>, Counted<'py>, Option<Pixels<'py>>);

fn arranged<'py>(py: Python<'py>, sums: [Vec<f64>; 2], npix: Vec<u64>, out: Store) -> PyResult<Arranged<'py>> {
    let [signal, variance] = sums.map(|s| s.into_pyarray(py));
    let pixels = out.into_memory().map(|pixels| {
        let n = pixels.len() / FIELDS;
        pixels.into_pyarray(py).reshape([n, FIELDS])
    });
    Ok((signal, variance, npix.into_pyarray(py), pixels.transpose()?))
}

fn store(out: Option<&(PathBuf, u64)>, pixels: usize) -> Result<Store, Error> {
    out.map_or_else(|| Ok(Store::memory(pixels)), |(path, start)| Store::file(path, *start))
}

/// Pixels of the bins of `target`, in their order: into `out` (path of a file that is there, first byte), or memory where it
/// is None. More than `memory` bytes of them are put in order in the file.
#[pyfunction]
#[pyo3(signature = (source, target, *, ranges, blocks, out, memory, threads, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn arrange<'py>(
    py: Python<'py>,
    source: Given<'py>,
    target: &Target,
    ranges: Option<PyReadonlyArray2<'py, i64>>,
    blocks: usize,
    out: Option<(PathBuf, u64)>,
    memory: usize,
    threads: usize,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Arranged<'py>> {
    let source = source.source(py)?;
    let ranges = stretches(ranges.as_ref(), source.len())?;
    let target = target.inner.clone();
    let work = |watch: &Watch| {
        let source = source.watched(watch);
        let feed = Selection { source: &source, ranges: &ranges, blocks };
        let mut counts = Counts::new(target.grid.bins());
        counts.add(&feed, &target, blocks, threads)?;
        let n = counts.pixels();
        let gathered = store(out.as_ref().filter(|_| n * BYTES > memory), n)?;
        let plan = Arrangement::new(target, counts, gathered);
        plan.gather(&feed, 0, blocks, threads)?;
        sorted(plan, out.as_ref(), watch, threads)
    };
    let (sums, npix, out) = watched(py, progress.as_ref(), work)?;
    arranged(py, sums, npix, out)
}

type Sorted = ([Vec<f64>; 2], Vec<u64>, Store);

fn sorted(plan: Arrangement, out: Option<&(PathBuf, u64)>, watch: &Watch, threads: usize) -> Result<Sorted, Error> {
    let out = store(out, plan.pixels())?;
    let sums = plan.sort(&out, watch, threads)?;
    Ok((sums, plan.into_npix(), out))
}

/// A run without its counts.
#[pyclass(frozen)]
pub struct RunGeometry {
    turn: Mat3,
    mode: Mode,
    fixed: Vec<f64>,
    energies: Vec<f64>,
    directions: Vec<Vec3>,
    numbers: Vec<f64>,
    used: Vec<bool>,
    energy_of_k2: f64,
    id: f32,
}

impl RunGeometry {
    fn run(&self) -> Run<'_> {
        Run {
            turn: self.turn,
            mode: self.mode,
            fixed: &self.fixed,
            energies: &self.energies,
            directions: &self.directions,
            numbers: &self.numbers,
            used: &self.used,
            energy_of_k2: self.energy_of_k2,
            id: self.id,
        }
    }

    /// About a million pixels.
    fn step(&self) -> usize {
        (1 << 20) / self.energies.len().max(1) + 1
    }
}

#[pymethods]
impl RunGeometry {
    /// `mode`: 0 elastic, 1 direct, 2 indirect, as Horace's emode. `energies`: centres of bins.
    #[new]
    #[pyo3(signature = (*, turn, mode, fixed, energies, directions, numbers, used, energy_of_k2, id))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        turn: Mat3,
        mode: u8,
        fixed: Vec<f64>,
        energies: PyReadonlyArray1<'_, f64>,
        directions: PyReadonlyArray2<'_, f64>,
        numbers: PyReadonlyArray1<'_, f64>,
        used: PyReadonlyArray1<'_, bool>,
        energy_of_k2: f64,
        id: f32,
    ) -> PyResult<Self> {
        let mode = match mode {
            0 => Mode::Elastic,
            1 => Mode::Direct,
            2 => Mode::Indirect,
            _ => return Err(PyValueError::new_err(format!("mode: expected 0, 1 or 2, found {mode}"))),
        };
        let made = Self {
            turn,
            mode,
            fixed,
            energies: energies.as_slice()?.to_vec(),
            directions: directions.as_slice()?.as_chunks::<3>().0.to_vec(),
            numbers: numbers.as_slice()?.to_vec(),
            used: used.as_slice()?.to_vec(),
            energy_of_k2,
            id,
        };
        made.run().check().map_err(|e| to_python(py, e))?;
        Ok(made)
    }

    /// Smallest and largest u1, u2, u3 and energy transfer of pixels; infinite the wrong way round where there are none.
    fn limits(&self) -> [[f64; 2]; 4] {
        self.run().limits()
    }
}

enum Stage {
    Counting(Counts),
    Gathering(Box<Arrangement>, Vec<usize>),
    Done,
}

/// Runs into the bins of `target`: `count` each, `start`, `gather` each, `finish`.
#[pyclass(frozen)]
pub struct Generator {
    target: CoreTarget,
    threads: usize,
    before: Mutex<Vec<usize>>,
    stage: Mutex<Stage>,
}

impl Generator {
    /// False where counting is over.
    fn counted(&self, feed: &dyn Feed, blocks: usize) -> Result<bool, Error> {
        let mut stage = self.stage.lock().unwrap_or_else(|e| e.into_inner());
        let mut before = self.before.lock().unwrap_or_else(|e| e.into_inner());
        let Stage::Counting(counts) = &mut *stage else { return Ok(false) };
        counts.add(feed, &self.target, blocks, self.threads)?;
        let next = before.last().copied().unwrap_or(0) + blocks;
        before.push(next);
        Ok(true)
    }

    /// False where run `n` was not counted so.
    fn gathered(&self, n: usize, feed: &dyn Feed, blocks: usize) -> Result<bool, Error> {
        match &*self.stage.lock().unwrap_or_else(|e| e.into_inner()) {
            Stage::Gathering(plan, before) if before.get(n + 1) == Some(&(before[n] + blocks)) => {
                plan.gather(feed, before[n], blocks, self.threads).map(|()| true)
            }
            _ => Ok(false),
        }
    }
}

fn wrong() -> PyErr {
    PyValueError::new_err("generator: expected count, start, gather, finish in this order")
}

#[pymethods]
impl Generator {
    #[new]
    fn new(target: &Target, threads: usize) -> Self {
        let counts = Counts::new(target.inner.grid.bins());
        Self {
            target: target.inner.clone(),
            threads,
            before: Mutex::new(vec![0]),
            stage: Mutex::new(Stage::Counting(counts)),
        }
    }

    /// Pixels of the next run.
    fn count(&self, py: Python<'_>, run: &RunGeometry) -> PyResult<()> {
        let work = || {
            let core = run.run();
            let feed = RunFeed { run: &core, counts: None, step: run.step() };
            self.counted(&feed, feed.blocks())
        };
        if py.detach(work).map_err(|e| to_python(py, e))? { Ok(()) } else { Err(wrong()) }
    }

    /// Pixels that are there, as the next run.
    fn count_pixels(&self, py: Python<'_>, source: Given<'_>, blocks: usize) -> PyResult<()> {
        let source = source.source(py)?;
        let ranges = stretches(None, source.len())?;
        let work = || self.counted(&Selection { source: &source, ranges: &ranges, blocks }, blocks);
        if py.detach(work).map_err(|e| to_python(py, e))? { Ok(()) } else { Err(wrong()) }
    }

    /// Pixels that were counted as run `n`.
    fn gather_pixels(&self, py: Python<'_>, n: usize, source: Given<'_>, blocks: usize) -> PyResult<()> {
        let source = source.source(py)?;
        let ranges = stretches(None, source.len())?;
        let work = || self.gathered(n, &Selection { source: &source, ranges: &ranges, blocks }, blocks);
        if py.detach(work).map_err(|e| to_python(py, e))? { Ok(()) } else { Err(wrong()) }
    }

    /// Number of pixels that were counted.
    #[getter]
    fn pixels(&self) -> usize {
        match &*self.stage.lock().unwrap_or_else(|e| e.into_inner()) {
            Stage::Counting(counts) => counts.pixels(),
            Stage::Gathering(plan, _) => plan.pixels(),
            Stage::Done => 0,
        }
    }

    /// Ends the counting. `gathered`: the file of the result and the first byte of its pixels, in which they are to be put in
    /// order; None for memory.
    fn start(&self, py: Python<'_>, gathered: Option<(PathBuf, u64)>) -> PyResult<()> {
        let mut stage = self.stage.lock().unwrap_or_else(|e| e.into_inner());
        let Stage::Counting(counts) = std::mem::replace(&mut *stage, Stage::Done) else { return Err(wrong()) };
        let place = store(gathered.as_ref(), counts.pixels()).map_err(|e| to_python(py, e))?;
        let before = self.before.lock().unwrap_or_else(|e| e.into_inner()).clone();
        *stage = Stage::Gathering(Box::new(Arrangement::new(self.target.clone(), counts, place)), before);
        Ok(())
    }

    /// Signal and standard deviation (detectors, energies) of run `n`, counted from 0.
    fn gather(
        &self,
        py: Python<'_>,
        n: usize,
        run: &RunGeometry,
        signal: PyReadonlyArray2<'_, f64>,
        error: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<()> {
        let shape = (run.directions.len(), run.energies.len());
        if signal.as_array().dim() != shape || error.as_array().dim() != shape {
            return Err(PyValueError::new_err(format!("signal, error: expected {shape:?}")));
        }
        let counts = Some((signal.as_slice()?, error.as_slice()?));
        let work = || {
            let core = run.run();
            let feed = RunFeed { run: &core, counts, step: run.step() };
            self.gathered(n, &feed, feed.blocks())
        };
        if py.detach(work).map_err(|e| to_python(py, e))? { Ok(()) } else { Err(wrong()) }
    }

    /// Sums of signal and variance and numbers of pixels by bin, and the pixels unless they went to `out`.
    fn finish<'py>(&self, py: Python<'py>, out: Option<(PathBuf, u64)>) -> PyResult<Arranged<'py>> {
        let stage = std::mem::replace(&mut *self.stage.lock().unwrap_or_else(|e| e.into_inner()), Stage::Done);
        let Stage::Gathering(plan, _) = stage else { return Err(wrong()) };
        let work = |watch: &Watch| sorted(*plan, out.as_ref(), watch, self.threads);
        let (sums, npix, out) = watched(py, None, work)?;
        arranged(py, sums, npix, out)
    }
}
