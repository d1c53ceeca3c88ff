//! Energies and correlation functions at a list of wave vectors.

use crate::error::{Error, Result};
use crate::lanes::{LANES, Real};
use crate::parallel::for_each;
use crate::spinwave::amplitude::{Amplitudes, amplitude, perpendicular};
use crate::spinwave::blocks::{Batch, Plan, Splitting, kernel};
use crate::spinwave::bogoliubov::Bogoliubov;
use crate::spinwave::hamiltonian::Hamiltonian;
use crate::spinwave::model::SpinModel;
use crate::spinwave::rotation::Projector;
use crate::vec3::{CVec3, Vec3, dot, norm, scale};
use num_complex::Complex64;
use std::ops::Range;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug)]
pub struct SpectrumOptions {
    pub form_factor: bool,
    pub g_tensor: bool,
    pub tensor: bool,
    /// Where h is not positive, diagonalise g h itself; modes of complex energy are NaN.
    pub general: bool,
    /// Use the blocks that are found; without, every point takes the general path.
    pub blocks: bool,
    pub threads: usize,
}

/// All arrays are (nq, modes), modes ascending in energy; in a rotating frame block after block (Q - k, Q, Q + k).
#[derive(Clone, Debug)]
pub struct Spectrum {
    pub modes: usize,
    /// meV.
    pub energy: Vec<f64>,
    /// S_perp per chemical cell.
    pub intensity: Vec<f64>,
    /// (nq, modes, 3, 3) conj(amp_a) amp_b, empty unless asked for.
    pub tensor: Vec<Complex64>,
}

/// Direction of q[at]; at Q = 0 that of the next non-zero point, else x.
fn direction(model: &SpinModel, q: &[Vec3], at: usize) -> Vec3 {
    for hkl in &q[at..] {
        let cartesian = model.lattice.q_cartesian(hkl);
        let length = norm(&cartesian);
        if length > 1e-12 {
            return scale(&cartesian, 1.0 / length);
        }
    }
    [1.0, 0.0, 0.0]
}

/// A model with what is computed once: the quadratic form, and its blocks when first needed.
#[derive(Debug)]
pub struct Compiled {
    pub model: SpinModel,
    pub hamiltonian: Hamiltonian,
    splitting: OnceLock<Result<Option<Splitting>>>,
    /// Blocks of a model that differs in its couplings.
    hint: Option<Splitting>,
}

impl Compiled {
    pub fn new(model: SpinModel) -> Result<Self> {
        Self::like(model, None)
    }

    /// With the blocks of `previous` if they hold: the search is saved where only couplings changed.
    pub fn like(model: SpinModel, previous: Option<&Self>) -> Result<Self> {
        let hamiltonian = Hamiltonian::new(&model)?;
        let same = previous.filter(|p| p.hamiltonian.n() == hamiltonian.n());
        // what the search costs there it saves here, and its blocks do not depend on how nearly symmetric this model is
        let known = same.and_then(|p| p.splitting().ok().flatten().cloned().or_else(|| p.hint.clone()));
        let hint = known.filter(|h| h.sites() == hamiltonian.n());
        Ok(Self { model, hamiltonian, splitting: OnceLock::new(), hint })
    }

    /// The blocks of the model; None where the search did not reproduce it.
    pub fn splitting(&self) -> Result<Option<&Splitting>> {
        let find = || match self.hint.as_ref().map(|h| h.adapted(&self.hamiltonian)).transpose()?.flatten() {
            Some(adapted) => Ok(Some(adapted)),
            None => Splitting::find(&self.hamiltonian),
        };
        match self.splitting.get_or_init(find) {
            Ok(found) => Ok(found.as_ref()),
            Err(error) => Err(error.clone()),
        }
    }

    fn frames(&self) -> Vec<(Vec3, Projector)> {
        match &self.model.rotation {
            Some(rotation) => rotation.blocks(&self.model),
            None => vec![([0.0; 3], Projector::Whole)],
        }
    }

