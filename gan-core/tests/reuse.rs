//! Memory of dropped tensors is used again by the CPU backend, and nothing of what was in it shows.

#![allow(clippy::unwrap_used)]

use gan_core::backend::cpu::ConvAlgorithm;
use gan_core::backend::{Activation, BiasAct, Conv, Filter, UpFirDn};
use gan_core::{Device, Order, Result, Tensor, grad};

/// Fills the memory that the next tensors of about that size get.
fn soil(len: usize, device: &Device) {
    let tensors: Vec<Tensor> =
        (0..8).map(|_| Tensor::full(f64::NAN, &[len], device).unwrap()).collect();
    drop(tensors);
}

#[test]
fn nothing_of_a_dropped_tensor_shows() {
    type Make = fn(&Device) -> Result<Tensor>;
    fn x(device: &Device) -> Result<Tensor> {
        Tensor::full(0.5, &[1, 8, 256, 256], device)
    }
    fn kernel(size: usize, device: &Device) -> Result<Tensor> {
        Tensor::full(0.5, &[8, 8, size, size], device)
    }
    fn fir(up: usize, down: usize) -> UpFirDn {
        let filter = Filter::outer(&[0.125, 0.375, 0.375, 0.125]).unwrap();
        let (up, down, padding) = ([up; 2], [down; 2], [[2; 2]; 2]);
        UpFirDn { filter, up, down, padding, flip: false, gain: 1.0 }
    }
    let cases: [(&str, Make); 22] = [
        ("unary", |d| x(d)?.exp()),
        ("binary", |d| x(d)?.add(&Tensor::full(1.0, &[8, 1, 1], d)?)),
        ("select", |d| x(d)?.select(&x(d)?, &x(d)?)),
        ("sum", |d| Tensor::full(0.5, &[2, 8, 256, 256], d)?.sum(&[0])),
        ("max", |d| Tensor::full(0.5, &[2, 8, 256, 256], d)?.max(&[0])),
        ("expand", |d| Tensor::full(0.5, &[1, 8, 1, 1], d)?.expand(&[1, 8, 256, 256])),
        ("permute", |d| x(d)?.permute(&[0, 2, 3, 1])),
        ("slice", |d| x(d)?.slice(2, 3, 200)),
        ("pad", |d| x(d)?.pad(3, 30, 20)),
        ("concat", |d| Tensor::concat(&[&x(d)?, &x(d)?], 1)),
        ("gather", |d| x(d)?.gather(1, &[7, 0, 3, 3, 2, 1])),
        ("scatter_add", |d| {
            let x = x(d)?.var();
            let sum = x.gather(1, &[6, 0, 3, 3])?.sum(&[0, 1, 2, 3])?;
            Ok(grad(&sum, &[&x], Order::First)?.remove(0))
        }),
        ("matmul", |d| {
            Tensor::full(0.5, &[1, 700, 3], d)?.matmul(&Tensor::full(0.5, &[1, 3, 800], d)?)
        }),
        ("conv2d", |d| x(d)?.conv2d(&kernel(3, d)?, Conv { padding: [1; 2], ..Conv::default() })),
        ("conv2d, stride 2", |d| {
            let conv = Conv { padding: [1; 2], stride: [2; 2], groups: 1 };
            Tensor::full(0.5, &[4, 8, 256, 256], d)?.conv2d(&kernel(3, d)?, conv)
        }),
        ("conv_transpose2d", |d| {
            let conv = Conv { stride: [3; 2], ..Conv::default() };
            x(d)?.conv_transpose2d(&kernel(1, d)?, conv, [766, 766])
        }),
        ("conv2d_weight", |d| {
            let weight = Tensor::full(0.5, &[600, 512, 1, 1], d)?.var();
            let y = Tensor::full(0.5, &[1, 512, 2, 2], d)?.conv2d(&weight, Conv::default())?;
            Ok(grad(&y.sum(&[0, 1, 2, 3])?, &[&weight], Order::First)?.remove(0))
        }),
        ("upfirdn2d, up", |d| Tensor::full(0.5, &[1, 8, 128, 128], d)?.upfirdn2d(&fir(2, 1))),
        ("upfirdn2d, down", |d| Tensor::full(0.5, &[4, 8, 256, 256], d)?.upfirdn2d(&fir(1, 2))),
        ("bias_act", |d| {
            let act = BiasAct::new(Activation::Lrelu);
            gan_core::nn::bias_act(&x(d)?, Some(&Tensor::full(0.1, &[8], d)?), &act)
        }),
        ("tanh", |d| x(d)?.tanh()),
        ("zeros", |d| Tensor::zeros(&[1 << 19], d)),
    ];
    for algorithm in [ConvAlgorithm::Direct, ConvAlgorithm::F2, ConvAlgorithm::F4] {
        for (name, make) in cases {
            let device = Device::cpu_with(algorithm);
            let clean = make(&device).unwrap().to_vec::<f32>().unwrap();
            assert!(clean.len() >= 1 << 18, "{name}: too small to be kept");
            // The arguments are kept as well, so that it is the result that gets the block.
            soil(clean.len(), &device);
            let again = make(&device).unwrap().to_vec::<f32>().unwrap();
            assert!(clean.iter().all(|v| v.is_finite()), "{name}");
            assert!(clean == again, "{name} {algorithm:?}");
        }
    }
}
