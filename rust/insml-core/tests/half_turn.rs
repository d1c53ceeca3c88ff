//! An image that half a turn leaves as it is, from half of it and from all of it.

#[path = "../benches/models/mod.rs"]
#[allow(dead_code)]
mod models;

use insml_core::convolution::footprint::{Footprint, Spread};
use insml_core::convolution::forward::{ForwardImage, ForwardSlice};
use insml_core::convolution::kernel::TimingKernel;
use insml_core::convolution::sheet::Raster;
use insml_core::convolution::slice::{Domain, Slice};
use insml_core::spinwave::{Bond, Compiled, SpinModel};
use insml_core::vec3::{Mat3, Vec3};
use models::{EASY, EYE, antiferromagnet, model, scaled, site};

const WIDTH: f64 = 0.05;
const MARGIN: [usize; 2] = [3, 2];

/// Bins about the middle but for `beside`; neutrons that come to opposite bins by opposite ways, with another third coordinate
/// at each distance. Footprints have no symmetry at all.
fn image(bins: [usize; 2], beside: f64, cells: usize) -> ForwardImage {
    let all = [0, 1].map(|a| bins[a] + 2 * MARGIN[a]);
    let first = [0, 1].map(|a| beside - 0.5 * WIDTH * (all[a] - 1) as f64);
    let (mut thirds, mut along_kf) = (Vec::new(), Vec::new());
    for i in 0..all[0] {
        for j in 0..all[1] {
            let [x, y] = [first[0] + WIDTH * i as f64, first[1] + WIDTH * j as f64].map(|x| x - beside);
            let far = x * x + y * y;
            thirds.push(if far > 0.35 { [f64::NAN; 3] } else { [0.3 + far, 0.4 + far, 0.5 + far] });
            along_kf.push([0.3 * x, 0.2 * y, 1.2]);
        }
    }
    let rows: Vec<f64> =
        (0..bins[0] * bins[1]).flat_map(|bin| [0.06, 0.02, 0.0, 0.03, 0.1, 0.04 + 1e-5 * bin as f64]).collect();
    let points: Vec<f64> = (0..256)
        .flat_map(|i| [0.754_877_666, 0.569_840_291].map(|x| (x * f64::from(i)).fract().powi(2) - 0.4))
        .collect();
    let x: Vec<f64> = (0..106).map(|i| -4.5 + 0.1 * f64::from(i)).collect();
    let row: Vec<f32> = x.iter().map(|x| (0.5 + 0.5 * (0.8 * x - 0.05 * x.abs()).tanh()) as f32).collect();
    let slices = [(0.5, 1.0), (1.5, 2.0), (2.5, 3.0)].map(|window| {
        let spread =
            Spread { bins, margin: MARGIN, widths: [WIDTH; 2], cells, rows: &rows, points: &points, variables: 2 };
        let kernel =
            TimingKernel::new((-3.0, 1.0 / 3.0), (-4.5, 0.1), (25, 9, 106), &row.repeat(25 * 9), [1e-3, -5e-4, 5e-4]);
        let slice = Slice {
            window,
            ei: 10.0,
            thirds: thirds.clone(),
            along_kf: along_kf.clone(),
            along_ki: [0.0, 0.0, 1.4],
            kernel,
        };
        ForwardSlice { slice, footprint: Footprint::new(&spread) }
    });
    ForwardImage {
        raster: Raster { bins, margin: MARGIN, first, widths: [WIDTH; 2], cells, vectors: EYE },
        slices: slices.into(),
    }
}

/// The same but for what counts as rounding: half a turn is not seen.
fn whole(bins: [usize; 2], cells: usize) -> ForwardImage {
    image(bins, 1e-9, cells)
}

fn intensities(image: &ForwardImage, model: SpinModel, maps: &[Mat3], threads: usize) -> Vec<f64> {
    let compiled = Compiled::new(model).unwrap();
    let domains: Vec<Domain> = maps.iter().map(|map| Domain { model: &compiled, map: *map, weight: 0.5 }).collect();
    image.intensities(&domains, false, threads).unwrap().expect("blocks")
}

fn farthest(a: &[f64], b: &[f64]) -> f64 {
    let largest = b.iter().copied().fold(0.0, f64::max);
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max) / largest
}

/// Root of the summed squares of the difference, as a share.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let difference: f64 = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum();
    (difference / b.iter().map(|x| x * x).sum::<f64>()).sqrt()
}

fn turned(degrees: f64) -> Mat3 {
    let (s, c) = degrees.to_radians().sin_cos();
    [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]
}

/// Domains are turned, so that no cell has slopes of one size along both axes, where rounding chooses between them.
#[test]
fn half_is_enough() {
    let maps = [turned(8.0), turned(17.0)];
    for (bins, cells) in [([20, 20], 2), ([7, 9], 3), ([1, 12], 2), ([93, 4], 1), ([83, 5], 2)] {
        let half = intensities(&image(bins, 0.0, cells), antiferromagnet([4, 4, 1]), &maps, 1);
        let all = intensities(&whole(bins, cells), antiferromagnet([4, 4, 1]), &maps, 1);
        // energies in single precision: a shift that changes nothing else shows what that does
        let other = intensities(&image(bins, 2e-7, cells), antiferromagnet([4, 4, 1]), &maps, 1);
        let (found, rounding) = (apart(&half, &all), apart(&other, &all));
        assert!(found < 1e-3 && found < 2.0 * rounding, "{bins:?} {found} {rounding}");
        assert!(half.iter().any(|x| *x > 0.0));
        // what blurs has no symmetry, and the picture none either
        let back: Vec<f64> = half.chunks(bins[0] * bins[1]).flat_map(|s| s.iter().rev().copied()).collect();
        assert!(farthest(&back, &half) > 1e-3, "{bins:?}");
        assert_eq!(half, intensities(&image(bins, 0.0, cells), antiferromagnet([4, 4, 1]), &maps, 3));
    }
}

/// Two sites whose bonds have no centre of inversion, with moments along and against z, and a twist of one of the bonds.
fn twisted() -> SpinModel {
    let up: Vec3 = [0.0, 0.0, 1.0];
    let sites = vec![site([0.0; 3], up, scaled(&EASY, 4.0)), site([0.3, 0.1, 0.0], up, scaled(&EASY, 8.0))];
    let twist = |d: f64| -> Mat3 { [[-1.0, d, 0.0], [-d, -1.0, 0.0], [0.0, 0.0, -1.0]] };
    let bonds = vec![
        Bond { i: 0, j: 1, dl: [0, 0, 0], exchange: twist(0.4) },
        Bond { i: 0, j: 0, dl: [1, 0, 0], exchange: twist(0.3) },
        Bond { i: 0, j: 0, dl: [0, 1, 0], exchange: twist(0.2) },
        Bond { i: 1, j: 1, dl: [0, 1, 0], exchange: twist(-0.1) },
    ];
    model([1, 1, 1], sites, bonds)
}

#[test]
fn an_image_that_half_a_turn_changes_is_computed_whole() {
    let bins = [20, 20];
    let one = intensities(&image(bins, 0.0, 2), twisted(), &[EYE], 1);
    assert!(one.iter().any(|x| *x > 0.0));
    // modes at k and -k differ: the two halves are different pictures, far beyond what footprints do
    let back: Vec<f64> = one.chunks(bins[0] * bins[1]).flat_map(|s| s.iter().rev().copied()).collect();
    assert!(farthest(&back, &one) > 0.1);
    assert!(apart(&one, &intensities(&whole(bins, 2), twisted(), &[EYE], 1)) < 1e-3);
}
