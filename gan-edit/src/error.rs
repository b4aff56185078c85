//! The one error type of this crate.

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of gan-core.
    #[error(transparent)]
    Core(#[from] gan_core::Error),
    /// A choice of layers that leaves nothing to factorize.
    #[error("no projection in layers {layers}: the network has layers 0 to {last}")]
    NoProjection {
        /// The choice.
        layers: String,
        /// The network's last layer.
        last: usize,
    },
    /// Projections of different latent dimensions.
    #[error("projection `{name}`: expected {expected} columns as in the others, found {found}")]
    Projection {
        /// The layer.
        name: String,
        /// Latent dimension of the first projection.
        expected: usize,
        /// Latent dimension of this one.
        found: usize,
    },
    /// The eigenvalue solver failed, which needs weights that are not finite.
    #[error("the eigenvalue solver failed: {0}; are all weights finite?")]
    Eigen(String),
    /// A value outside its range.
    #[error("{what}: expected {expected}, found {found}")]
    Argument {
        /// The argument.
        what: &'static str,
        /// What it accepts.
        expected: &'static str,
        /// What it was given.
        found: String,
    },
}
