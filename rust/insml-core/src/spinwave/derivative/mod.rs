//! First derivatives of energies, intensities and broadened spectra with respect to parameters of the couplings, at fixed
//! spins.
//!
//! h(k) is linear in exchange, biquadratic terms, anisotropy and field, so dh/dp is the h of a model that has dJ/dp, dA/dp,
//! dB/dp in their place. With g h T = T W, T^+ g T = g = diag(s) and X = T^+ (dh/dp) T,
//!   dE_m = X_mm (m positive),   dt_m = sum_{n != m} t_n s_n X_nm / (w_m - w_n),
//! over all 2N modes, those of negative w included (Colpa, Physica A 93, 327 (1978), with perturbation theory in the metric
//! g). With W_mn = amp_m^+ (1 - q q) amp_n an intensity I_m = W_mm moves by
//!   dI_m = 2 Re sum_{n != m} s_n X_nm W_mn / (w_m - w_n),
//! and what one mode of positive energy gains from another, the other loses: the sum over degenerate modes does not know
//! of their mutual terms, and in S(E) = sum_m f(E_m) I_m, f a profile around E, they become
//!   dS(E) = sum_{m,n > 0} Re(X_nm W_mn) f[E_m, E_n] - 2 sum_{m > 0 > n} f(E_m) Re(X_nm W_mn) / (w_m - w_n)
//! with divided differences f[a, b] = (f(a) - f(b)) / (a - b), f[a, a] = f'(a): smooth where modes cross.

mod dense;
mod kernel;
pub(crate) mod modes;
pub(crate) mod plan;
mod response;
pub(crate) mod scratch;

use crate::error::{Error, Result};
use crate::lanes::{LANES, Real};
use crate::parallel::for_each;
use crate::spinwave::amplitude::Amplitudes;
use crate::spinwave::blocks::Splitting;
use crate::spinwave::blocks::kernel::supported;
use crate::spinwave::hamiltonian::Hamiltonian;
use crate::spinwave::model::SpinModel;
use crate::spinwave::rotation::Projector;
use crate::spinwave::spectrum::Compiled;
use crate::vec3::{Vec3, dot, norm, scale};
use dense::{Dense, Direction};
use kernel::Batch;
use plan::Plan;
pub use response::Profile;
use response::Response;

/// Modes closer than this, relative to the size of h, count as one level.
const DEGENERATE: f64 = 1e-7;
/// Blocks up to this size, with T and the scratch around it, fit into the cache `LANES` at a time.
const LARGEST: usize = 48;
/// Wave vectors per task.
const CHUNK: usize = 8 * LANES;

#[derive(Clone, Copy, Debug)]
pub struct DerivativeOptions {
    pub form_factor: bool,
    pub g_tensor: bool,
    /// Use the blocks of the model where the directions have them, too.
    pub blocks: bool,
    pub threads: usize,
}

/// For each wave vector one after the other: energy (modes), S_perp (modes), d energy (modes, np), d S_perp (modes, np),
/// modes as in `Compiled::spectrum`. Of a level that is degenerate come the modes that have no W_mn between them: sums over
/// modes of I_m f(E_m) then have the derivative that these numbers suggest, for any f.
pub fn gradient(
    model: &Compiled,
    directions: &[&Compiled],
    q: &[Vec3],
    options: DerivativeOptions,
) -> Result<Vec<f64>> {
    let modes = model.model.modes();
    let level = DEGENERATE * model.hamiltonian.scale;
    let n = model.hamiltonian.n();
    walk(model, directions, q, 2 * modes * (1 + directions.len()), options, Some(level), |frame, response, out| {
        response.put_gradient(level, modes, frame * n, out);
    })
}

/// For each wave vector one after the other: S (nE), dS (nE, np).
pub fn broadened(
    model: &Compiled,
    directions: &[&Compiled],
    q: &[Vec3],
    profile: &Profile,
    options: DerivativeOptions,
) -> Result<Vec<f64>> {
    walk(model, directions, q, profile.energy.len() * (1 + directions.len()), options, None, |_, response, out| {
        response.add_broadened(profile, out);
    })
}

/// Direction of Q; at Q = 0 that of the next non-zero point, else x.
fn hats(model: &SpinModel, q: &[Vec3]) -> Vec<Vec3> {
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

struct Setting<'a> {
    model: &'a SpinModel,
    hamiltonian: &'a Hamiltonian,
    amplitudes: &'a Amplitudes,
    /// Shift of the wave vector (r.l.u. of the chemical cell) and projector of each block of modes.
    frames: &'a [(Vec3, Projector)],
    directions: &'a [Direction],
    plan: Option<&'a Plan>,
    /// Modes closer than this are taken in combinations without W between them; None where that does not matter.
    level: Option<f64>,
}

