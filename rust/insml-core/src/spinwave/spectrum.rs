//! Energies and correlation functions at a list of wave vectors.

use crate::error::{Error, Result};
use crate::parallel::with_threads;
use crate::spinwave::amplitude::{Amplitudes, amplitude, perpendicular};
use crate::spinwave::bogoliubov::Bogoliubov;
use crate::spinwave::hamiltonian::Hamiltonian;
use crate::spinwave::model::SpinModel;
use crate::spinwave::rotation::Projector;
use crate::vec3::{CVec3, Vec3, norm, scale};
use num_complex::Complex64;
use rayon::prelude::*;

#[derive(Clone, Copy, Debug)]
pub struct SpectrumOptions {
    pub form_factor: bool,
    pub g_tensor: bool,
    pub tensor: bool,
    /// Where h is not positive, diagonalise g h itself; modes of complex energy are NaN.
    pub general: bool,
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

/// Direction of Q; at Q = 0 that of the next non-zero point, else x.
fn directions(model: &SpinModel, q: &[Vec3]) -> Vec<Vec3> {
    let mut out = vec![[1.0, 0.0, 0.0]; q.len()];
    let mut next = [1.0, 0.0, 0.0];
    for (slot, hkl) in out.iter_mut().zip(q).rev() {
        let cartesian = model.lattice.q_cartesian(hkl);
        let length = norm(&cartesian);
        if length > 1e-12 {
            next = scale(&cartesian, 1.0 / length);
        }
        *slot = next;
    }
    out
}

/// Linear spin waves of `model` at `q` (r.l.u. of the chemical cell). Of several unstable points the lowest eigenvalue is
/// reported.
pub fn spectrum(model: &SpinModel, q: &[Vec3], options: SpectrumOptions) -> Result<Spectrum> {
    let hamiltonian = Hamiltonian::new(model)?;
    if let (Some(rotation), true) = (&model.rotation, options.g_tensor) {
        rotation.check_g(model)?;
    }
    let amplitudes = Amplitudes::new(model, &hamiltonian, options.form_factor, options.g_tensor);
    let blocks = match &model.rotation {
        Some(rotation) => rotation.blocks(model),
        None => vec![([0.0; 3], Projector::Whole)],
    };
    let n = hamiltonian.n() * blocks.len();
    let hats = directions(model, q);
    let mut energy = vec![0.0; q.len() * n];
    let mut intensity = vec![0.0; q.len() * n];
    let mut tensor = vec![Complex64::ZERO; if options.tensor { q.len() * n * 9 } else { 0 }];
    const CHUNK: usize = 32;
    // an absent tensor still needs one (empty) piece per chunk to zip with
    let pieces = q.len().div_ceil(CHUNK);
    let mut tensor_pieces: Vec<&mut [Complex64]> = if options.tensor {
        tensor.chunks_mut(CHUNK * n * 9).collect()
    } else {
        (0..pieces).map(|_| Default::default()).collect()
    };
    let setting = Setting { model, hamiltonian: &hamiltonian, amplitudes: &amplitudes, general: options.general };
    let errors: Vec<Option<Error>> = with_threads(options.threads, || {
        (q.par_chunks(CHUNK), hats.par_chunks(CHUNK))
            .into_par_iter()
            .zip(energy.par_chunks_mut(CHUNK * n))
            .zip(intensity.par_chunks_mut(CHUNK * n))
            .zip(tensor_pieces.par_iter_mut())
            .map_init(
                || Worker::new(hamiltonian.n()),
                |worker, ((((q, hats), energy), intensity), tensor)| {
                    for p in 0..q.len() {
                        for (b, (shift, projector)) in blocks.iter().enumerate() {
                            let start = p * n + b * hamiltonian.n();
                            let modes = start..start + hamiltonian.n();
                            let tensor = match options.tensor {
                                true => &mut tensor[start * 9..modes.end * 9],
                                false => &mut [][..],
                            };
                            let point = Point { hkl: &q[p], q_hat: &hats[p], shift, projector };
                            let out =
                                Modes { energy: &mut energy[modes.clone()], intensity: &mut intensity[modes], tensor };
                            if let Err(error) = worker.evaluate(&setting, point, out) {
                                return Some(error);
                            }
                        }
                    }
                    None
                },
            )
            .collect()
    })?;
    match errors.into_iter().flatten().min_by(|a, b| a.depth().total_cmp(&b.depth())) {
        Some(error) => Err(error),
        None => Ok(Spectrum { modes: n, energy, intensity, tensor }),
    }
}

struct Setting<'a> {
    model: &'a SpinModel,
    hamiltonian: &'a Hamiltonian,
    amplitudes: &'a Amplitudes,
    general: bool,
}

/// Q, and the wave vector Q + shift at which h is solved for it.
struct Point<'a> {
    hkl: &'a Vec3,
    q_hat: &'a Vec3,
    shift: &'a Vec3,
    projector: &'a Projector,
}

struct Modes<'a> {
    energy: &'a mut [f64],
    intensity: &'a mut [f64],
    tensor: &'a mut [Complex64],
}

/// Scratch of one thread.
struct Worker {
    solver: Bogoliubov,
    contracted: Vec<CVec3>,
    factors: Vec<f64>,
    weights: Vec<Complex64>,
}

impl Worker {
    fn new(n: usize) -> Self {
        Self {
            solver: Bogoliubov::new(n),
            contracted: vec![[Complex64::ZERO; 3]; n * n],
            factors: Vec::new(),
            weights: Vec::new(),
        }
    }

    fn evaluate(&mut self, setting: &Setting, point: Point, out: Modes) -> Result<()> {
        let (hamiltonian, amplitudes) = (setting.hamiltonian, setting.amplitudes);
        let n = hamiltonian.n();
        let shifted = std::array::from_fn(|a| point.hkl[a] + point.shift[a]);
        if setting.general {
            self.solver.solve_general(hamiltonian, &shifted)?;
        } else {
            self.solver.solve(hamiltonian, &shifted)?;
        }
        amplitudes.contract(&self.solver, &mut self.contracted);
        let length = norm(&setting.model.lattice.q_cartesian(point.hkl));
        let k = hamiltonian.magnetic(point.hkl);
        amplitudes.weights(&k, length * length, &mut self.factors, &mut self.weights);
        out.energy.copy_from_slice(&self.solver.energies);
        for mode in 0..n {
            let whole = amplitude(&self.contracted[mode * n..(mode + 1) * n], &self.weights);
            let amp = point.projector.apply(&whole);
            out.intensity[mode] = perpendicular(&amp, point.q_hat);
            if !out.tensor.is_empty() {
                for a in 0..3 {
                    for b in 0..3 {
                        out.tensor[mode * 9 + a * 3 + b] = amp[a].conj() * amp[b];
                    }
                }
            }
        }
        Ok(())
    }
}
