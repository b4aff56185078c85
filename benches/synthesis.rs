//! Synthesis of images from W+ codes.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gan_benches::{S256, S1024, random_codes, random_network};
use gan_core::{Device, Generator, Noise, StyleBased, StyleGan2};

fn synthesis(c: &mut Criterion) {
    let device = Device::cpu();
    let mut group = c.benchmark_group("synthesis");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(8))
        .throughput(Throughput::Elements(1));
    let portraits =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
    let shipped = StyleGan2::open(portraits, &device).expect("the shipped model opens");
    let mut run = |name: &str, g: &StyleGan2, n: usize| {
        let w = random_codes(n, g.num_ws(), g.w_dim(), g.device()).expect("codes");
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(name, |b| b.iter(|| g.synthesize(&w, Noise::Const).expect("image")));
    };
    run("64 (shipped), batch 1", &shipped, 1);
    let small = random_network(S256, &device).expect("network");
    run("256, batch 1", &small, 1);
    run("256, batch 8", &small, 8);
    drop(small);
    run("1024, batch 1", &random_network(S1024, &device).expect("network"), 1);
}

criterion_group!(benches, synthesis);
criterion_main!(benches);