    /// Linear spin waves at `q` (r.l.u. of the chemical cell). Of several unstable points the lowest eigenvalue is reported.
    pub fn spectrum(&self, q: &[Vec3], options: SpectrumOptions) -> Result<Spectrum> {
        let hamiltonian = &self.hamiltonian;
        if let (Some(rotation), true) = (&self.model.rotation, options.g_tensor) {
            rotation.check_g(&self.model)?;
        }
        let amplitudes = Amplitudes::new(&self.model, hamiltonian, options.form_factor, options.g_tensor);
        let frames = self.frames();
        let magnetic: Vec<_> =
            frames.iter().map(|(shift, projector)| (hamiltonian.magnetic(shift), *projector)).collect();
        let plan = match options.blocks && kernel::supported() {
            true => self
                .splitting()?
                .filter(|s| s.pays())
                .map(|s| s.plan(hamiltonian, &amplitudes, &magnetic))
                .transpose()?,
            false => None,
        };
        let n = hamiltonian.n() * frames.len();
        let mut out = Spectrum {
            modes: n,
            energy: vec![0.0; q.len() * n],
            intensity: vec![0.0; q.len() * n],
            tensor: vec![Complex64::ZERO; if options.tensor { q.len() * n * 9 } else { 0 }],
        };
        let setting = Setting {
            model: &self.model,
            hamiltonian,
            amplitudes: &amplitudes,
            frames: &frames,
            plan: plan.as_ref(),
            general: options.general,
        };
        let chunk = chunk(n);
        // an absent tensor still needs one (empty) piece per chunk to zip with
        let mut tensors: Vec<&mut [Complex64]> = if options.tensor {
            out.tensor.chunks_mut(chunk * n * 9).collect()
        } else {
            (0..q.len().div_ceil(chunk)).map(|_| Default::default()).collect()
        };
        let pieces = ((0..q.len()).step_by(chunk))
            .zip(out.energy.chunks_mut(chunk * n).zip(out.intensity.chunks_mut(chunk * n)))
            .zip(&mut tensors)
            .map(|((start, (energy, intensity)), tensor)| {
                (Points { all: q, range: start..q.len().min(start + chunk) }, Modes { energy, intensity, tensor })
            });
        let errors = for_each(
            options.threads,
            pieces,
            || Worker::new(&setting),
            |worker, (points, modes)| worker.chunk(&setting, points, modes).err(),
        );
        match errors.into_iter().min_by(|a, b| a.depth().total_cmp(&b.depth())) {
            Some(error) => Err(error),
            None => Ok(out),
        }
    }
}

/// Wave vectors per task: enough that handing them out costs nothing, few enough that no thread waits long for the last.
fn chunk(modes: usize) -> usize {
    (256 / modes.max(1)).clamp(4, 256) * LANES
}

/// Some of all wave vectors.
struct Points<'a> {
    all: &'a [Vec3],
    range: Range<usize>,
}

impl Points<'_> {
    fn len(&self) -> usize {
        self.range.len()
    }

    fn q(&self, point: usize) -> &Vec3 {
        &self.all[self.range.start + point]
    }

    fn direction(&self, model: &SpinModel, point: usize) -> Vec3 {
        direction(model, self.all, self.range.start + point)
    }
}

struct Setting<'a> {
    model: &'a SpinModel,
    hamiltonian: &'a Hamiltonian,
    amplitudes: &'a Amplitudes,
    /// Shift of the wave vector (r.l.u. of the chemical cell) and projector of each block of modes.
    frames: &'a [(Vec3, Projector)],
    plan: Option<&'a Plan>,
    general: bool,
}

struct Modes<'a> {
    energy: &'a mut [f64],
    intensity: &'a mut [f64],
    tensor: &'a mut [Complex64],
}

impl Modes<'_> {
    /// Those of one point.
    fn of(&mut self, point: usize, start: usize, count: usize, stride: usize) -> Modes<'_> {
        let range = point * stride + start..point * stride + start + count;
        let tensor = match self.tensor.is_empty() {
            true => &mut [][..],
            false => &mut self.tensor[9 * range.start..9 * range.end],
        };
        Modes { energy: &mut self.energy[range.clone()], intensity: &mut self.intensity[range], tensor }
    }

    fn put_tensor(&mut self, mode: usize, amp: &CVec3) {
        if !self.tensor.is_empty() {
            for a in 0..3 {
                for b in 0..3 {
                    self.tensor[mode * 9 + a * 3 + b] = amp[a].conj() * amp[b];
                }
            }
        }
    }
}

/// Scratch of one thread.
struct Worker {
    batch: Option<Batch>,
    solver: Bogoliubov,
    contracted: Vec<CVec3>,
    factors: Vec<f64>,
    weights: Vec<Complex64>,
    order: Vec<usize>,
}

impl Worker {
    fn new(setting: &Setting) -> Self {
        let n = setting.hamiltonian.n();
        Self {
            batch: setting.plan.map(Batch::new),
            solver: Bogoliubov::new(n),
            contracted: vec![[Complex64::ZERO; 3]; n * n],
            factors: Vec::new(),
            weights: Vec::new(),
            order: (0..n).collect(),
        }
    }

