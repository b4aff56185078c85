//! Winograd's algorithm against the f64 reference: every form, odd shapes, both directions.

#![allow(clippy::unwrap_used)]

use gan_core::backend::cpu::ConvAlgorithm;
use gan_core::backend::{Activation, BiasAct, Conv, Filter, StyledConv};
use gan_core::{Device, Noise, Philox, Seeds, StyleBased, StyleGan2, Tensor, nn};

const ALGORITHMS: [ConvAlgorithm; 4] =
    [ConvAlgorithm::Auto, ConvAlgorithm::Direct, ConvAlgorithm::F2, ConvAlgorithm::F4];

fn normal(seed: u64, shape: &[usize], device: &Device) -> Tensor {
    let mut values = vec![0.0; shape.iter().product()];
    Philox::new(seed).fill_normal(&mut values);
    Tensor::from_vec(values, shape, device).unwrap()
}

/// Largest error in units of the result's root mean square.
fn error(found: &Tensor, expected: &Tensor) -> f64 {
    let (found, expected): (Vec<f64>, Vec<f64>) =
        (found.to_vec().unwrap(), expected.to_vec().unwrap());
    let square: f64 = expected.iter().map(|v| v * v).sum();
    let rms = (square / expected.len() as f64).sqrt();
    let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    largest / rms
}

#[test]
fn every_form_computes_convolutions() {
    // Images, channels in and out, height, width, padding.
    let shapes = [
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 3, 3, 0],
        [2, 3, 5, 7, 11, 1],
        [3, 17, 9, 13, 4, 2],
        [1, 16, 16, 8, 8, 1],
        [2, 32, 24, 16, 20, 1],
        [1, 20, 33, 66, 65, 1],
        [1, 16, 8, 5, 259, 1],
        [5, 64, 40, 9, 9, 0],
    ];
    for ([n, ci, co, h, w, pad], stride) in shapes.iter().flat_map(|&s| [(s, 1), (s, 2)]) {
        let conv = Conv { padding: [pad; 2], stride: [stride; 2], ..Conv::default() };
        let results = |device: &Device| {
            let x = normal(1, &[n, ci, h, w], device);
            let weight = normal(2, &[co, ci, 3, 3], device);
            let y = x.conv2d(&weight, conv).unwrap();
            let g = normal(3, y.shape(), device);
            (y, g.conv_transpose2d(&weight, conv, [h, w]).unwrap())
        };
        let (y, x) = results(&Device::reference());
        let layer = [n, ci, co, h, w, pad, stride];
        for algorithm in ALGORITHMS {
            let (fy, fx) = results(&Device::cpu_with(algorithm));
            let worst = error(&fy, &y).max(error(&fx, &x));
            println!("{algorithm:?} {layer:?} {worst:.1e}");
            assert!(worst < 3e-5, "{algorithm:?} {layer:?}: {worst}");
        }
    }
}

/// The numbers of a network do not depend on threads or on the rest of the batch, and are close to the exact ones.
#[test]
fn images_are_exact_enough_and_always_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
    let draw = |device: &Device, seeds: std::ops::Range<u32>, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let g = StyleGan2::open(path, device).unwrap();
            let w = g.map(&g.sample(&Seeds::from(seeds)).unwrap(), None).unwrap();
            g.synthesize(&g.broadcast(&w).unwrap(), Noise::Const).unwrap()
        })
    };
    let exact = draw(&Device::reference(), 0..3, 2);
    for algorithm in ALGORITHMS {
        let device = Device::cpu_with(algorithm);
        let all = draw(&device, 0..3, 1);
        for threads in [2, 3] {
            let again = draw(&device, 0..3, threads);
            assert!(all.to_vec::<f32>().unwrap() == again.to_vec::<f32>().unwrap());
        }
        let last = draw(&device, 2..3, 2).to_vec::<f32>().unwrap();
        assert!(all.slice(0, 2, 1).unwrap().to_vec::<f32>().unwrap() == last, "{algorithm:?}");
        let (found, expected) = (all.to_vec::<f64>().unwrap(), exact.to_vec::<f64>().unwrap());
        let worst = found.iter().zip(&expected).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
        // Images go from -1 to 1.
        assert!(worst < 2e-4, "{algorithm:?}: {worst}");
    }
    let [device, direct] = [Device::cpu().exact(), Device::cpu_with(ConvAlgorithm::Direct)];
    let (exact, direct) = (draw(&device, 0..1, 2), draw(&direct, 0..1, 2));
    assert!(exact.to_vec::<f32>().unwrap() == direct.to_vec::<f32>().unwrap());
}

/// What the layer that doubles the size gives on so many threads.
fn doubled(threads: usize, x: &Tensor, weight: &Tensor, style: &Tensor) -> Vec<f32> {
    let op = StyledConv {
        up: Some(Filter::outer(&[0.125, 0.375, 0.375, 0.125]).unwrap()),
        demodulate: false,
        noise: false,
        bias: false,
        act: BiasAct::new(Activation::Lrelu),
    };
    let run = || nn::styled_conv(&op, x, weight, style, None, None, None);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(run).unwrap().to_vec().unwrap()
}

#[test]
fn doubling_depends_neither_on_threads_nor_on_the_rest_of_the_batch() {
    let device = Device::cpu_with(ConvAlgorithm::F2);
    let [n, ci, co, h, w] = [3, 140, 40, 33, 70];
    let x = normal(1, &[n, ci, h, w], &device);
    let (weight, style) = (normal(2, &[ci, co, 3, 3], &device), normal(3, &[n, ci], &device));
    let all = doubled(1, &x, &weight, &style);
    // Few regions for so many threads: they share the factors.
    assert_eq!(all, doubled(16, &x, &weight, &style));
    let (x, style) = (x.slice(0, 1, 1).unwrap(), style.slice(0, 1, 1).unwrap());
    let one = doubled(1, &x, &weight, &style);
    assert_eq!(all[one.len()..2 * one.len()], one);
}
