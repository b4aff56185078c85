//! A network on the stand-in driver draws what it draws on the CPU.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "support/device.rs"]
mod device;
mod support;

use device::stand_in_cuda;
use gan_core::backend::DType;
use gan_core::{Device, Noise, Order, Result, Seeds, StyleBased, StyleGan2, Tensor, WPlus, grad};
use gan_cuda::Options;

const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");

fn cuda(dtype: DType) -> Option<Device> {
    stand_in_cuda(0, &Options { dtype, ..Options::default() }).map(Device::from)
}

/// A code, and the image that the shipped portrait generator draws of it.
fn draw(device: &Device) -> (StyleGan2, WPlus, Tensor) {
    let g = StyleGan2::open(MODEL, device).unwrap();
    let w = g.map(&g.sample(&Seeds::from(3..4)).unwrap(), None).unwrap();
    let w = g.broadcast(&w).unwrap();
    let image = g.synthesize(&w, Noise::Const).unwrap();
    (g, w, image)
}

fn furthest(a: &Tensor, b: &Tensor) -> f32 {
    let (a, b) = (a.to_vec::<f32>().unwrap(), b.to_vec::<f32>().unwrap());
    a.iter().zip(&b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()))
}

#[test]
fn emul_a_portrait_is_the_one_of_the_cpu() {
    let (_, _, expected) = draw(&Device::cpu());
    // Sixteen bits of storage are rounded to in each of some thirty steps.
    for (dtype, tolerance) in [(DType::F32, 1e-4), (DType::F16, 0.02), (DType::BF16, 0.15)] {
        let Some(device) = cuda(dtype) else { return };
        let (_, _, image) = draw(&device);
        let apart = furthest(&image, &expected);
        assert!(apart < tolerance, "{dtype:?}: {apart}");
    }
}

/// StyleGAN2's path length: the gradient of a gradient, through every layer.
#[test]
fn emul_gradients_of_gradients_are_those_of_the_cpu() {
    let Some(device) = cuda(DType::F32) else { return };
    let path_length = |device: &Device| -> Result<[Tensor; 2]> {
        let (g, w, _) = draw(device);
        let w = w.tensor().var();
        let image = g.synthesize(&WPlus::new(w.clone())?, Noise::Const)?;
        let slope = grad(&image.square()?.mean_all()?, &[&w], Order::Second)?.remove(0);
        let bend = grad(&slope.square()?.sum_all()?, &[&w], Order::First)?.remove(0);
        Ok([slope, bend])
    };
    let expected = path_length(&Device::cpu()).unwrap();
    let found = path_length(&device).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        let zero = Tensor::zeros(expected.shape(), expected.device()).unwrap();
        let apart = furthest(found, expected) / furthest(expected, &zero);
        assert!(apart < 1e-4, "{apart}");
    }
}
