//! What the benches share: networks of the published sizes with random weights, and codes for them.

mod networks;

pub use networks::{
    S256, S1024, Size, random_biggan, random_pggan, random_stylegan, random_stylegan2,
};

use gan_core::{Device, Generator, Philox, Result, StyleBased, Tensor, WPlus, Z};

/// Random codes `[n, z_dim]`.
///
/// # Errors
/// If `n` is zero.
pub fn random_z(n: usize, g: &dyn Generator) -> Result<Z> {
    Z::new(normal(&[n, g.z_dim()], g.device())?)
}

/// Random W+ codes `[n, num_ws, w_dim]`.
///
/// # Errors
/// If `n` is zero.
pub fn random_codes(n: usize, g: &dyn StyleBased) -> Result<WPlus> {
    WPlus::new(normal(&[n, g.num_ws(), g.w_dim()], g.device())?)
}

fn normal(shape: &[usize], device: &Device) -> Result<Tensor> {
    let mut values = vec![0.0; shape.iter().product()];
    Philox::new(1).fill_normal(&mut values);
    Tensor::from_vec(values, shape, device)
}
