//! Images: of W+ codes with StyleGAN2, and of each other family.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use gan_benches::{
    S256, S1024, random_biggan, random_codes, random_pggan, random_stylegan, random_stylegan2,
    random_z,
};
use gan_core::{Device, Generator, Labels, Noise, Result, StyleBased, StyleGan2, Tensor};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn group<'a>(c: &'a mut Criterion, name: &str) -> Group<'a> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    group
}

fn run(group: &mut Group<'_>, name: &str, n: usize, image: impl Fn() -> Result<Tensor>) {
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function(name, |b| b.iter(|| image().expect("image")));
}

fn of_w(group: &mut Group<'_>, name: &str, g: &dyn StyleBased, n: usize) {
    let w = random_codes(n, g).expect("codes");
    run(group, name, n, || g.synthesize(&w, Noise::Const));
}

fn synthesis(c: &mut Criterion) {
    let device = Device::cpu();
    let mut group = group(c, "synthesis");
    let portraits =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
    let shipped = StyleGan2::open(portraits, &device).expect("the shipped model opens");
    of_w(&mut group, "64 (shipped), batch 1", &shipped, 1);
    let small = random_stylegan2(S256, &device).expect("network");
    of_w(&mut group, "256, batch 1", &small, 1);
    of_w(&mut group, "256, batch 8", &small, 8);
    drop(small);
    let large = random_stylegan2(S1024, &device).expect("network");
    of_w(&mut group, "1024, batch 1", &large, 1);
}

fn families(c: &mut Criterion) {
    let device = Device::cpu();
    let mut group = group(c, "families");
    let g = random_pggan(S256, &device).expect("network");
    let z = random_z(1, &g).expect("codes");
    run(&mut group, "PGGAN 256, batch 1", 1, || g.generate(&z, None));
    let g = random_stylegan(S256, &device).expect("network");
    of_w(&mut group, "StyleGAN 256, batch 1", &g, 1);
    let g = random_biggan(&device).expect("network");
    let z = random_z(1, &g).expect("codes");
    let labels = Labels::one_hot(&[207], g.label_dim(), &device).expect("labels");
    run(&mut group, "BigGAN-deep 128, batch 1", 1, || g.generate(&z, Some(&labels)));
}

criterion_group!(benches, synthesis, families);
criterion_main!(benches);
