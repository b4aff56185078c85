//! A generator whose family its checkpoint tells.

use std::path::Path;

use crate::backend::Device;
use crate::checkpoint::{Family, StateDict, recognise};
use crate::error::Result;
use crate::generator::Generator;
use crate::{BigGan, PgGan, StyleGan, StyleGan2};

/// A generator of whichever family a checkpoint holds, with the options of the published networks.
///
/// ```no_run
/// use gan_core::models::AnyGenerator;
/// use gan_core::{Device, Generator};
/// let any = AnyGenerator::open("unknown.safetensors", &Device::cpu())?;
/// let [_, height, width] = any.generator().image_shape();
/// if let AnyGenerator::StyleGan2(g) = any {
///     println!("{height} x {width} pixels, {:?}", g.synthesis().architecture());
/// }
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum AnyGenerator {
    /// Of the family StyleGAN2.
    StyleGan2(StyleGan2),
    /// Of the family StyleGAN.
    StyleGan(StyleGan),
    /// Of the family PGGAN.
    PgGan(PgGan),
    /// Of the family BigGAN.
    BigGan(BigGan),
}

impl AnyGenerator {
    /// Opens a checkpoint by what is in it.
    ///
    /// # Errors
    /// [`Error::Layout`](crate::Error::Layout) if it is of no known family or of two; else as the family's own `open`.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::from_state_dict(StateDict::open(path)?, device)
    }

    /// Builds a generator from tensors.
    ///
    /// # Errors
    /// As [`AnyGenerator::open`].
    pub fn from_state_dict(dict: StateDict, device: &Device) -> Result<Self> {
        let (family, _) = recognise(&dict)?;
        Ok(match family {
            Family::StyleGan2 => {
                Self::StyleGan2(StyleGan2::from_state_dict(dict, &Default::default(), device)?)
            }
            Family::StyleGan => {
                Self::StyleGan(StyleGan::from_state_dict(dict, &Default::default(), device)?)
            }
            Family::PgGan => {
                Self::PgGan(PgGan::from_state_dict(dict, &Default::default(), device)?)
            }
            Family::BigGan => {
                Self::BigGan(BigGan::from_state_dict(dict, &Default::default(), device)?)
            }
        })
    }

    /// What all families can do.
    pub fn generator(&self) -> &dyn Generator {
        match self {
            AnyGenerator::StyleGan2(g) => g,
            AnyGenerator::StyleGan(g) => g,
            AnyGenerator::PgGan(g) => g,
            AnyGenerator::BigGan(g) => g,
        }
    }
}
