//! Models that more than one benchmark has.

use insml_core::lattice::Lattice;
use insml_core::spinwave::{Bond, Site, SpinModel};
use insml_core::vec3::{Mat3, Vec3};

pub const EYE: Mat3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
pub const EASY: Mat3 = [[0.0; 3], [0.0; 3], [0.0, 0.0, -0.05]];

pub fn scaled(m: &Mat3, x: f64) -> Mat3 {
    m.map(|row| row.map(|v| v * x))
}

pub fn site(position: Vec3, spin: Vec3, anisotropy: Mat3) -> Site {
    Site { position, spin, anisotropy, g: scaled(&EYE, 2.0), form_factor: None }
}

pub fn model(supercell: [u32; 3], sites: Vec<Site>, bonds: Vec<Bond>) -> SpinModel {
    let lattice = Lattice::new([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 9.0]]).expect("a cell with a volume");
    SpinModel { lattice, supercell, sites, bonds, biquadratic: Vec::new(), field: [0.0; 3], rotation: None }
}

/// Antiferromagnet with J1 and J2 in layers, written as one magnetic cell; a chain where one size is 1.
pub fn antiferromagnet(size: [i32; 3]) -> SpinModel {
    let index = |c: [i32; 3]| {
        let inside: [i32; 3] = std::array::from_fn(|a| c[a].rem_euclid(size[a]));
        ((inside[0] * size[1] + inside[1]) * size[2] + inside[2]) as usize
    };
    let mut steps = vec![([1, 0, 0], 1.0)];
    if size[1] > 1 {
        steps.extend([([0, 1, 0], 1.0), ([1, 1, 0], 0.1), ([1, -1, 0], 0.1)]);
    }
    if size[2] > 1 {
        steps.push(([0, 0, 1], 0.5));
    }
    let (mut sites, mut bonds) = (Vec::new(), Vec::new());
    for x in 0..size[0] {
        for y in 0..size[1] {
            for z in 0..size[2] {
                let at = [x, y, z];
                let up = if (x + y + z) % 2 == 0 { 1.0 } else { -1.0 };
                let position = std::array::from_fn(|a| f64::from(at[a]) / f64::from(size[a]));
                sites.push(site(position, [0.0, 0.0, up], EASY));
                for (step, exchange) in &steps {
                    let to: [i32; 3] = std::array::from_fn(|a| at[a] + step[a]);
                    let dl = std::array::from_fn(|a| to[a].div_euclid(size[a]));
                    bonds.push(Bond { i: index(at), j: index(to), dl, exchange: scaled(&EYE, *exchange) });
                }
            }
        }
    }
    model(size.map(|n| n as u32), sites, bonds)
}
