//! What the benches share: networks of the published sizes with random weights.

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::models::stylegan2::StyleGan2;
use gan_core::{Device, Philox, Result, Tensor, WPlus};

/// Size of a StyleGAN2 generator.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Pixels along a side.
    pub resolution: usize,
    /// Channels at resolution `r` are `min(channel_base / r, channel_max)`.
    pub channel_base: usize,
    /// See `channel_base`.
    pub channel_max: usize,
}

/// 256 pixels, `channel_base` 16384, as stylegan2-ada-pytorch's `paper256` configuration has it.
pub const S256: Size = Size { resolution: 256, channel_base: 16384, channel_max: 512 };

/// Config F at 1024 pixels (StyleGAN2, table 1).
pub const S1024: Size = Size { resolution: 1024, channel_base: 32768, channel_max: 512 };

const DIM: usize = 512;
const MAPPING_LAYERS: usize = 8;

/// A generator of that size with random weights, skip architecture, noise and biases included.
///
/// # Errors
/// When memory runs out.
pub fn random_network(size: Size, device: &Device) -> Result<StyleGan2> {
    StyleGan2::from_state_dict(random_weights(size)?, &Default::default(), device)
}

/// The weights of [`random_network`] under NVIDIA's names.
///
/// # Errors
/// If two names were the same.
pub fn random_weights(size: Size) -> Result<StateDict> {
    let mut random = Philox::new(0);
    let mut dict = StateDict::default();
    let mut add = |name: String, shape: &[usize], mean: f32, deviation: f32| {
        let mut data = vec![0.0; shape.iter().product()];
        random.fill_normal(&mut data);
        data.iter_mut().for_each(|v| *v = mean + deviation * *v);
        dict.insert(name, HostTensor { shape: shape.to_vec(), data })
    };
    for i in 0..MAPPING_LAYERS {
        add(format!("mapping.fc{i}.weight"), &[DIM, DIM], 0.0, 100.0)?;
        add(format!("mapping.fc{i}.bias"), &[DIM], 0.0, 1.0)?;
    }
    add("mapping.w_avg".into(), &[DIM], 0.0, 0.1)?;
    let channels = |r: usize| (size.channel_base / r).min(size.channel_max);
    let (mut r, mut previous) = (4, channels(4));
    while r <= size.resolution {
        let c = channels(r);
        let block = format!("synthesis.b{r}");
        if r == 4 {
            add(format!("{block}.const"), &[c, 4, 4], 0.0, 1.0)?;
        }
        let convs = [("conv0", previous), ("conv1", c)];
        for (name, inputs) in convs.into_iter().skip(usize::from(r == 4)) {
            add(format!("{block}.{name}.weight"), &[c, inputs, 3, 3], 0.0, 1.0)?;
            add(format!("{block}.{name}.bias"), &[c], 0.0, 0.1)?;
            add(format!("{block}.{name}.noise_const"), &[r, r], 0.0, 1.0)?;
            add(format!("{block}.{name}.noise_strength"), &[], 0.1, 0.0)?;
            add(format!("{block}.{name}.affine.weight"), &[inputs, DIM], 0.0, 1.0)?;
            add(format!("{block}.{name}.affine.bias"), &[inputs], 1.0, 0.0)?;
        }
        add(format!("{block}.torgb.weight"), &[3, c, 1, 1], 0.0, 1.0)?;
        add(format!("{block}.torgb.bias"), &[3], 0.0, 0.1)?;
        add(format!("{block}.torgb.affine.weight"), &[c, DIM], 0.0, 1.0)?;
        add(format!("{block}.torgb.affine.bias"), &[c], 1.0, 0.0)?;
        (r, previous) = (2 * r, c);
    }
    Ok(dict)
}

/// Random W+ codes `[n, num_ws, w_dim]`.
///
/// # Errors
/// If `n` is zero.
pub fn random_codes(n: usize, num_ws: usize, w_dim: usize, device: &Device) -> Result<WPlus> {
    let mut values = vec![0.0; n * num_ws * w_dim];
    Philox::new(1).fill_normal(&mut values);
    WPlus::new(Tensor::from_vec(values, &[n, num_ws, w_dim], device)?)
}
