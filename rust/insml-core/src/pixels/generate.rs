//! Pixels of a run: Q and energy transfer of each detector and energy bin.

use crate::error::{Error, Result};
use crate::pixels::FIELDS;
use crate::pixels::arrange::Feed;
use crate::vec3::{Mat3, Vec3, mat_vec};
use std::ops::Range;

/// Numbers handed on at a time, at least.
const HANDED: usize = 4096 * FIELDS;

/// How the spectrometer selects energies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Energy bins are natural logarithms of wavelengths.
    Elastic,
    /// Ei is fixed.
    Direct,
    /// Ef is fixed.
    Indirect,
}

/// A run without its counts. Detectors whose `used` is false give no pixels.
pub struct Run<'a> {
    /// Spectrometer frame to crystal Cartesian.
    pub turn: Mat3,
    pub mode: Mode,
    /// Fixed energy in meV, one or one for each detector.
    pub fixed: &'a [f64],
    /// Centres of energy bins.
    pub energies: &'a [f64],
    /// Unit vectors from the sample, x along ki and z up.
    pub directions: &'a [Vec3],
    pub numbers: &'a [f64],
    pub used: &'a [bool],
    /// E / k^2, meV Angstrom^2.
    pub energy_of_k2: f64,
    /// The run as its pixels call it.
    pub id: f32,
}

/// The fixed energy of a detector and, through wave numbers, where its pixels are.
struct Beam<'a> {
    run: &'a Run<'a>,
    ki: f64,
    kf: f64,
}

impl<'a> Beam<'a> {
    fn new(run: &'a Run<'a>, d: usize) -> Self {
        let k = (run.fixed[if run.fixed.len() == 1 { 0 } else { d }] / run.energy_of_k2).sqrt();
        Self { run, ki: k, kf: k }
    }

    #[inline(always)]
    fn at(&mut self, energy: f64) -> (f64, f64) {
        match self.run.mode {
            Mode::Elastic => {
                let k = std::f64::consts::TAU / energy.exp();
                (self.ki, self.kf) = (k, k);
            }
            Mode::Direct => self.kf = (self.ki * self.ki - energy / self.run.energy_of_k2).sqrt(),
            Mode::Indirect => self.ki = (self.kf * self.kf + energy / self.run.energy_of_k2).sqrt(),
        }
        (self.ki, self.kf)
    }
}

impl Run<'_> {
    /// Detectors, directions and numbers as many; energies that neutrons can have.
    pub fn check(&self) -> Result<()> {
        let n = self.directions.len();
        if self.numbers.len() != n || self.used.len() != n || ![1, n].contains(&self.fixed.len()) {
            return Err(Error::Geometry(format!(
                "run: expected {n} numbers, switches and 1 or {n} fixed energies, found {}, {} and {}",
                self.numbers.len(),
                self.used.len(),
                self.fixed.len()
            )));
        }
        let lowest = self.fixed.iter().copied().fold(f64::INFINITY, f64::min);
        let (first, last) = (self.energies.first().copied(), self.energies.last().copied());
        let (Some(first), Some(last)) = (first, last) else {
            return Err(Error::Geometry("run: expected energy bins, found none".into()));
        };
        let reached = match self.mode {
            Mode::Elastic => 1.0,
            Mode::Direct => lowest - last,
            Mode::Indirect => lowest + first,
        };
        if reached.is_nan() || reached < 0.0 {
            return Err(Error::Geometry(format!(
                "run: expected energy transfers that neutrons of a fixed energy of {lowest} meV can have, found {first} to {last} meV"
            )));
        }
        Ok(())
    }

    /// Q and energy of detector `d`, bin by bin, as pixels hold them.
    fn each(&self, d: usize, mut work: impl FnMut(usize, [f32; 4])) {
        let incident = mat_vec(&self.turn, &[1.0, 0.0, 0.0]);
        let scattered = mat_vec(&self.turn, &self.directions[d]);
        let mut beam = Beam::new(self, d);
        for (e, energy) in self.energies.iter().enumerate() {
            let (ki, kf) = beam.at(*energy);
            let q: Vec3 = std::array::from_fn(|x| ki * incident[x] - kf * scattered[x]);
            work(e, [q[0] as f32, q[1] as f32, q[2] as f32, *energy as f32]);
        }
    }

    /// Smallest and largest of the four coordinates of used detectors.
    pub fn limits(&self) -> [[f64; 2]; 4] {
        let mut out = [[f64::INFINITY, f64::NEG_INFINITY]; 4];
        // Q of a detector is a straight line in k, so its ends are enough
        let ends = [self.energies[0], self.energies[self.energies.len() - 1]];
        let run = Run { energies: &ends, ..*self };
        for d in (0..self.used.len()).filter(|d| self.used[*d]) {
            run.each(d, |_, x| {
                for (range, x) in out.iter_mut().zip(x.map(f64::from)) {
                    *range = [range[0].min(x), range[1].max(x)];
                }
            });
        }
        out
    }
}

/// A run with its counts, (detectors, energies) of signal and of its standard deviation; zeros where there are none.
pub struct RunFeed<'a> {
    pub run: &'a Run<'a>,
    pub counts: Option<(&'a [f64], &'a [f64])>,
    /// Detectors of a block.
    pub step: usize,
}

impl RunFeed<'_> {
    pub fn blocks(&self) -> usize {
        self.run.directions.len().div_ceil(self.step)
    }

    fn detectors(&self, block: usize) -> Range<usize> {
        block * self.step..self.run.directions.len().min((block + 1) * self.step)
    }
}

impl Feed for RunFeed<'_> {
    fn read(&self, block: usize, buffer: &mut Vec<f32>, work: &mut dyn FnMut(&mut [f32])) -> Result<()> {
        let run = self.run;
        let n = run.energies.len();
        buffer.clear();
        for d in self.detectors(block).filter(|d| run.used[*d]) {
            run.each(d, |e, x| {
                let (signal, error) = self.counts.map_or((0.0, 0.0), |(s, r)| (s[d * n + e], r[d * n + e]));
                buffer.extend_from_slice(&x);
                buffer.extend_from_slice(&[run.id, run.numbers[d] as f32, (e + 1) as f32]);
                buffer.extend_from_slice(&[signal as f32, (error * error) as f32]);
            });
            if buffer.len() >= HANDED {
                work(buffer);
                buffer.clear();
            }
        }
        work(buffer);
        Ok(())
    }
}
