//! Networks of the published sizes: what the shortcuts of the CPU backend cost in accuracy.
//!
//! `cargo test --release -p gan-benches -- --ignored` compares with the `f64` reference, which takes minutes.

#![allow(clippy::unwrap_used)]

use gan_benches::{S256, S1024, Size, random_codes, random_stylegan2};
use gan_core::{Device, Image, Noise, StyleBased, WPlus};

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
#[ignore = "takes minutes"]
fn images_of_256_and_1024_are_those_of_the_reference() {
    for size in [S256, S1024] {
        compare(size, &Device::cpu(), &Device::cpu().exact());
        compare(size, &Device::cpu(), &Device::reference());
    }
}
