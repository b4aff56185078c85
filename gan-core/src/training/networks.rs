//! The networks that tensors in training are of: names tell.

use crate::discriminator::Discriminator;
use crate::error::Result;
use crate::generator::Generator;
use crate::models::{stylegan, stylegan2};
use crate::nn::Params;
use crate::tensor::Tensor;
use crate::training::TrainerOptions;
use crate::{StyleGan, StyleGan2, StyleGan2Discriminator, StyleGanDiscriminator};

/// The levels of detail of networks that grow.
pub(super) const LODS: [&str; 2] = ["synthesis.lod", "lod"];

/// A generator in training.
pub(super) enum InTraining {
    Demodulated(StyleGan2),
    Normalized(StyleGan),
}

impl InTraining {
    /// The network of these tensors: a StyleGAN, where the first block has two layers, or a StyleGAN2.
    pub(super) fn new(params: Params, options: &TrainerOptions) -> Result<Self> {
        let options = &options.generator;
        if params.has_layer("synthesis.b4.conv0") {
            let mapping_lr_multiplier = options.mapping_lr_multiplier;
            let options = stylegan::Options { mapping_lr_multiplier, ..Default::default() };
            return StyleGan::from_params(params, &options).map(InTraining::Normalized);
        }
        StyleGan2::from_params(params, options).map(InTraining::Demodulated)
    }

    pub(super) fn generator(&self) -> &dyn Generator {
        match self {
            InTraining::Demodulated(g) => g,
            InTraining::Normalized(g) => g,
        }
    }
}

/// The discriminator of these tensors: StyleGAN's, where there is a level of detail, or StyleGAN2's.
pub(super) fn discriminator(
    params: &Params,
    options: &TrainerOptions,
) -> Result<Box<dyn Discriminator>> {
    let options: &stylegan2::DiscriminatorOptions = &options.discriminator;
    if params.get(LODS[1]).is_none() {
        return Ok(Box::new(StyleGan2Discriminator::from_params(params.clone(), options)?));
    }
    let minibatch_std_group = options.minibatch_std_group;
    let options = stylegan::DiscriminatorOptions { minibatch_std_group, lod: None };
    Ok(Box::new(StyleGanDiscriminator::from_params(params.clone(), &options)?))
}

/// The level of detail of a generator's tensors, if it grows.
pub(super) fn lod(generator: &Params) -> Result<Option<f64>> {
    generator.get(LODS[0]).map(Tensor::item).transpose()
}
