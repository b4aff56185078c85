//! StyleGAN2 under NVIDIA's names.

use gan_core::checkpoint::StateDict;
use gan_core::{Device, Result, StyleGan2};

use super::weights::Weights;
use super::{DIM, MAPPING_LAYERS, Size};

/// A StyleGAN2 of that size with random weights, skip architecture, noise and biases included.
///
/// # Errors
/// When memory runs out.
pub fn random_stylegan2(size: Size, device: &Device) -> Result<StyleGan2> {
    StyleGan2::from_state_dict(weights(size)?, &Default::default(), device)
}

fn weights(size: Size) -> Result<StateDict> {
    let mut dict = Weights::new();
    for i in 0..MAPPING_LAYERS {
        dict.normal(format!("mapping.fc{i}.weight"), &[DIM, DIM], 0.0, 100.0)?;
        dict.normal(format!("mapping.fc{i}.bias"), &[DIM], 0.0, 1.0)?;
    }
    dict.normal("mapping.w_avg", &[DIM], 0.0, 0.1)?;
    let mut previous = None;
    for (r, c) in size.blocks() {
        let block = format!("synthesis.b{r}");
        if previous.is_none() {
            dict.normal(format!("{block}.const"), &[c, 4, 4], 0.0, 1.0)?;
        }
        for (name, inputs) in [("conv0", previous), ("conv1", Some(c))] {
            let Some(inputs) = inputs else { continue };
            let conv = format!("{block}.{name}");
            dict.normal(format!("{conv}.weight"), &[c, inputs, 3, 3], 0.0, 1.0)?;
            dict.normal(format!("{conv}.bias"), &[c], 0.0, 0.1)?;
            dict.normal(format!("{conv}.noise_const"), &[r, r], 0.0, 1.0)?;
            dict.full(format!("{conv}.noise_strength"), &[], 0.1)?;
            dict.normal(format!("{conv}.affine.weight"), &[inputs, DIM], 0.0, 1.0)?;
            dict.full(format!("{conv}.affine.bias"), &[inputs], 1.0)?;
        }
        let to_rgb = format!("{block}.torgb");
        dict.normal(format!("{to_rgb}.weight"), &[3, c, 1, 1], 0.0, 1.0)?;
        dict.normal(format!("{to_rgb}.bias"), &[3], 0.0, 0.1)?;
        dict.normal(format!("{to_rgb}.affine.weight"), &[c, DIM], 0.0, 1.0)?;
        dict.full(format!("{to_rgb}.affine.bias"), &[c], 1.0)?;
        previous = Some(c);
    }
    Ok(dict.finish())
}
