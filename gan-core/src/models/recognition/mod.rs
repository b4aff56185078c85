//! Small networks that look at images: they tell [attributes](AttributeNet), [mark](Segmenter) what each pixel shows, and
//! [recognise](IdentityNet) who is depicted.
//!
//! The three share their first layers, a pyramid of features like that of a StyleGAN2 discriminator of the kind `resnet`: without
//! a normalisation, with the equalised learning rate and leaky ReLU, and without minibatch statistics, so that images do not see each
//! other. It starts at half of the resolution, which makes it small enough to be trained on one core of a processor in minutes. They were designed
//! for this library, and no other program has weights for them.

mod attributes;
mod config;
mod identity;
mod layer;
mod pyramid;
mod segmenter;

pub use attributes::AttributeNet;
pub use config::Config;
pub use identity::IdentityNet;
pub use segmenter::Segmenter;
