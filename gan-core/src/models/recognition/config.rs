//! Networks before training.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::models::init::New;
use crate::nn::Params;
use crate::random::Philox;
use crate::recognition::Attribute;

/// Sizes of a network that is to be trained.
///
/// ```
/// use gan_core::models::recognition::{Config, IdentityNet};
/// use gan_core::{Device, ImageEncoder, Philox, Tensor};
/// let device = Device::cpu();
/// let small = Config { resolution: 16, channels: vec![8, 16], width: 8 };
/// let net = IdentityNet::from_params(small.identity(&mut Philox::new(0), &device)?)?;
/// assert_eq!(net.embed(&Tensor::zeros(&[2, 3, 16, 16], &device)?)?.shape(), [2, 8]);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pixels along a side: a multiple of 2 to the number of stages.
    pub resolution: usize,
    /// Channels of each stage, of which the first has half of the resolution, and each other half of that before.
    pub channels: Vec<usize>,
    /// Length of the embedding, or channels of the segmenter's way up.
    pub width: usize,
}

impl Default for Config {
    /// For images of 64 pixels, 0.7 million parameters.
    fn default() -> Self {
        Config { resolution: 64, channels: vec![32, 64, 96, 128], width: 128 }
    }
}

impl Config {
    /// The tensors of an [`AttributeNet`](super::AttributeNet).
    ///
    /// # Errors
    /// [`Error::Argument`] for sizes of no network, [`Error::TooLarge`] without the memory.
    pub fn attributes(
        &self,
        attributes: &[Attribute],
        random: &mut Philox,
        device: &Device,
    ) -> Result<Params> {
        let mut new = self.pyramid(random, device)?;
        let outputs = attributes.iter().map(|attribute| attribute.kind.outputs()).sum();
        if outputs == 0 {
            return Err(Error::argument("attributes", "at least one", "none"));
        }
        new.layer("embed", &[self.width, self.last()])?;
        new.layer("out", &[outputs, self.width])?;
        Ok(new.finish())
    }

    /// The tensors of an [`IdentityNet`](super::IdentityNet).
    ///
    /// # Errors
    /// As [`Config::attributes`].
    pub fn identity(&self, random: &mut Philox, device: &Device) -> Result<Params> {
        let mut new = self.pyramid(random, device)?;
        new.layer("embed", &[self.width, self.last()])?;
        Ok(new.finish())
    }

    /// The tensors of a [`Segmenter`](super::Segmenter) for so many classes.
    ///
    /// # Errors
    /// As [`Config::attributes`].
    pub fn segmenter(
        &self,
        classes: usize,
        random: &mut Philox,
        device: &Device,
    ) -> Result<Params> {
        if classes < 2 {
            return Err(Error::argument("classes", "at least 2", classes));
        }
        let mut new = self.pyramid(random, device)?;
        let last = self.channels.len() - 1;
        for (i, &channels) in self.channels.iter().enumerate() {
            new.layer(&format!("up{i}.side"), &[self.width, channels, 1, 1])?;
            if i < last {
                new.layer(&format!("up{i}.conv"), &[self.width, self.width, 3, 3])?;
            }
        }
        new.layer("out", &[4 * classes, self.width, 3, 3])?;
        Ok(new.finish())
    }

    fn pyramid<'a>(&self, random: &'a mut Philox, device: &'a Device) -> Result<New<'a>> {
        self.check()?;
        let mut new = New::start(random, device);
        let mut inputs = 3;
        for (i, &channels) in self.channels.iter().enumerate() {
            let kernel = if i == 0 { 6 } else { 3 };
            new.layer(&format!("stage{i}.down"), &[channels, inputs, kernel, kernel])?;
            new.layer(&format!("stage{i}.conv"), &[channels, channels, 3, 3])?;
            inputs = channels;
        }
        Ok(new)
    }

    /// Features of the last stage.
    fn last(&self) -> usize {
        let side = self.resolution >> self.channels.len();
        self.channels.last().map_or(0, |c| c.saturating_mul(side).saturating_mul(side))
    }

    fn check(&self) -> Result<()> {
        let stages = self.channels.len();
        if !(1..=12).contains(&stages) || self.channels.contains(&0) {
            let found = format!("{:?}", self.channels);
            return Err(Error::argument("channels", "1 to 12 stages of at least 1", found));
        }
        if self.width == 0 {
            return Err(Error::argument("width", "at least 1", 0));
        }
        let factor = 1 << stages;
        if !(factor..=16384).contains(&self.resolution) || !self.resolution.is_multiple_of(factor) {
            let expected = format!("a multiple of {factor}, at most 16384");
            return Err(Error::argument("resolution", expected, self.resolution));
        }
        Ok(())
    }
}
