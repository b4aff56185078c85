//! What a StyleGAN2's tensors do not tell.

use crate::backend::Activation;

/// Properties of a network that are not in its tensors; the defaults are those of the networks published with the paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Learning-rate multiplier of the mapping network, which scales its weights at run time.
    pub mapping_lr_multiplier: f64,
    /// Activation of the synthesis layers.
    pub activation: Activation,
    /// Bound of the features: none by default. Networks that were trained with 16-bit layers, as those of stylegan2-ada-pytorch
    /// and stylegan3 are, have 256; it matters only where features grow that large.
    pub conv_clamp: Option<f64>,
    /// Normalise z and the embedded label together, as genforce does, not each by itself. Networks opened in genforce's
    /// layout do so in any case.
    pub joint_label_norm: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mapping_lr_multiplier: 0.01,
            activation: Activation::Lrelu,
            conv_clamp: None,
            joint_label_norm: false,
        }
    }
}

/// What keeps the size of features in check (StyleGAN2, section 2 and figure 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    /// Weights are divided by the deviation of features that is to be expected: StyleGAN2.
    #[default]
    Demodulation,
    /// Features are divided by the deviation that they have, before the style: StyleGAN, whose generator it then is.
    Adain,
}

/// How blocks hand on their result (StyleGAN2, figure 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Each block adds its colours to the up-sampled image of the block before.
    Skip,
    /// Each block adds its features to the up-sampled features of the block before.
    Resnet,
    /// Neither; only the last block makes colours.
    Orig,
}
