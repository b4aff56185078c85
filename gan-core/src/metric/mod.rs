//! How good generated images are, and how alike two images are: numbers on features, which some network has computed, or on
//! pixels. None but the path length of a generator knows a network.
//!
//! ```
//! use gan_core::metric::FeatureStats;
//! use ndarray::array;
//! let real = FeatureStats::of(&array![[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]].view())?;
//! let fake = FeatureStats::of(&array![[5.0, 1.0], [6.0, 0.0], [7.0, 2.0]].view())?;
//! // The same spread, five apart.
//! assert!((real.frechet_distance(&fake)? - 25.0).abs() < 1e-9);
//! # Ok::<(), gan_core::Error>(())
//! ```

mod contribution;
mod droplets;
mod features;
mod inception_score;
mod kernel_distance;
mod path_length;
mod phase;
mod precision_recall;
mod similarity;

pub use contribution::Contributions;
pub use droplets::droplets;
pub use features::{Divisor, FeatureStats, frechet_distance};
pub use inception_score::{InceptionScore, inception_score};
pub use kernel_distance::{kernel_distance, kernel_distances};
pub use path_length::{
    LatentSpace, PathDistance, PathLengthOptions, PathLengthScore, metric_image, path_ends,
    path_length_score, perceptual_path_length, slerp,
};
pub use phase::{Phase, phase};
pub use precision_recall::{Manifold, precision, recall};
pub use similarity::{MS_SSIM_WEIGHTS, MsSsim, Ssim, Window, ms_ssim, psnr, ssim};
