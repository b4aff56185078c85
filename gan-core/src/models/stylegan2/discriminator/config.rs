//! What a discriminator's tensors do not tell.

use crate::backend::Activation;

/// Properties of a discriminator that are not in its tensors; the defaults are those of the published networks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiscriminatorOptions {
    /// Samples of a group of the minibatch standard deviation; `None` for the whole batch.
    pub minibatch_std_group: Option<usize>,
    /// Bound of the features: none by default. Networks that were trained with 16-bit layers, as those of
    /// stylegan2-ada-pytorch and stylegan3 are, have 256; it matters only where features grow that large.
    pub conv_clamp: Option<f64>,
    /// Activation of the blocks.
    pub activation: Activation,
    /// Activation of the last block, `b4`.
    pub epilogue_activation: Activation,
    /// Learning-rate multiplier of the network that maps labels, which scales its weights at run time.
    pub mapping_lr_multiplier: f64,
    /// Height and width of the features before the first fully connected layer, 4 x 4 in all published networks. `None`
    /// goes by that layer's inputs, and means squares; each block before doubles it.
    pub last_size: Option<[usize; 2]>,
}

impl Default for DiscriminatorOptions {
    fn default() -> Self {
        DiscriminatorOptions {
            minibatch_std_group: Some(4),
            conv_clamp: None,
            activation: Activation::Lrelu,
            epilogue_activation: Activation::Lrelu,
            mapping_lr_multiplier: 0.01,
            last_size: None,
        }
    }
}
