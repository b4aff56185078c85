//! BigGAN-deep under Hugging Face's names.

use gan_core::{BigGan, Device, Result};

use super::weights::Weights;

const CHANNELS: usize = 128;
/// Length of z, and of an embedded class.
const Z: usize = 128;
const CLASSES: usize = 1000;
const STATISTICS: usize = 51;
/// Inputs and outputs of the blocks of `biggan-deep-128`, in `CHANNELS`; every second block doubles the resolution.
const BLOCKS: [[usize; 2]; 10] =
    [[16, 16], [16, 16], [16, 16], [16, 8], [8, 8], [8, 4], [4, 4], [4, 2], [2, 2], [2, 1]];
/// The block before which the attention is.
const ATTENTION: usize = 8;

/// BigGAN-deep for 128 pixels, as published, with random weights.
///
/// # Errors
/// When memory runs out.
pub fn random_biggan(device: &Device) -> Result<BigGan> {
    let mut dict = Weights::new();
    dict.normal("embeddings.weight", &[Z, CLASSES], 0.0, 1.0)?;
    linear(&mut dict, "generator.gen_z", [4 * 4 * BLOCKS[0][0] * CHANNELS, 2 * Z], 1.0)?;
    dict.full("generator.gen_z.bias", &[4 * 4 * BLOCKS[0][0] * CHANNELS], 0.0)?;
    let mut place = 0;
    for (k, sizes) in BLOCKS.into_iter().enumerate() {
        let [inputs, outputs] = sizes.map(|s| s * CHANNELS);
        if k == ATTENTION {
            attention(&mut dict, &format!("generator.layers.{place}"), inputs)?;
            place += 1;
        }
        let name = format!("generator.layers.{place}");
        let middle = inputs / 4;
        let convs = [(inputs, middle, 1), (middle, middle, 3), (middle, middle, 3)];
        for (i, (ci, co, k)) in convs.into_iter().chain([(middle, outputs, 1)]).enumerate() {
            statistics(&mut dict, &format!("{name}.bn_{i}"), ci)?;
            for map in ["scale", "offset"] {
                linear(&mut dict, &format!("{name}.bn_{i}.{map}"), [ci, 2 * Z], 0.1)?;
            }
            conv(&mut dict, &format!("{name}.conv_{i}"), [co, ci, k, k])?;
            dict.normal(format!("{name}.conv_{i}.bias"), &[co], 0.0, 0.1)?;
        }
        place += 1;
    }
    statistics(&mut dict, "generator.bn", CHANNELS)?;
    dict.full("generator.bn.weight", &[CHANNELS], 1.0)?;
    dict.full("generator.bn.bias", &[CHANNELS], 0.0)?;
    conv(&mut dict, "generator.conv_to_rgb", [CHANNELS, CHANNELS, 3, 3])?;
    dict.full("generator.conv_to_rgb.bias", &[CHANNELS], 0.0)?;
    BigGan::from_state_dict(dict.finish(), &Default::default(), device)
}

fn attention(dict: &mut Weights, name: &str, channels: usize) -> Result<()> {
    let (eighth, half) = (channels / 8, channels / 2);
    let maps = [("theta", eighth, channels), ("phi", eighth, channels), ("g", half, channels)];
    for (map, co, ci) in maps.into_iter().chain([("o_conv", channels, half)]) {
        conv(dict, &format!("{name}.snconv1x1_{map}"), [co, ci, 1, 1])?;
    }
    dict.full(format!("{name}.gamma"), &[1], 0.5)
}

fn statistics(dict: &mut Weights, name: &str, features: usize) -> Result<()> {
    dict.normal(format!("{name}.running_means"), &[STATISTICS, features], 0.0, 0.1)?;
    dict.full(format!("{name}.running_vars"), &[STATISTICS, features], 1.0)
}

/// Outputs `gain` times as large as inputs.
fn linear(dict: &mut Weights, name: &str, shape: [usize; 2], gain: f32) -> Result<()> {
    dict.spectral(name, &shape, (shape[1] as f32).sqrt() / gain)
}

/// Outputs as large as inputs, half of which a rectifier has cleared.
fn conv(dict: &mut Weights, name: &str, shape: [usize; 4]) -> Result<()> {
    let fan_in: usize = shape[1..].iter().product();
    dict.spectral(name, &shape, (fan_in as f32 / 2.0).sqrt())
}
