//! Networks of the published sizes: what the shortcuts of the CPU backend cost in accuracy.
//!
//! `cargo test --release -p gan-benches -- --ignored --nocapture` compares with `f64`, which takes a minute.

#![allow(clippy::unwrap_used)]

mod truth;

use gan_benches::{S256, S1024, Size, random_codes, random_stylegan2};
use gan_core::backend::Conv;
use gan_core::{Device, Image, Noise, Philox, StyleBased, Tensor, WPlus};

/// Values and 8-bit pixels of one image.
fn draw(size: Size, device: &Device) -> (Vec<f64>, Vec<u8>) {
    let g = random_stylegan2(size, device).unwrap();
    let codes: WPlus = random_codes(1, &g).unwrap();
    let image = g.synthesize(&codes, Noise::Const).unwrap();
    let values = image.to_vec::<f64>().unwrap();
    (values, Image::from_tensor(&image).unwrap()[0].pixels().to_vec())
}

/// Largest difference as a part of the range, and of 8-bit pixels.
fn compare(size: Size, device: &Device, truth: &Device) {
    let ((values, pixels), (exact, exact_pixels)) = (draw(size, device), draw(size, truth));
    let range = exact.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let worst = values.iter().zip(&exact).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
    let levels = pixels.iter().zip(&exact_pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    println!("{:.1e} of the range, {levels} levels, against {}", worst / range, truth.name());
    assert!(worst <= 1e-4 * range, "{worst} of {range}");
    assert!(levels <= 1, "{levels}");
}

#[test]
fn shortcuts_do_not_show_at_256() {
    compare(S256, &Device::cpu(), &Device::cpu().exact());
}

#[test]
#[ignore = "takes a minute"]
fn images_of_256_and_1024_are_those_of_f64() {
    for size in [S256, S1024] {
        compare(size, &Device::cpu(), &Device::cpu().exact());
        compare(size, &Device::cpu(), &truth::device());
    }
}

#[test]
fn the_truth_is_the_reference() {
    // Image, channels in and out, height, width, kernel, stride, padding.
    for [n, ci, co, h, w, k, stride, padding] in [
        [1, 1, 1, 1, 1, 1, 1, 0],
        [2, 3, 5, 4, 7, 3, 1, 1],
        [1, 5, 2, 5, 3, 3, 2, 0],
        [2, 2, 3, 6, 9, 3, 2, 1],
        [1, 2, 2, 2, 3, 3, 3, 4],
    ] {
        let conv = Conv { stride: [stride; 2], padding: [padding; 2], groups: 1 };
        let results = |device: &Device| {
            let x = normal(1, &[n, ci, h, w], device);
            let weight = normal(2, &[co, ci, k, k], device);
            let y = x.conv2d(&weight, conv).unwrap();
            let back = y.conv_transpose2d(&weight, conv, [h, w]).unwrap();
            [y.to_vec::<f64>().unwrap(), back.to_vec().unwrap()].concat()
        };
        let (found, expected) = (results(&truth::device()), results(&Device::reference()));
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12 * (1.0 + b.abs())));
    }
}

fn normal(seed: u64, shape: &[usize], device: &Device) -> Tensor {
    let mut values = vec![0.0; shape.iter().product()];
    Philox::new(seed).fill_normal(&mut values);
    Tensor::from_vec(values, shape, device).unwrap()
}
