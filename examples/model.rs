//! Opening a generator and making codes, as all examples do.

use std::path::PathBuf;

use clap::Args;
use gan_core::checkpoint::{Family, StateDict, recognise};
use gan_core::models::stylegan2::Options;
use gan_core::models::{AnyGenerator, StyleNetwork, SynthesisNetwork, biggan, pggan};
use gan_core::{
    BigGan, Error, Generator, Image, Labels, PgGan, Seeds, Staged, StyleBased, StyleGan2, Tensor,
    Truncation, WPlus, ZTruncation,
};

use crate::device::DeviceName;
use crate::program::Result;

/// The portrait generator that ships with the repository.
pub const PORTRAITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/portraits64.safetensors");

/// Truncation where it is not given and the network knows one.
const PSI: f64 = 0.7;

/// Flags of every example that draws images.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// A checkpoint of StyleGAN2, StyleGAN, PGGAN or BigGAN-deep (.safetensors, .pkl, .pt or .pth, any of the published layouts)
    #[arg(long, default_value = PORTRAITS, value_name = "FILE", hide_default_value = true)]
    pub model: PathBuf,
    /// Truncation: 1 is none, 0 the average image; of BigGAN's codes, above 0. PGGAN has none [default: 0.7]
    #[arg(long, allow_negative_numbers = true)]
    pub psi: Option<f64>,
    /// Truncate only so many layers, from the first on
    #[arg(long, value_name = "LAYERS")]
    pub cutoff: Option<usize>,
    /// Bound of StyleGAN2's features, 256 for networks trained with 16-bit layers [default: what a .pkl says, else none]
    #[arg(long, value_name = "BOUND")]
    pub conv_clamp: Option<f64>,
    /// Class of a conditional network
    #[arg(long)]
    pub class: Option<usize>,
    /// Where to compute: cpu or cuda:N
    #[arg(long, default_value_t)]
    pub device: DeviceName,
}

impl ModelArgs {
    /// Opens the checkpoint on the device. A StyleGAN or StyleGAN2 without an average code gets an estimate, of as many samples as
    /// rosinality's tools take.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another kind, or there is no such device.
    pub fn open(&self) -> Result<AnyGenerator> {
        let device = &self.device.open()?;
        let dict = StateDict::open(&self.model)?;
        let any = match (recognise(&dict)?, self.conv_clamp) {
            ((Family::StyleGan2, _), conv_clamp) => {
                let options = Options { conv_clamp, ..Options::default() };
                AnyGenerator::StyleGan2(StyleGan2::from_state_dict(dict, &options, device)?)
            }
            (_, None) => AnyGenerator::from_state_dict(dict, device)?,
            ((family, _), Some(bound)) => {
                return Err(unwanted(
                    "--conv-clamp",
                    &format!("{family} has no such bound"),
                    bound,
                ));
            }
        };
        Ok(match any {
            AnyGenerator::StyleGan2(g) => AnyGenerator::StyleGan2(self.with_average(g)?),
            AnyGenerator::StyleGan(g) => AnyGenerator::StyleGan(self.with_average(g)?),
            other => other,
        })
    }

    fn with_average<S: SynthesisNetwork>(&self, g: StyleNetwork<S>) -> Result<StyleNetwork<S>> {
        if g.mapping().w_avg().is_some() {
            return Ok(g);
        }
        let labels = self.labels(&g)?;
        Ok(g.with_estimated_average(4096, 0, labels.as_ref())?)
    }

    /// The label of one code, `[1, label_dim]`, if the network takes one.
    ///
    /// # Errors
    /// For a class that is missing, not wanted, or not there.
    pub fn labels(&self, g: &dyn Generator) -> Result<Option<Labels>> {
        match (self.class, g.label_dim()) {
            (None, 0) => Ok(None),
            (Some(class), 0) => Err(unwanted("--class", "this network is not conditional", class)),
            (None, classes) => Err(Error::Argument {
                what: "--class",
                expected: format!("0 to {}: this network is conditional", classes - 1),
                found: "none".into(),
            }
            .into()),
            (Some(class), classes) => Ok(Some(Labels::one_hot(&[class], classes, g.device())?)),
        }
    }
}

