//! What an image through an instrument is made of: slices, and domains of the crystal.

use crate::convolution::kernel::TimingKernel;
use crate::error::Result;
use crate::spinwave::{Amplitudes, Compiled};
use crate::table::Modes;
use crate::vec3::Vec3;

/// One slice: bins (axis 0, axis 1) row by row.
pub struct Slice {
    /// Energy window, meV; the incident energy.
    pub window: (f64, f64),
    pub ei: f64,
    /// Third coordinate of each bin at the window's ends and middle, low to high; NaN where the spectrometer cannot reach.
    pub thirds: Vec<[f64; 3]>,
    /// hkl of a step of 1/Angstrom along kf for each bin, and along ki.
    pub along_kf: Vec<Vec3>,
    pub along_ki: Vec3,
    pub kernel: TimingKernel,
}

impl Slice {
    /// Whether the spectrometer reaches all of a bin.
    #[inline(always)]
    pub fn reaches(&self, bin: usize) -> bool {
        self.thirds[bin].iter().all(|x| !x.is_nan())
    }
}

/// A domain: `map` takes hkl to the domain's own.
pub struct Domain<'a> {
    pub model: &'a Compiled,
    pub map: [Vec3; 3],
    pub weight: f64,
}

/// Domains in zero field share a model, and with it blocks and amplitudes.
pub struct Distinct<'a> {
    models: Vec<&'a Compiled>,
    amplitudes: Vec<Amplitudes>,
    /// For each domain, its model.
    pub which: Vec<usize>,
}

impl<'a> Distinct<'a> {
    pub fn of(domains: &[Domain<'a>], form_factor: bool) -> Self {
        let mut models: Vec<&Compiled> = Vec::new();
        let which = domains
            .iter()
            .map(|d| {
                models.iter().position(|m| std::ptr::eq(*m, d.model)).unwrap_or_else(|| {
                    models.push(d.model);
                    models.len() - 1
                })
            })
            .collect();
        let amplitudes = models.iter().map(|m| Amplitudes::new(&m.model, &m.hamiltonian, form_factor, false)).collect();
        Self { models, amplitudes, which }
    }

    /// For each model; None where one does not come in blocks that depend on two components of the wave vector alone.
    pub fn modes(&self) -> Result<Option<Vec<Modes<'_>>>> {
        self.models.iter().zip(&self.amplitudes).map(|(m, a)| Modes::new(m, a)).collect()
    }
}
