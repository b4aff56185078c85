//! Gradients of whole networks, of first and second order, against finite differences: what penalties of gradients
//! and of path lengths differentiate. Operators and layers by themselves are in `operators.rs`.

#![allow(clippy::unwrap_used)]

use gan_core::grad::{gradcheck, gradgradcheck};
use gan_core::{
    BigGan, Device, Generator, Labels, Noise, Order, PgGan, Result, StyleBased, StyleGan,
    StyleGan2, Styles, Tensor, WPlus, Z, ZPlus, ZTruncation, grad,
};

fn path(name: &str) -> String {
    format!("{}/tests/checkpoints/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))
}

/// Values of both signs, the same on all devices.
fn values(shape: &[usize], device: &Device) -> Tensor {
    let n = shape.iter().product::<usize>();
    let values: Vec<f64> = (1..=n).map(|i| 1.5 * (12.9898 * i as f64).sin()).collect();
    Tensor::from_vec(values, shape, device).unwrap()
}

/// The image's pixels, weighted and summed to one number a colour: finite differences of second order would otherwise
/// take two gradients for each pixel.
fn summary(image: &Tensor) -> Result<Tensor> {
    let [_, _, h, w] = image.dims4("image")?;
    image.mul(&values(&[1, 1, h, w], image.device()))?.sum(&[2, 3])
}

/// A network as a function of tensors, and its inputs on a device.
type Network = (Box<dyn Fn(&[Tensor]) -> Result<Tensor>>, Vec<Tensor>);

fn pggan(layout: &str, device: &Device) -> Network {
    let g = PgGan::open(path(&format!("pggan_{layout}")), device).unwrap();
    let inputs = vec![values(&[1, g.z_dim()], device)];
    (Box::new(move |x| summary(&g.generate(&Z::new(x[0].clone())?, None)?)), inputs)
}

/// Of a W+ code and the noise of one layer.
fn stylegan(layout: &str, device: &Device) -> Network {
    let g = StyleGan::open(path(&format!("stylegan_{layout}")), device).unwrap();
    let maps = g.synthesis().noise_maps().unwrap();
    let inputs = vec![values(&[1, g.num_ws(), g.w_dim()], device), maps[1].clone()];
    let f = move |x: &[Tensor]| {
        let mut maps = maps.clone();
        maps[1] = x[1].clone();
        summary(&g.synthesize(&WPlus::new(x[0].clone())?, Noise::Maps(&maps))?)
    };
    (Box::new(f), inputs)
}

/// Of a code, through the mapping network.
fn stylegan_mapped(device: &Device) -> Network {
    let g = StyleGan::open(path("stylegan_mganprior"), device).unwrap();
    let inputs = vec![values(&[1, g.z_dim()], device)];
    (Box::new(move |x| summary(&g.generate(&Z::new(x[0].clone())?, None)?)), inputs)
}

/// Of two styles.
fn stylegan2(device: &Device) -> Network {
    let g = StyleGan2::open(path("stylegan2_rosinality"), device).unwrap();
    let w = WPlus::new(values(&[1, g.num_ws(), g.w_dim()], device)).unwrap();
    let styles = g.styles(&w).unwrap();
    let inputs = vec![styles.tensors()[0].clone(), styles.tensors()[2].clone()];
    let f = move |x: &[Tensor]| {
        let mut tensors = styles.tensors().to_vec();
        (tensors[0], tensors[2]) = (x[0].clone(), x[1].clone());
        let styles = Styles::new(g.style_layout().clone(), tensors)?;
        summary(&g.synthesize_styles(&styles, Noise::Const)?)
    };
    (Box::new(f), inputs)
}

/// Of a code a layer and a mixture of classes.
fn biggan(device: &Device) -> Network {
    let g = BigGan::open(path("biggan_huggingface"), device).unwrap();
    let inputs = vec![
        values(&[1, g.latent_layers(), g.z_dim()], device),
        values(&[1, g.label_dim()], device),
    ];
    let truncation = ZTruncation::new(0.7).unwrap();
    let f = move |x: &[Tensor]| {
        let (z, labels) = (ZPlus::new(x[0].clone())?, Labels::new(x[1].clone())?);
        summary(&g.synthesize(&z, &labels, truncation)?)
    };
    (Box::new(f), inputs)
}

#[track_caller]
fn check(network: impl Fn(&Device) -> Network) {
    let (f, inputs) = network(&Device::reference());
    gradcheck(&f, &inputs).unwrap();
    gradgradcheck(&f, &inputs).unwrap();
    for (ours, truth) in penalty(&network(&Device::cpu())).iter().zip(penalty(&(f, inputs))) {
        let scale = truth.iter().fold(0f64, |m, v| m.max(v.abs()));
        assert!(scale > 0.0);
        for (ours, truth) in ours.iter().zip(&truth) {
            assert!((ours - truth).abs() <= 1e-3 * scale, "{ours} and {truth}");
        }
    }
}

/// The gradient of the squared length of the gradient with respect to the first input, as penalties have it.
fn penalty((f, inputs): &Network) -> Vec<Vec<f64>> {
    let vars: Vec<Tensor> = inputs.iter().map(Tensor::var).collect();
    let sum = f(&vars).unwrap().sum_all().unwrap();
    let slope = grad(&sum, &[&vars[0]], Order::Second);
    let length = slope.unwrap()[0].square().unwrap().sum_all().unwrap();
    let gradients = grad(&length, &vars.iter().collect::<Vec<_>>(), Order::First).unwrap();
    gradients.iter().map(|g| g.to_vec().unwrap()).collect()
}

#[test]
fn pggan_that_repeats_pixels() {
    check(|device| pggan("mganprior", device));
}

#[test]
fn pggan_with_transposed_convolutions() {
    check(|device| pggan("genforce", device));
}

#[test]
fn stylegan_with_transposed_convolutions_of_w_and_noise() {
    check(|device| stylegan("mganprior", device));
}

#[test]
fn stylegan_that_repeats_pixels_of_w_and_noise() {
    check(|device| stylegan("interfacegan", device));
}

#[test]
fn stylegan_of_z() {
    check(stylegan_mapped);
}

#[test]
fn stylegan2_of_styles() {
    check(stylegan2);
}

#[test]
fn biggan_of_codes_and_classes() {
    check(biggan);
}