    fn chunk(&mut self, setting: &Setting, points: Points, mut out: Modes) -> Result<()> {
        let n = setting.hamiltonian.n();
        let stride = n * setting.frames.len();
        let mut worst: Option<Error> = None;
        let mut note = |result: Result<()>| {
            if let Err(error) = result
                && worst.as_ref().is_none_or(|w| error.depth() < w.depth())
            {
                worst = Some(error);
            }
        };
        let taken = self.batch.take();
        match (setting.plan, taken) {
            (Some(plan), Some(mut batch)) => {
                for start in (0..points.len()).step_by(LANES) {
                    let count = LANES.min(points.len() - start);
                    self.load(setting, &points, start, &mut batch);
                    for (f, (shift, _)) in setting.frames.iter().enumerate() {
                        let shift = setting.hamiltonian.magnetic(shift);
                        batch.k = std::array::from_fn(|a| batch.q[a].map(|x| x + shift[a]));
                        batch.solve(plan, f);
                        for l in 0..count {
                            let mut modes = out.of(start + l, f * n, n, stride);
                            if batch.failed.0[l] {
                                note(self.dense(setting, &points, start + l, f, modes));
                                continue;
                            }
                            let energy = |m: usize| batch.energies[m].0[l];
                            // equal energies in the order of modes: what came before must not show
                            self.order.sort_unstable_by(|&a, &b| energy(a).total_cmp(&energy(b)).then(a.cmp(&b)));
                            for (slot, &mode) in self.order.iter().enumerate() {
                                modes.energy[slot] = batch.energies[mode].0[l];
                                modes.intensity[slot] = batch.intensities[mode].0[l];
                                if !modes.tensor.is_empty() {
                                    modes.put_tensor(slot, &batch.amplitude(plan, f, mode, l));
                                }
                            }
                        }
                    }
                }
                self.batch = Some(batch);
            }
            _ => {
                for p in 0..points.len() {
                    for f in 0..setting.frames.len() {
                        note(self.dense(setting, &points, p, f, out.of(p, f * n, n, stride)));
                    }
                }
            }
        }
        worst.map_or(Ok(()), Err)
    }

    /// Wave vectors from `start` on into the lanes; the last one fills lanes that are left over.
    fn load(&mut self, setting: &Setting, points: &Points, start: usize, batch: &mut Batch) {
        let ions = setting.amplitudes.ions();
        batch.ions.resize(ions, Real::ZERO);
        for l in 0..LANES {
            let p = (start + l).min(points.len() - 1);
            let k = setting.hamiltonian.magnetic(points.q(p));
            let hat = points.direction(setting.model, p);
            for a in 0..3 {
                batch.q[a].0[l] = k[a];
                batch.q_hat[a].0[l] = hat[a];
            }
            if ions > 0 {
                let q = setting.model.lattice.q_cartesian(points.q(p));
                setting.amplitudes.form_factors(dot(&q, &q), &mut self.factors);
                for (slot, f) in batch.ions.iter_mut().zip(&self.factors) {
                    slot.0[l] = *f;
                }
            }
        }
    }

    /// One point by the general path.
    fn dense(&mut self, setting: &Setting, points: &Points, p: usize, frame: usize, mut out: Modes) -> Result<()> {
        let (hamiltonian, amplitudes) = (setting.hamiltonian, setting.amplitudes);
        let (hkl, (shift, projector)) = (points.q(p), &setting.frames[frame]);
        let n = hamiltonian.n();
        let shifted = std::array::from_fn(|a| hkl[a] + shift[a]);
        if setting.general {
            self.solver.solve_general(hamiltonian, &shifted)?;
        } else {
            self.solver.solve(hamiltonian, &shifted)?;
        }
        amplitudes.contract(&self.solver, &mut self.contracted);
        let q = setting.model.lattice.q_cartesian(hkl);
        let hat = points.direction(setting.model, p);
        amplitudes.weights(&hamiltonian.magnetic(hkl), dot(&q, &q), &mut self.factors, &mut self.weights);
        out.energy.copy_from_slice(&self.solver.energies);
        for mode in 0..n {
            let whole = amplitude(&self.contracted[mode * n..(mode + 1) * n], &self.weights);
            let amp = projector.apply(&whole);
            out.intensity[mode] = perpendicular(&amp, &hat);
            out.put_tensor(mode, &amp);
        }
        Ok(())
    }
}
