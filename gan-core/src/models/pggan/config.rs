//! What a PGGAN's tensors do not tell.

/// Properties of a network that are not in its tensors; the defaults are those of the published networks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Whether layers that double the resolution are stored as transposed convolutions. `None` goes by the names and
    /// shapes of the weights, which leave it open only in genforce's layout and if all layers have as many inputs as
    /// outputs; then it means no.
    pub fused_scale: Option<bool>,
    /// Ends the network with a hyperbolic tangent.
    pub final_tanh: bool,
    /// Level of detail, 0 for the full resolution; `None` goes by the checkpoint, which may say nothing: 0.
    pub lod: Option<f64>,
    /// Length of labels; the first layer's weight does not tell them from z.
    pub label_dim: usize,
}
