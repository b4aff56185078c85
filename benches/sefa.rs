//! Closed-form factorization of whole networks: Gram matrix and eigenvectors.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use gan_benches::{S256, S1024, random_biggan, random_pggan, random_stylegan, random_stylegan2};
use gan_core::{Device, Factorizable, Layers};
use gan_edit::sefa::{Convention, factorize};

fn run<G: Factorizable>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    g: &G,
    convention: Convention,
) {
    group.bench_function(format!("{name}, all layers, {convention:?}"), |b| {
        b.iter(|| factorize(g, &Layers::All, convention).expect("directions"));
    });
}

fn sefa(c: &mut Criterion) {
    let device = Device::cpu();
    let mut group = c.benchmark_group("sefa");
    group.sample_size(10);
    let g = random_stylegan2(S1024, &device).expect("network");
    run(&mut group, "StyleGAN2 1024", &g, Convention::Sefa);
    run(&mut group, "StyleGAN2 1024", &g, Convention::Rosinality);
    let g = random_pggan(S256, &device).expect("network");
    run(&mut group, "PGGAN 256", &g, Convention::Sefa);
    let g = random_stylegan(S256, &device).expect("network");
    run(&mut group, "StyleGAN 256", &g, Convention::Sefa);
    let g = random_biggan(&device).expect("network");
    run(&mut group, "BigGAN-deep 128", &g, Convention::Sefa);
}

criterion_group!(benches, sefa);
criterion_main!(benches);
