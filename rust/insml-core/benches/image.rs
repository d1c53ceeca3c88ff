//! An image through an instrument, one thread, per bin: `cargo bench --bench image`. Forward, from cells of a grid into the bins
//! that see them, beside its peer that samples each bin: between the nodes of a table, and with every sample solved.

mod models;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use insml_core::convolution::footprint::{Footprint, Spread};
use insml_core::convolution::forward::{ForwardImage, ForwardSlice};
use insml_core::convolution::image::{Evaluation, ImageRequest, ImageSlice, image};
use insml_core::convolution::kernel::TimingKernel;
use insml_core::convolution::sheet::Raster;
use insml_core::convolution::slice::{Domain, Slice};
use insml_core::spinwave::Compiled;
use models::{EYE, antiferromagnet};
use std::hint::black_box;

const BINS: usize = 20;
const MARGIN: usize = 2;
const WIDTH: f64 = 0.05;
const EI: f64 = 10.0;
const WINDOWS: [(f64, f64); 6] = [(0.5, 1.0), (1.0, 1.5), (1.5, 2.0), (2.0, 2.5), (2.5, 3.0), (3.0, 3.5)];
/// Deviations in both axes and energy for a unit of each of two variables.
const DEVIATIONS: [f64; 6] = [0.06, 0.02, 0.0, 0.06, 0.1, 0.04];
const SAMPLES: usize = 64;

fn slice(window: (f64, f64), bins: usize) -> Slice {
    // a distribution with a tail to one side, from uniform times alone to none
    let x: Vec<f64> = (0..106).map(|i| -4.5 + 0.1 * f64::from(i)).collect();
    let row: Vec<f32> = x.iter().map(|x| (0.5 + 0.5 * (0.8 * x - 0.05 * x.abs()).tanh()) as f32).collect();
    Slice {
        window,
        ei: EI,
        thirds: vec![[0.4, 0.5, 0.6]; bins],
        along_kf: vec![[0.3, 0.2, 1.2]; bins],
        along_ki: [0.0, 0.0, 1.4],
        kernel: TimingKernel::new(
            (-3.0, 1.0 / 3.0),
            (-4.5, 0.1),
            (25, 9, 106),
            &row.repeat(25 * 9),
            [1e-3, -5e-4, 5e-4],
        ),
    }
}

fn bench(c: &mut Criterion) {
    let compiled = Compiled::new(antiferromagnet([4, 4, 1])).expect("a model");
    let domains = [Domain { model: &compiled, map: EYE, weight: 1.0 }];
    let first = [0.0113, 0.0071];
    let rows = DEVIATIONS.repeat(BINS * BINS);
    let points: Vec<f64> =
        (0..512).flat_map(|i| [0.754_877_666, 0.569_840_291].map(|x| (x * f64::from(i)).fract() - 0.5)).collect();
    let forward = ForwardImage {
        raster: Raster {
            bins: [BINS; 2],
            margin: [MARGIN; 2],
            first: first.map(|x| x - MARGIN as f64 * WIDTH),
            widths: [WIDTH; 2],
            cells: 2,
            vectors: EYE,
        },
        slices: WINDOWS
            .map(|window| {
                let spread = Spread {
                    bins: [BINS; 2],
                    margin: [MARGIN; 2],
                    widths: [WIDTH; 2],
                    cells: 2,
                    rows: &rows,
                    points: &points,
                    variables: 2,
                };
                ForwardSlice { slice: slice(window, (BINS + 2 * MARGIN).pow(2)), footprint: Footprint::new(&spread) }
            })
            .into(),
    };
    let centres: [Vec<f64>; 2] = first.map(|x| (0..BINS).map(|i| x + WIDTH * i as f64).collect());
    let sampled = WINDOWS.map(|window| ImageSlice { slice: slice(window, BINS * BINS), rows: rows.clone() });
    let draws: Vec<u32> = (0..SAMPLES as u32)
        .flat_map(|i| [0x9e37_79b9u32, 0xc13f_a9a9, 0x91e1_0da5, 0xd1b5_4a32].map(|x| x.wrapping_mul(i + 1)))
        .collect();
    let widths = [[WIDTH; BINS]; 2];
    let request = ImageRequest {
        centres: centres.each_ref().map(Vec::as_slice),
        widths: widths.each_ref().map(<[f64; BINS]>::as_slice),
        vectors: EYE,
        slices: &sampled,
        points: &draws,
        variables: 2,
        gaussians: 0,
        smooth: 0.1,
        cells: 8,
        seed: 0,
        form_factor: false,
        threads: 1,
    };
    let mut group = c.benchmark_group("image");
    group.sample_size(10).throughput(Throughput::Elements((WINDOWS.len() * BINS * BINS) as u64));
    group.bench_function("forward", |b| {
        b.iter(|| black_box(&forward).intensities(&domains, false, 1).expect("stable").expect("blocks"))
    });
    for (name, evaluation) in [("table", Evaluation::Table { step: 0.01 }), ("exact", Evaluation::Exact)] {
        group.bench_function(name, |b| {
            b.iter(|| image(&domains, black_box(&request), evaluation).expect("stable").expect("blocks"))
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
