//! Energies and S_perp, one thread, per wave vector: `cargo bench --bench spectrum`. Each model once with its blocks and
//! once as a whole; `gradient` adds the derivatives along two directions; `search` is what finding the blocks costs, once
//! per model.

mod models;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use insml_core::spinwave::blocks::Splitting;
use insml_core::spinwave::blocks::split::Noise;
use insml_core::spinwave::derivative::{DerivativeOptions, gradient};
use insml_core::spinwave::{Bond, Compiled, SpectrumOptions, SpinModel};
use insml_core::vec3::Vec3;
use models::{EASY, EYE, antiferromagnet, model, scaled, site};
use std::hint::black_box;

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
