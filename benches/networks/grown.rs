//! PGGAN and StyleGAN under genforce's names.

use gan_core::{Device, PgGan, Result, StyleGan};

use super::weights::Weights;
use super::{DIM, MAPPING_LAYERS, Size};

/// A PGGAN of that size with random weights.
///
/// # Errors
/// When memory runs out.
pub fn random_pggan(size: Size, device: &Device) -> Result<PgGan> {
    let mut dict = Weights::new();
    let mut previous = None;
    for (k, (_, c)) in size.blocks().enumerate() {
        let (inputs, kernel) = previous.map_or((DIM, 4), |inputs| (inputs, 3));
        let convs = [(2 * k, [c, inputs, kernel, kernel]), (2 * k + 1, [c, c, 3, 3])];
        for (i, shape) in convs {
            dict.normal(format!("layer{i}.weight"), &shape, 0.0, 1.0)?;
            dict.normal(format!("layer{i}.bias"), &[c], 0.0, 0.1)?;
        }
        dict.normal(format!("output{k}.weight"), &[3, c, 1, 1], 0.0, 1.0)?;
        dict.normal(format!("output{k}.bias"), &[3], 0.0, 0.1)?;
        previous = Some(c);
    }
    PgGan::from_state_dict(dict.finish(), &Default::default(), device)
}

/// A StyleGAN of that size with random weights, noise included.
///
/// # Errors
/// When memory runs out.
pub fn random_stylegan(size: Size, device: &Device) -> Result<StyleGan> {
    let mut dict = Weights::new();
    for i in 0..MAPPING_LAYERS {
        dict.normal(format!("mapping.dense{i}.weight"), &[DIM, DIM], 0.0, 100.0)?;
        dict.normal(format!("mapping.dense{i}.bias"), &[DIM], 0.0, 1.0)?;
    }
    dict.normal("truncation.w_avg", &[DIM], 0.0, 0.1)?;
    let mut previous = None;
    for (k, (r, c)) in size.blocks().enumerate() {
        for (i, inputs) in [(2 * k, previous), (2 * k + 1, Some(c))] {
            let layer = format!("synthesis.layer{i}");
            match inputs {
                Some(inputs) => {
                    dict.normal(format!("{layer}.weight"), &[c, inputs, 3, 3], 0.0, 1.0)?;
                }
                None => dict.normal(format!("{layer}.const"), &[1, c, r, r], 0.0, 1.0)?,
            }
            dict.normal(format!("{layer}.bias"), &[c], 0.0, 0.1)?;
            dict.normal(format!("{layer}.apply_noise.weight"), &[c], 0.0, 0.1)?;
            dict.normal(format!("{layer}.apply_noise.noise"), &[1, 1, r, r], 0.0, 1.0)?;
            dict.normal(format!("{layer}.style.weight"), &[2 * c, DIM], 0.0, 1.0)?;
            dict.full(format!("{layer}.style.bias"), &[2 * c], 0.0)?;
        }
        let output = format!("synthesis.output{k}");
        dict.normal(format!("{output}.weight"), &[3, c, 1, 1], 0.0, 1.0)?;
        dict.normal(format!("{output}.bias"), &[3], 0.0, 0.1)?;
        previous = Some(c);
    }
    StyleGan::from_state_dict(dict.finish(), &Default::default(), device)
}