/// Calls `sink` with (frame, response, the `width` numbers of the point) for every wave vector and rotating-frame block.
fn walk(
    model: &Compiled,
    directions: &[&Compiled],
    q: &[Vec3],
    width: usize,
    options: DerivativeOptions,
    level: Option<f64>,
    sink: impl Fn(usize, &mut Response, &mut [f64]) + Sync,
) -> Result<Vec<f64>> {
    let hamiltonian = &model.hamiltonian;
    if let Some(d) = directions.iter().find(|d| d.hamiltonian.n() != hamiltonian.n()) {
        let (expected, found) = (hamiltonian.n(), d.hamiltonian.n());
        return Err(Error::Model(format!("directions: expected {expected} sites as in the model, found {found}")));
    }
    if let (Some(rotation), true) = (&model.model.rotation, options.g_tensor) {
        rotation.check_g(&model.model)?;
    }
    let amplitudes = Amplitudes::new(&model.model, hamiltonian, options.form_factor, options.g_tensor);
    let frames = match &model.model.rotation {
        Some(rotation) => rotation.blocks(&model.model),
        None => vec![([0.0; 3], Projector::Whole)],
    };
    let along: Vec<&Hamiltonian> = directions.iter().map(|d| &d.hamiltonian).collect();
    let fits = |s: &&Splitting| s.pays() && s.blocks.iter().all(|b| b.size() <= LARGEST);
    let splitting = if options.blocks && supported() { model.splitting()?.filter(fits) } else { None };
    let plan = match splitting {
        Some(s) => Plan::new(s, hamiltonian, &along, &amplitudes, &frames)?,
        None => None,
    };
    let directions: Vec<Direction> = along.iter().map(|h| Direction::new(h)).collect();
    let setting = Setting {
        model: &model.model,
        hamiltonian,
        amplitudes: &amplitudes,
        frames: &frames,
        directions: &directions,
        plan: plan.as_ref(),
        level,
    };
    let hats = hats(&model.model, q);
    let mut out = vec![0.0; q.len() * width];
    let pieces = q.chunks(CHUNK).zip(hats.chunks(CHUNK)).zip(out.chunks_mut((CHUNK * width).max(1)));
    let errors = for_each(
        options.threads,
        pieces,
        || Worker::new(&setting),
        |worker, ((q, hats), out)| worker.chunk(&setting, q, hats, width, out, &sink).err(),
    );
    match errors.into_iter().min_by(|a, b| a.depth().total_cmp(&b.depth())) {
        Some(error) => Err(error),
        None => Ok(out),
    }
}

/// Scratch of one thread.
struct Worker {
    batch: Option<Batch>,
    by_block: Response,
    dense: Dense,
    whole: Response,
    factors: Vec<f64>,
}

impl Worker {
    fn new(setting: &Setting) -> Self {
        let (n, np) = (setting.hamiltonian.n(), setting.directions.len());
        Self {
            batch: setting.plan.map(Batch::new),
            by_block: Response::new(setting.plan.map_or(&[], |p| &p.particles), np),
            dense: Dense::new(n),
            whole: Response::new(&[n], np),
            factors: Vec::new(),
        }
    }

    fn chunk(
        &mut self,
        setting: &Setting,
        q: &[Vec3],
        hats: &[Vec3],
        width: usize,
        out: &mut [f64],
        sink: &impl Fn(usize, &mut Response, &mut [f64]),
    ) -> Result<()> {
        let mut worst: Option<Error> = None;
        for start in (0..q.len()).step_by(LANES) {
            let count = LANES.min(q.len() - start);
            self.load(setting, &q[start..start + count], &hats[start..start + count]);
            for (f, (shift, projector)) in setting.frames.iter().enumerate() {
                if let (Some(batch), Some(plan)) = (&mut self.batch, setting.plan) {
                    batch.solve(plan, f, &setting.hamiltonian.magnetic(shift));
                }
                for p in start..start + count {
                    let target = &mut out[p * width..(p + 1) * width];
                    let by_block = self.batch.as_ref().is_some_and(|batch| {
                        batch.response(p - start, &mut self.by_block);
                        !batch.failed.0[p - start] && setting.level.is_none_or(|width| !self.by_block.meets(width))
                    });
                    if by_block {
                        sink(f, &mut self.by_block, target);
                        continue;
                    }
                    match self.dense.solve(setting, &q[p], shift, projector, &hats[p], &mut self.whole) {
                        Ok(()) => sink(f, &mut self.whole, target),
                        Err(error) if worst.as_ref().is_none_or(|w| error.depth() < w.depth()) => {
                            worst = Some(error);
                        }
                        Err(_) => {}
                    }
                }
            }
        }
        worst.map_or(Ok(()), Err)
    }

    /// Wave vectors into the lanes; the last one fills lanes that are left over.
    fn load(&mut self, setting: &Setting, q: &[Vec3], hats: &[Vec3]) {
        let Some(batch) = &mut self.batch else { return };
        let ions = setting.amplitudes.ions();
        batch.ions.resize(ions, Real::ZERO);
        for l in 0..LANES {
            let p = l.min(q.len() - 1);
            let k = setting.hamiltonian.magnetic(&q[p]);
            for a in 0..3 {
                batch.q[a].0[l] = k[a];
                batch.q_hat[a].0[l] = hats[p][a];
            }
            if ions > 0 {
                let cartesian = setting.model.lattice.q_cartesian(&q[p]);
                setting.amplitudes.form_factors(dot(&cartesian, &cartesian), &mut self.factors);
                for (slot, f) in batch.ions.iter_mut().zip(&self.factors) {
                    slot.0[l] = *f;
                }
            }
        }
    }
}