fn unwanted(flag: &'static str, why: &str, found: impl ToString) -> Box<dyn std::error::Error> {
    let (expected, found) = (format!("none: {why}"), found.to_string());
    Error::Argument { what: flag, expected, found }.into()
}

/// A generator that turns a seed and the flags into codes.
pub trait Sampled: Staged {
    /// The truncated code of one seed.
    ///
    /// # Errors
    /// For flags that the network has no use for or that are out of range.
    fn sampled(&self, seed: u32, flags: &ModelArgs) -> Result<Self::Codes>;
}

impl<S: SynthesisNetwork> Sampled for StyleNetwork<S> {
    fn sampled(&self, seed: u32, flags: &ModelArgs) -> Result<WPlus> {
        let labels = flags.labels(self)?;
        let w = self.map(&self.sample(&Seeds::from(seed..=seed))?, labels.as_ref())?;
        let truncation = Truncation { psi: flags.psi.unwrap_or(PSI), cutoff: flags.cutoff };
        Ok(self.truncate(&w, &truncation)?)
    }
}

impl Sampled for PgGan {
    /// Normalised, so that a step along a direction means the same for all codes.
    fn sampled(&self, seed: u32, flags: &ModelArgs) -> Result<pggan::Codes> {
        if let Some(psi) = flags.psi.filter(|&psi| psi != 1.0) {
            return Err(unwanted("--psi", "PGGAN has no truncation", psi));
        }
        if let Some(cutoff) = flags.cutoff {
            return Err(unwanted("--cutoff", "PGGAN has no truncation", cutoff));
        }
        let z = self.normalized(&self.sample(&Seeds::from(seed..=seed))?)?;
        Ok(self.codes(&z, flags.labels(self)?.as_ref())?)
    }
}

impl Sampled for BigGan {
    fn sampled(&self, seed: u32, flags: &ModelArgs) -> Result<biggan::Codes> {
        if let Some(cutoff) = flags.cutoff {
            return Err(unwanted("--cutoff", "BigGAN's truncation is that of its codes", cutoff));
        }
        let truncation = ZTruncation::new(flags.psi.unwrap_or(PSI))?;
        let z = self.sample(&Seeds::from(seed..=seed), truncation)?;
        Ok(biggan::Codes { truncation, ..self.codes(&z, flags.labels(self)?.as_ref())? })
    }
}

/// The first of a batch of images `[n, 3, h, w]`, as large as the sheets of examples want it.
///
/// # Errors
/// As [`Image::from_tensor`].
pub fn tile(images: &Tensor, g: &dyn Generator) -> Result<Image> {
    Ok(Image::from_tensor(images)?.remove(0).upscale(magnification(g))?)
}

/// How much larger small images are drawn on a sheet.
fn magnification(g: &dyn Generator) -> usize {
    (128 / g.image_shape()[1].max(1)).clamp(1, 4)
}

/// Refuses a sheet that would not fit, before hours are spent on its tiles.
///
/// # Errors
/// [`Error::TooLarge`].
pub fn check_sheet(g: &dyn Generator, columns: usize, rows: usize) -> Result<()> {
    let [_, h, w] = g.image_shape();
    let side = |tiles: usize, pixels: usize| tiles.checked_mul(pixels * magnification(g));
    let bytes =
        side(columns, w).zip(side(rows, h)).and_then(|(w, h)| w.checked_mul(h)?.checked_mul(3));
    match bytes {
        Some(bytes) if bytes <= 1 << 30 => Ok(()),
        _ => Err(Error::TooLarge { what: "sheet", bytes: bytes.unwrap_or(usize::MAX) }.into()),
    }
}
