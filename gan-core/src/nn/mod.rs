//! The layers that the networks share.

mod batch_norm;
mod bias_act;
mod bilinear;
mod conv;
mod fir;
mod gelu;
mod layer_norm;
mod linear;
mod many;
mod minibatch_std;
mod modulated;
mod norm;
mod normed_conv;
mod params;
mod pool;
mod resize;
mod self_attention;
mod softmax;
mod spectral_norm;

pub use batch_norm::{BatchNorm, BatchStatistics, ConditionalBatchNorm};
pub use bias_act::bias_act;
pub(crate) use bias_act::check_clamp;
pub use bilinear::resize_bilinear;
pub use conv::{Conv2dLayer, EqualizedConv, Resample, conv2d_resample};
pub(crate) use fir::nearest_filter;
pub use fir::{
    FilterSetup, Padding, average_downsample2d, downsample2d, filter_from_array, filter2d,
    nearest_upsample2d, setup_filter, take_filter, upsample2d,
};
pub use gelu::{gelu, quick_gelu};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use many::{affines, demodulations};
pub use minibatch_std::minibatch_std;
pub use modulated::{ModulatedConv, demodulation, modulated_conv2d, styled_conv};
pub use norm::{instance_norm, normalize_2nd_moment};
pub use normed_conv::NormedConv;
pub use params::Params;
pub use pool::{average_pool2d, max_pool2d_overlapping};
pub use resize::{max_pool2d, upsample_nearest};
pub use self_attention::SelfAttention;
pub use softmax::softmax;
pub use spectral_norm::{SpectralConv2d, SpectralLinear, SpectralNorm};
