//! Pixels into bins: two million in memory, one thread, beside reading them.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use insml_core::pixels::FIELDS;
use insml_core::pixels::accumulate::accumulate;
use insml_core::pixels::arrange::{Arrangement, Counts, Store};
use insml_core::pixels::grid::{Axis, Grid};
use insml_core::pixels::projection::{Projection, Shape};
use insml_core::pixels::source::{Selection, Source};
use insml_core::pixels::target::Target;
use insml_core::pixels::watch::Watch;
use std::hint::black_box;

const PIXELS: usize = 2_000_000;

/// In the order of a fine grid, as a file has them.
fn pixels() -> Vec<f32> {
    let noise = |i: usize, k: usize| ((i * 2_654_435_761 + k * 40_503) % 100_003) as f32 / 100_003.0;
    let side = (PIXELS as f64).powf(0.25).ceil() as usize;
    (0..PIXELS)
        .flat_map(|i| {
            let at = [i % side, i / side % side, i / side / side % side, i / side / side / side];
            (0..FIELDS).map(move |k| if k < 4 { (at[k] as f32 + noise(i, k)) / side as f32 } else { noise(i, k) })
        })
        .collect()
}

fn target(shape: Shape, bins: [usize; 4]) -> Target {
    let frame = [[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]];
    let projection = Projection { shape, frame, offset: [0.0; 4], scale: [1.0; 4], first_turn: -180.0 };
    let axis = |d: usize| if bins[d] == 1 && shape != Shape::Line { 1e3 } else { 1.0 };
    let axes = std::array::from_fn(|d| Axis { lo: -axis(d), hi: axis(d), bins: bins[d] });
    Target { projection, grid: Grid::new(axes).unwrap(), operations: vec![] }
}

fn cuts(c: &mut Criterion) {
    let values = pixels();
    let source = Source::memory(&values);
    let whole: Vec<_> = std::iter::once(0..PIXELS).collect();
    let mut group = c.benchmark_group("cut");
    group.throughput(Throughput::Bytes((PIXELS * FIELDS * 4) as u64));
    group.bench_function("read", |b| {
        b.iter(|| {
            black_box(&values)
                .as_chunks::<16>()
                .0
                .iter()
                .fold([0u32; 16], |sum, x| std::array::from_fn(|i| sum[i] ^ x[i].to_bits()))
        })
    });
    for (name, shape, bins) in [
        ("1-D", Shape::Line, [100, 1, 1, 1]),
        ("2-D", Shape::Line, [100, 1, 1, 100]),
        ("4-D", Shape::Line, [20, 20, 20, 20]),
        ("sphere", Shape::Sphere, [100, 1, 1, 100]),
    ] {
        let target = target(shape, bins);
        group.bench_function(name, |b| b.iter(|| accumulate(&source, &target, &whole, 16, 0..16, 1).unwrap()));
    }
    let kept = target(Shape::Line, [100, 1, 1, 100]);
    group.bench_function("2-D with pixels", |b| {
        b.iter(|| {
            let feed = Selection { source: &source, ranges: &whole, blocks: 8 };
            let mut counts = Counts::new(kept.grid.bins());
            counts.add(&feed, &kept, 8, 1).unwrap();
            let n = counts.pixels();
            let plan = Arrangement::new(kept.clone(), counts, Store::memory(n));
            plan.gather(&feed, 0, 8, 1).unwrap();
            plan.sort(&Store::memory(n), &Watch::default(), 1).unwrap()
        })
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = cuts
}
criterion_main!(benches);
