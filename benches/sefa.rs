//! Closed-form factorization of a whole 1024-pixel network: Gram matrix and eigenvectors.

use criterion::{Criterion, criterion_group, criterion_main};
use gan_benches::{S1024, random_network};
use gan_core::{Device, Layers};
use gan_edit::sefa::{Convention, factorize};

fn sefa(c: &mut Criterion) {
    let g = random_network(S1024, &Device::cpu()).expect("network");
    let mut group = c.benchmark_group("sefa");
    group.sample_size(10);
    for (name, convention) in [("sefa", Convention::Sefa), ("rosinality", Convention::Rosinality)] {
        group.bench_function(format!("1024, all layers, {name}"), |b| {
            b.iter(|| factorize(&g, &Layers::All, convention).expect("directions"));
        });
    }
}

criterion_group!(benches, sefa);
criterion_main!(benches);
