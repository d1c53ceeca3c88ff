//! Energies and S_perp, one thread, per wave vector: `cargo bench --bench spectrum`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use insml_core::lattice::Lattice;
use insml_core::spinwave::{Bond, Compiled, Site, SpectrumOptions, SpinModel};

/// An n x n square antiferromagnet written as one magnetic cell.
fn square(n: u32) -> SpinModel {
    let eye = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let size = f64::from(n);
    let (mut sites, mut bonds) = (Vec::new(), Vec::new());
    for x in 0..n {
        for y in 0..n {
            let spin = if (x + y) % 2 == 0 { 1.0 } else { -1.0 };
            sites.push(Site {
                position: [f64::from(x) / size, f64::from(y) / size, 0.0],
                spin: [0.0, 0.0, spin],
                anisotropy: [[0.0; 3], [0.0; 3], [0.0, 0.0, -0.05]],
                g: eye,
                form_factor: None,
            });
            let here = (x * n + y) as usize;
            let right = (((x + 1) % n) * n + y) as usize;
            let up = (x * n + (y + 1) % n) as usize;
            bonds.push(Bond { i: here, j: right, dl: [i32::from(x + 1 == n), 0, 0], exchange: eye });
            bonds.push(Bond { i: here, j: up, dl: [0, i32::from(y + 1 == n), 0], exchange: eye });
        }
    }
    let lattice = Lattice::new([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 9.0]]).expect("a cell with a volume");
    SpinModel { lattice, supercell: [n, n, 1], sites, bonds, biquadratic: Vec::new(), field: [0.0; 3], rotation: None }
}

fn bench(c: &mut Criterion) {
    let q: Vec<[f64; 3]> = (0..256).map(|i| [0.0137 * f64::from(i), 0.0071 * f64::from(i) + 0.003, 0.1]).collect();
    let options = SpectrumOptions {
        form_factor: false,
        g_tensor: false,
        tensor: false,
        general: false,
        blocks: true,
        threads: 1,
    };
    let mut group = c.benchmark_group("spectrum");
    group.throughput(Throughput::Elements(q.len() as u64));
    for n in [2, 4] {
        let model = square(n);
        group.bench_function(format!("{} spins", n * n), |b| {
            b.iter(|| Compiled::new(model.clone()).unwrap().spectrum(&q, options).expect("stable"))
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
