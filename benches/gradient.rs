//! The gradient of an image with respect to its W+ code, as an inversion needs it at each step.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gan_benches::{S256, S1024, random_codes, random_stylegan2};
use gan_core::{Device, Noise, Order, Result, StyleBased, StyleGan2, Tensor, WPlus, grad};

fn step(g: &StyleGan2, w: &WPlus) -> Result<Tensor> {
    let w = WPlus::new(w.tensor().var())?;
    let loss = g.synthesize(&w, Noise::Const)?.square()?.mean_all()?;
    Ok(grad(&loss, &[w.tensor()], Order::First)?.remove(0))
}

fn gradient(c: &mut Criterion) {
    let device = Device::cpu();
    let mut group = c.benchmark_group("gradient");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for (name, size) in [("256, batch 1", S256), ("1024, batch 1", S1024)] {
        let g = random_stylegan2(size, &device).expect("network");
        let w = random_codes(1, &g).expect("codes");
        group.bench_function(name, |b| b.iter(|| step(&g, &w).expect("gradient")));
    }
}

criterion_group!(benches, gradient);
criterion_main!(benches);
