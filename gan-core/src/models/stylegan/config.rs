//! What a StyleGAN's tensors do not tell.

/// Which layers that double the resolution are stored as transposed convolutions (`fused_scale` of the originals).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FusedScale {
    /// Those with a result of 128 pixels or more, as in the published networks.
    #[default]
    Auto,
    /// All.
    Always,
    /// None.
    Never,
}

impl FusedScale {
    /// Whether the layer with a result of that size is.
    pub fn applies(self, resolution: usize) -> bool {
        match self {
            FusedScale::Auto => resolution >= 128,
            FusedScale::Always => true,
            FusedScale::Never => false,
        }
    }
}

/// Properties of a network that are not in its tensors; the defaults are those of the published networks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How up-sampling layers are stored in genforce's layout, and in NVIDIA's own where a file does not say it; in the others, their names tell.
    pub fused_scale: FusedScale,
    /// Ends the network with a hyperbolic tangent.
    pub final_tanh: bool,
    /// Level of detail, 0 for the full resolution; `None` goes by the checkpoint, which may say nothing: 0.
    pub lod: Option<f64>,
    /// Learning-rate multiplier of the mapping network, which scales its weights at run time.
    pub mapping_lr_multiplier: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            fused_scale: FusedScale::Auto,
            final_tanh: false,
            lod: None,
            mapping_lr_multiplier: 0.01,
        }
    }
}
