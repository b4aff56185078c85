//! What a BigGAN's tensors do not tell.

/// Properties of a network that are not in its tensors; the defaults are those of the published networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What is added to variances in batch normalisation.
    pub eps: f64,
    /// Whether each block doubles the resolution. By default every second one does, the first does not, as in
    /// `biggan-deep-128`, `-256` and `-512`. In the original configuration, this is the first entry of each of `layers`.
    pub upsample: Option<Vec<bool>>,
}

impl Default for Options {
    fn default() -> Self {
        Options { eps: 1e-4, upsample: None }
    }
}
