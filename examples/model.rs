//! Opening a generator and making codes, as all examples do.

use std::path::PathBuf;

use clap::Args;
use gan_core::models::stylegan2::Options;
use gan_core::{
    Error, Generator, Image, Labels, Noise, Seeds, StyleBased, StyleGan2, Truncation, WPlus,
};

use crate::device::DeviceName;
use crate::program::Result;

/// The portrait generator that ships with the repository.
pub const PORTRAITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/portraits64.safetensors");

/// Flags of every example that draws images.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// A StyleGAN2 checkpoint (safetensors; layout of NVIDIA, rosinality or genforce)
    #[arg(long, default_value = PORTRAITS, value_name = "FILE", hide_default_value = true)]
    pub model: PathBuf,
    /// Truncation: 1 is none, 0 the average image
    #[arg(long, default_value_t = 0.7, allow_negative_numbers = true)]
    pub psi: f64,
    /// Truncate only so many layers, from the first on
    #[arg(long, value_name = "LAYERS")]
    pub cutoff: Option<usize>,
    /// Bound of the features, 256 for networks trained with 16-bit layers [default: none]
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
    /// Opens the checkpoint on the device. One that holds no average code gets an estimate, of as many samples as rosinality's tools take.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another kind, or there is no such device.
    pub fn open(&self) -> Result<StyleGan2> {
        let device = self.device.open()?;
        let options = Options { conv_clamp: self.conv_clamp, ..Options::default() };
        let g = StyleGan2::open_with(&self.model, &options, &device)?;
        if g.mapping().w_avg().is_some() {
            return Ok(g);
        }
        let labels = self.labels(&g, 1)?;
        Ok(g.with_estimated_average(4096, 0, labels.as_ref())?)
    }

    /// Truncated codes of the seeds, `[seeds, num_ws, w_dim]`.
    ///
    /// # Errors
    /// If psi is not finite, there are no seeds, or the network wants a class and got none.
    pub fn codes(&self, g: &StyleGan2, seeds: &Seeds) -> Result<WPlus> {
        let labels = self.labels(g, seeds.len())?;
        let w = g.map(&g.sample(seeds)?, labels.as_ref())?;
        Ok(g.truncate(&w, &Truncation { psi: self.psi, cutoff: self.cutoff })?)
    }

    fn labels(&self, g: &StyleGan2, n: usize) -> Result<Option<Labels>> {
        match self.class {
            None => Ok(None),
            Some(_) if g.label_dim() == 0 => Err(Error::Argument {
                what: "--class",
                expected: "none: this network is not conditional".into(),
                found: "one".into(),
            }
            .into()),
            Some(class) => Ok(Some(Labels::one_hot(&vec![class; n], g.label_dim(), g.device())?)),
        }
    }
}

/// The image of one code.
///
/// # Errors
/// As [`StyleBased::synthesize`].
pub fn draw(g: &StyleGan2, code: &WPlus, noise: Noise<'_>) -> Result<Image> {
    Ok(Image::from_tensor(&g.synthesize(code, noise)?)?.remove(0))
}

/// How much larger small images are drawn on a sheet.
pub fn magnification(g: &StyleGan2) -> usize {
    (128 / g.image_shape()[1].max(1)).clamp(1, 4)
}

/// Refuses a sheet that would not fit, before hours are spent on its tiles.
///
/// # Errors
/// [`Error::TooLarge`].
pub fn check_sheet(g: &StyleGan2, columns: usize, rows: usize) -> Result<()> {
    let [_, h, w] = g.image_shape();
    let side = |tiles: usize, pixels: usize| tiles.checked_mul(pixels * magnification(g));
    let bytes =
        side(columns, w).zip(side(rows, h)).and_then(|(w, h)| w.checked_mul(h)?.checked_mul(3));
    match bytes {
        Some(bytes) if bytes <= 1 << 30 => Ok(()),
        _ => Err(Error::TooLarge { what: "sheet", bytes: bytes.unwrap_or(usize::MAX) }.into()),
    }
}
