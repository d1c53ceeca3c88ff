//! Whether what a crystal scatters on an image is the same after half a turn about the middle of the image: then half of it is
//! enough.
//!
//! Bins and the ways of the neutrons are compared one by one. Energies and intensities are functions of the place that are
//! analytic but for crossings, so that agreement at one bin of every slice is agreement at all. How the instrument blurs them
//! is not asked for.

use crate::convolution::forward::ForwardSlice;
use crate::convolution::sheet::Raster;
use crate::convolution::slice::Domain;
use crate::error::Result;
use crate::lanes::LANES;
use crate::table::Modes;
use crate::table::solver::Solver;
use crate::table::weigh::{Place, Weigher};
use crate::vec3::{Vec3, dot};

/// Shares that count as rounding.
const SAME: f64 = 1e-9;
/// Energies to the power of 0 to so many less one, summed with and without intensities: all that modes are without their order.
const POWERS: usize = 3;

/// `to_axes`: steps along the axes for a step in hkl.
pub fn holds(
    raster: &Raster,
    slices: &[ForwardSlice],
    domains: &[(&Domain, &Modes)],
    to_axes: &[Vec3; 3],
) -> Result<bool> {
    if !same_ways(raster, slices, to_axes) {
        return Ok(false);
    }
    let bins = raster.all(0) * raster.all(1);
    let somewhere: Vec<[Vec3; 2]> = slices
        .iter()
        .enumerate()
        .filter_map(|(s, one)| {
            // a bin of no special place, another one in every slice
            let start = bins / 3 + (37 * s) % bins.div_ceil(8);
            let bin = (start..bins).chain(0..start).find(|b| one.slice.reaches(*b))?;
            let [x, y] = [raster.centre(0, bin / raster.all(1)), raster.centre(1, bin % raster.all(1))];
            let third = one.slice.thirds[bin][1];
            Some([raster.hkl(x, y, third), raster.hkl(-x, -y, third)])
        })
        .collect();
    let mut weigher = Weigher::default();
    let mut solvers: Vec<_> = domains.iter().map(|(_, modes)| Solver::new(modes)).collect();
    for some in somewhere.chunks(LANES / 2) {
        let mut sums = [[0.0; 2 * POWERS]; LANES];
        for ((domain, modes), solver) in domains.iter().zip(&mut solvers) {
            let places: Vec<Place> = some
                .as_flattened()
                .iter()
                .map(|hkl| Place::new(modes, &domain.model.model.lattice, &domain.map.map(|row| dot(&row, hkl))))
                .collect();
            add(modes, solver, &mut weigher, &places, domain.weight, &mut sums)?;
        }
        let sizes: [f64; 2 * POWERS] =
            std::array::from_fn(|p| sums.iter().map(|s| s[p].abs()).fold(f64::MIN_POSITIVE, f64::max));
        let pairs = sums[..2 * some.len()].as_chunks::<2>().0;
        let different =
            |[a, b]: &[[f64; 2 * POWERS]; 2]| (0..2 * POWERS).any(|p| (a[p] - b[p]).abs() > SAME * sizes[p]);
        if pairs.iter().any(different) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether bins lie evenly about the middle, and neutrons come to opposite ones by opposite ways.
fn same_ways(raster: &Raster, slices: &[ForwardSlice], to_axes: &[Vec3; 3]) -> bool {
    let even = |a: usize| (raster.centre(a, 0) + raster.centre(a, raster.all(a) - 1)).abs() < SAME * raster.widths[a];
    let plane = |k: &Vec3| [dot(&to_axes[0], k), dot(&to_axes[1], k)];
    let opposite = |a: &Vec3, b: &Vec3| {
        let size = dot(a, a).max(dot(b, b)).sqrt();
        plane(a).iter().zip(plane(b)).all(|(x, y)| (x + y).abs() <= SAME * size)
    };
    let same = |a: &[f64; 3], b: &[f64; 3]| {
        a.iter().zip(b).all(|(x, y)| (x - y).abs() <= SAME * (1.0 + x.abs()) || (x.is_nan() && y.is_nan()))
    };
    even(0)
        && even(1)
        && slices.iter().all(|one| {
            let slice = &one.slice;
            let (thirds, ways) = (&slice.thirds, &slice.along_kf);
            let half = thirds.len().div_ceil(2);
            opposite(&slice.along_ki, &slice.along_ki)
                && thirds[..half].iter().zip(thirds.iter().rev()).all(|(a, b)| same(a, b))
                && (ways[..half].iter().zip(ways.iter().rev()).enumerate())
                    .all(|(bin, (a, b))| !slice.reaches(bin) || opposite(a, b))
        })
}

/// Sums over modes of energies, and of energy times intensity, times powers of the energy.
fn add(
    modes: &Modes,
    solver: &mut Solver,
    weigher: &mut Weigher,
    places: &[Place],
    weight: f64,
    sums: &mut [[f64; 2 * POWERS]; LANES],
) -> Result<()> {
    let k: Vec<Vec3> = places.iter().map(|p| *p.k()).collect();
    let (mut energies, mut products) = (vec![0.0f64; k.len() * modes.count], vec![0.0f64; k.len() * modes.width]);
    solver.solve(&k, &mut energies, &mut products)?;
    let weights = weigher.weigh(modes, places);
    for (l, sums) in sums.iter_mut().enumerate().take(k.len()) {
        let products = &products[l * modes.width..(l + 1) * modes.width];
        for (energy, (first, product, size)) in energies[l * modes.count..].iter().zip(&modes.places) {
            let own = products[*product..product + size].iter().zip(&weights[*first..first + size]);
            let strength: f64 = own.map(|(x, w)| x * w.0[l]).sum();
            let mut power = weight;
            for p in 0..POWERS {
                sums[p] += power * energy;
                sums[POWERS + p] += power * strength;
                power *= energy;
            }
        }
    }
    Ok(())
}
