//! Spectra with a closed form, straight from the core.

use insml_core::lattice::Lattice;
use insml_core::spinwave::{Bond, Compiled, Site, SpectrumOptions, SpinModel};
use insml_core::{Error, vec3::Mat3};
use std::f64::consts::TAU;

const EYE: Mat3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
const OPTIONS: SpectrumOptions =
    SpectrumOptions { form_factor: false, g_tensor: false, tensor: false, general: false, blocks: true, threads: 1 };

fn scaled(j: f64) -> Mat3 {
    EYE.map(|row| row.map(|x| x * j))
}

fn site(position: [f64; 3], spin: [f64; 3]) -> Site {
    let g = scaled(2.0);
    Site { position, spin, anisotropy: scaled(0.0), g, form_factor: None }
}

fn bond(i: usize, j: usize, dl: [i32; 3], exchange: f64) -> Bond {
    Bond { i, j, dl, exchange: scaled(exchange) }
}

fn model(supercell: [u32; 3], sites: Vec<Site>, bonds: Vec<Bond>) -> SpinModel {
    let lattice = Lattice::new([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 9.0]]).unwrap();
    SpinModel { lattice, supercell, sites, bonds, biquadratic: Vec::new(), field: [0.0; 3], rotation: None }
}

#[test]
fn ferromagnetic_chain() {
    let chain = model([1, 1, 1], vec![site([0.0; 3], [0.0, 0.0, 1.0])], vec![bond(0, 0, [1, 0, 0], -1.0)]);
    for h in [0.0, 0.1, 0.25, 0.5, 0.83] {
        let s = Compiled::new(chain.clone()).unwrap().spectrum(&[[h, 0.0, 0.0]], OPTIONS).unwrap();
        assert!((s.energy[0] - 2.0 * (1.0 - (TAU * h).cos())).abs() < 1e-8, "{h}");
        if h > 0.0 {
            // Q along x: of S^xx = S^yy = S/2 only S^yy is seen
            assert!((s.intensity[0] - 0.5).abs() < 1e-9);
        }
    }
}

#[test]
fn antiferromagnetic_chain() {
    let sites = vec![site([0.0; 3], [0.0, 0.0, 0.5]), site([0.5, 0.0, 0.0], [0.0, 0.0, -0.5])];
    let chain = model([2, 1, 1], sites, vec![bond(0, 1, [0, 0, 0], 1.0), bond(1, 0, [1, 0, 0], 1.0)]);
    for h in [0.07, 0.2, 0.25, 0.4, 0.9] {
        let s = Compiled::new(chain.clone()).unwrap().spectrum(&[[h, 0.0, 0.0]], OPTIONS).unwrap();
        for mode in 0..2 {
            assert!((s.energy[mode] - (TAU * h).sin().abs()).abs() < 1e-9, "{h}");
        }
        // both modes together: tan(pi h) S / 2 for the one component across Q
        let total: f64 = s.intensity.iter().sum();
        assert!((total - 0.25 * ((TAU * h / 2.0).tan()).abs()).abs() < 1e-6, "{h} {total}");
    }
}

#[test]
fn square_antiferromagnet_with_j2() {
    let (j1, j2, spin) = (10.0, 0.7, 1.5);
    let up = |x, y| site([x, y, 0.0], [0.0, 0.0, spin]);
    let down = |x, y| site([x, y, 0.0], [0.0, 0.0, -spin]);
    let sites = vec![up(0.0, 0.0), down(0.5, 0.0), down(0.0, 0.5), up(0.5, 0.5)];
    let mut bonds = Vec::new();
    for (i, j, steps) in [(0, 1, [-1, 0]), (2, 3, [-1, 0])] {
        bonds.extend(steps.iter().map(|&d| bond(i, j, [d, 0, 0], j1)));
    }
    for (i, j, steps) in [(0, 2, [-1, 0]), (1, 3, [-1, 0])] {
        bonds.extend(steps.iter().map(|&d| bond(i, j, [0, d, 0], j1)));
    }
    for (i, j, xs) in [(0, 3, [-1, 0]), (1, 2, [0, 1])] {
        for x in xs {
            bonds.extend([-1, 0].iter().map(|&y| bond(i, j, [x, y, 0], j2)));
        }
    }
    let square = model([2, 2, 1], sites, bonds);
    for (h, k) in [(0.5, 0.43), (0.31, 0.12), (0.25, 0.25), (0.9, 0.3)] {
        let s = Compiled::new(square.clone()).unwrap().spectrum(&[[h, k, 0.0]], OPTIONS).unwrap();
        let (ch, ck) = ((TAU * h).cos(), (TAU * k).cos());
        let a = 4.0 * j1 * spin - 4.0 * j2 * spin * (1.0 - ch * ck);
        let b = 2.0 * j1 * spin * (ch + ck);
        let expected = (a * a - b * b).sqrt();
        assert!(s.energy.iter().any(|e| (e - expected).abs() < 1e-8), "{:?} {expected}", s.energy);
    }
}

#[test]
fn instability_is_found() {
    let chain = model([1, 1, 1], vec![site([0.0; 3], [0.0, 0.0, 1.0])], vec![bond(0, 0, [1, 0, 0], 1.0)]);
    match Compiled::new(chain.clone()).unwrap().spectrum(&[[0.5, 0.0, 0.0]], OPTIONS) {
        Err(Error::Unstable { q, lowest_eigenvalue }) => {
            assert_eq!(q, [0.5, 0.0, 0.0]);
            assert!((lowest_eigenvalue + 4.0).abs() < 1e-9);
        }
        other => panic!("{other:?}"),
    }
}
