//! Whatever a caller or a file hands in, the library answers with a typed error that names the thing and what was
//! expected of it. Nothing here may panic.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod chance;
mod codes;
mod files;
mod misshapen;
mod missing;
mod tensors;
mod texts;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::models::stylegan2::Options;
use gan_core::{
    Device, Generator, Image, Labels, Noise, Result, Seeds, StyleBased, StyleGan2, Tensor,
    Truncation,
};

use support::changed;

fn model_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/models/portraits64.safetensors")
}

/// The shipped generator's tensors: `skip` architecture, 64 pixels, four mapping layers.
fn portraits() -> StateDict {
    static DICT: OnceLock<StateDict> = OnceLock::new();
    DICT.get_or_init(|| StateDict::open(model_path()).unwrap()).clone()
}

/// A network of another geometry: z 10, w 12, three classes, 16 pixels.
fn golden(name: &str) -> StateDict {
    support::golden_weights(&format!("stylegan2/{name}"))
}

fn build(dict: StateDict) -> Result<StyleGan2> {
    StyleGan2::from_state_dict(dict, &Options::default(), &Device::cpu())
}

fn portraits_model() -> StyleGan2 {
    build(portraits()).unwrap()
}

fn conditional_model() -> StyleGan2 {
    build(golden("generator_c3_skip_r16")).unwrap()
}

fn tensor(shape: &[usize]) -> Tensor {
    Tensor::full(0.5, shape, &Device::cpu()).unwrap()
}

fn constant(shape: &[usize]) -> HostTensor {
    HostTensor { shape: shape.to_vec(), data: vec![0.25; shape.iter().product()] }
}

fn names(dict: &StateDict) -> Vec<String> {
    dict.names().map(str::to_owned).collect()
}

/// One image, as an example draws it.
fn draw(g: &StyleGan2) -> Result<Vec<Image>> {
    let labels = match g.label_dim() {
        0 => None,
        n => Some(Labels::one_hot(&[0], n, g.device())?),
    };
    let w = g.map(&g.sample(&Seeds::from(0..1))?, labels.as_ref())?;
    let psi = if g.mapping().w_avg().is_some() { 0.7 } else { 1.0 };
    Image::from_tensor(&g.synthesize(&g.truncate(&w, &Truncation::new(psi))?, Noise::Const)?)
}
