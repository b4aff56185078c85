//! From one published layout to another.

use super::layout::locate;
use super::rosinality;
use super::state_dict::{StateDict, weights};
use super::{Family, canonical, recognise};
use crate::error::{Error, Result};

/// The names and conventions that [`convert`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `NVlabs/stylegan2-ada-pytorch`: the names of its generator.
    Nvidia,
    /// `rosinality/stylegan2-pytorch`: `g_ema.` before the names of its generator, and `latent_avg` beside them.
    Rosinality,
}

/// A StyleGAN2 generator, in whichever layout it is, under the names and conventions of another code base. Other networks
/// of the file are left out.
///
/// Images stay the same up to rounding. What the target has no place for is an error: neither knows levels of detail, rosinality's networks
/// have no labels and only the `skip` architecture, and NVIDIA's do not normalise z together with labels. Of what is in metadata, rosinality's
/// code does not know the bound of features (`conv_clamp`), which matters only where features reach it.
///
/// ```no_run
/// use gan_core::checkpoint::{self, StateDict, Target};
/// let dict = StateDict::open("stylegan2-ffhq-config-f.pkl")?;
/// checkpoint::convert(dict, Target::Rosinality)?.save("ffhq_rosinality.safetensors")?;
/// # Ok::<(), gan_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Layout`] if there is no generator of a known layout; [`Error::Argument`] for families that have no second layout
/// here; [`Error::Weights`] for tensors that are wrong, or that the target has no place for.
pub fn convert(dict: StateDict, to: Target) -> Result<StateDict> {
    let (family, layout) = recognise(&dict)?;
    if family != Family::StyleGan2 {
        let expected = "a StyleGAN2 generator, the family that several code bases share";
        return Err(Error::argument("convert", expected, format!("{family} of {layout}")));
    }
    let (_, prefix) = locate(&dict, family)?;
    let metadata = dict.metadata_of(prefix);
    let found = canonical(dict)?;
    if found.label_norm_joint {
        let expected = "no labels, or labels normalised apart from z as the target does it";
        let found = "labels normalised together with z";
        return Err(weights("mapping.embed.weight", expected, found));
    }
    if found.dict.shape("synthesis.lod").is_some() {
        let expected = "none: the target sums the colours of all blocks";
        return Err(weights("synthesis.lod", expected, "a network that grew, level by level"));
    }
    let dict = found.dict.with_metadata(metadata);
    match to {
        Target::Nvidia => Ok(dict),
        Target::Rosinality => {
            let mut theirs = rosinality::from_canonical(dict)?;
            let average = theirs.take("latent_avg").ok();
            let mut nested = theirs.prefixed("g_ema.");
            if let Some(average) = average {
                nested.insert("latent_avg", average)?;
            }
            Ok(nested)
        }
    }
}
