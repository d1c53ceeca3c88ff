//! Energies and S_perp, one thread, per wave vector: `cargo bench --bench spectrum`. Each model once with its blocks and
//! once as a whole; `gradient` adds the derivatives along two directions; `search` is what finding the blocks costs, once
//! per model.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use insml_core::lattice::Lattice;
use insml_core::spinwave::blocks::Splitting;
use insml_core::spinwave::blocks::split::Noise;
use insml_core::spinwave::derivative::{DerivativeOptions, gradient};
use insml_core::spinwave::{Bond, Compiled, Site, SpectrumOptions, SpinModel};
use insml_core::vec3::{Mat3, Vec3};
use std::hint::black_box;

const EYE: Mat3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
const EASY: Mat3 = [[0.0; 3], [0.0; 3], [0.0, 0.0, -0.05]];

fn scaled(m: &Mat3, x: f64) -> Mat3 {
    m.map(|row| row.map(|v| v * x))
}

fn site(position: Vec3, spin: Vec3, anisotropy: Mat3) -> Site {
    Site { position, spin, anisotropy, g: scaled(&EYE, 2.0), form_factor: None }
}

fn model(supercell: [u32; 3], sites: Vec<Site>, bonds: Vec<Bond>) -> SpinModel {
    let lattice = Lattice::new([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 9.0]]).expect("a cell with a volume");
    SpinModel { lattice, supercell, sites, bonds, biquadratic: Vec::new(), field: [0.0; 3], rotation: None }
}

/// Antiferromagnet with J1 and J2 in layers, written as one magnetic cell; a chain where one size is 1.
fn antiferromagnet(size: [i32; 3]) -> SpinModel {
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

fn ferromagnet() -> SpinModel {
    let bond = Bond { i: 0, j: 0, dl: [1, 0, 0], exchange: scaled(&EYE, -1.0) };
    model([1; 3], vec![site([0.0; 3], [0.0, 0.0, 1.0], EASY)], vec![bond])
}

/// n spins in all directions, each along its own easy axis, with full exchange matrices to four others: no symmetry.
fn generic(n: usize) -> SpinModel {
    let mut noise = Noise::new(7);
    let (mut sites, mut bonds) = (Vec::new(), Vec::new());
    for i in 0..n {
        let v = noise.wave_vector();
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let spin = v.map(|x| x / length);
        let easy = std::array::from_fn(|a| std::array::from_fn(|b| -6.0 * spin[a] * spin[b]));
        sites.push(site(noise.wave_vector(), spin, easy));
        for step in [1, 2, 3, 5] {
            let exchange = std::array::from_fn(|_| noise.wave_vector().map(|x| 0.5 * x));
            let dl = noise.wave_vector().map(|x| (1.4 * x) as i32);
            bonds.push(Bond { i, j: (i + step) % n, dl, exchange });
        }
    }
    model([1; 3], sites, bonds)
}

/// dh/dp for p a factor of all bonds.
fn strength(model: &SpinModel) -> SpinModel {
    let mut out = model.clone();
    for site in &mut out.sites {
        site.anisotropy = [[0.0; 3]; 3];
    }
    out
}

/// dh/dp for p a factor of all anisotropy.
fn hardness(model: &SpinModel) -> SpinModel {
    let mut out = model.clone();
    for bond in &mut out.bonds {
        bond.exchange = [[0.0; 3]; 3];
    }
    out
}

fn bench(c: &mut Criterion) {
    let q: Vec<Vec3> = (0..256).map(|i| [0.0137 * f64::from(i), 0.0071 * f64::from(i) + 0.003, 0.1]).collect();
    let options = |blocks| SpectrumOptions {
        form_factor: false,
        g_tensor: false,
        tensor: false,
        general: false,
        blocks,
        threads: 1,
    };
    let models = [
        ("ferromagnet 1", ferromagnet()),
        ("antiferromagnet 2", antiferromagnet([2, 1, 1])),
        ("antiferromagnet 4x4", antiferromagnet([4, 4, 1])),
        ("antiferromagnet 4x4x2", antiferromagnet([4, 4, 2])),
        ("generic 16", generic(16)),
        ("generic 32", generic(32)),
    ];
    let mut group = c.benchmark_group("spectrum");
    group.throughput(Throughput::Elements(q.len() as u64));
    for (name, model) in &models {
        let compiled = Compiled::new(model.clone()).expect("a model");
        for (path, blocks) in [("blocks", true), ("whole", false)] {
            group.bench_function(BenchmarkId::new(path, name), |b| {
                b.iter(|| compiled.spectrum(black_box(&q), options(blocks)).expect("stable"))
            });
        }
    }
    group.finish();
    let mut group = c.benchmark_group("gradient");
    group.throughput(Throughput::Elements(q.len() as u64));
    for (name, model) in &models {
        let compiled = Compiled::new(model.clone()).expect("a model");
        let directions = [strength(model), hardness(model)].map(|m| Compiled::new(m).expect("a model"));
        for (path, blocks) in [("blocks", true), ("whole", false)] {
            let options = DerivativeOptions { form_factor: false, g_tensor: false, blocks, threads: 1 };
            group.bench_function(BenchmarkId::new(path, name), |b| {
                b.iter(|| gradient(&compiled, &directions.each_ref(), black_box(&q), options).expect("stable"))
            });
        }
    }
    group.finish();
    let mut group = c.benchmark_group("search");
    for (name, model) in &models {
        let compiled = Compiled::new(model.clone()).expect("a model");
        group.bench_function(*name, |b| b.iter(|| Splitting::find(black_box(&compiled.hamiltonian)).expect("found")));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
