//! What goes into a generator beside its code.

use crate::backend::Device;
use crate::error::{Error, Result};
use crate::memory;
use crate::tensor::Tensor;

/// Labels of a conditional network, `[n, label_dim]`.
#[derive(Clone, Debug)]
pub struct Labels(Tensor);

impl Labels {
    /// Wraps `[n, label_dim]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(tensor: Tensor) -> Result<Self> {
        tensor.dims2("labels")?;
        Ok(Labels(tensor))
    }

    /// One-hot labels of classes.
    ///
    /// # Errors
    /// [`Error::Argument`] if a class does not exist, [`Error::Shape`] if there are none.
    pub fn one_hot(classes: &[usize], label_dim: usize, device: &Device) -> Result<Self> {
        if label_dim == 0 {
            let expected = "none: the network is not conditional";
            return Err(Error::argument("class", expected, format!("{classes:?}")));
        }
        let mut values = memory::zeros("labels", classes.len().saturating_mul(label_dim))?;
        for (row, &class) in values.chunks_mut(label_dim).zip(classes) {
            let expected = || format!("0 to {}", label_dim - 1);
            *row.get_mut(class).ok_or_else(|| Error::argument("class", expected(), class))? = 1.0;
        }
        Tensor::from_vec(values, &[classes.len(), label_dim], device).map(Labels)
    }

    /// The tensor.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

/// The truncation trick: codes are pulled towards the average code (StyleGAN, appendix B).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// 1 leaves codes as they are, 0 gives the average.
    pub psi: f64,
    /// How many vectors of W+ are truncated, from the first on; `None` for all.
    pub cutoff: Option<usize>,
}

impl Truncation {
    /// The same psi for all layers.
    pub fn new(psi: f64) -> Self {
        Truncation { psi, cutoff: None }
    }
}

/// Noise that the network adds to its features.
#[derive(Clone, Copy, Debug, Default)]
pub enum Noise<'a> {
    /// The maps stored with the network, the same for all images.
    #[default]
    Const,
    /// Normal noise, fresh for each image, the same for the same seed.
    Random {
        /// Seed of the counter-based generator.
        seed: u64,
    },
    /// No noise.
    None,
    /// Given maps, one for each convolution in order, each `[n or 1, 1, h, w]`; the network multiplies them by its
    /// strengths.
    Maps(&'a [Tensor]),
}
