//! Batches of portraits and captions, and the loss that brings together what belongs together.

use std::collections::HashSet;

use gan_clip::{Clip, cosine, normalize};
use gan_core::training::cross_entropy;
use gan_core::{Device, Result, Tensor};

use super::Words;
use crate::world::{Portrait, World, captions, nth, planes};

/// What catches the eye, and so is all that a network would learn to tell pictures of a batch apart by.
const LOUD: [&str; 4] = ["hair_colour", "hat_colour", "clothes", "background"];
/// What does so where that is the same, and hides how a mouth is bent, a pixel or two.
const BOLD: [&str; 7] =
    ["hat", "glasses", "hair_length", "skin", "yaw", "eye_colour", "mouth_open"];

/// What all portraits of batch `k` have in common: the colours in every other batch, and later, in half of all, everything bold as well, which leaves
/// smiles. A network keeps what it has learned, but does not begin with what often does not matter: the bold must come first.
fn shared(k: u64, steps: u64) -> Vec<&'static str> {
    let is_early = k < steps / 4;
    match k % 4 {
        2 | 3 if !is_early => [&LOUD[..], &BOLD].concat(),
        1 | 3 => LOUD.to_vec(),
        _ => vec![],
    }
}

/// Images with a caption each.
pub struct Batch {
    /// `[n, 3, side, side]`, normalised.
    pub images: Tensor,
    /// A caption of each.
    pub captions: Vec<String>,
    /// `[n, n]`: 1 where a caption (column) is true of an image (row).
    pub(super) truth: Vec<f32>,
}

impl Batch {
    /// Portraits that come in no other batch than number `k` of so many of a seed.
    ///
    /// # Errors
    /// For sizes that cannot be drawn.
    pub fn new(
        seed: u32,
        [k, steps]: [u64; 2],
        n: usize,
        side: usize,
        device: &Device,
    ) -> Result<Self> {
        // Beyond 2^32 pictures it starts again.
        let first = k * n as u64;
        let numbers = (first..first + n as u64).map(|i| i as u32);
        let mut people: Vec<Portrait> = numbers.clone().map(|i| nth(seed, i)).collect();
        let shared = shared(k, steps);
        let one = people[0].clone();
        for factor in Portrait::factors().iter().filter(|factor| shared.contains(&factor.name)) {
            people.iter_mut().for_each(|person| (factor.set)(person, (factor.get)(&one)));
        }
        let caption = |(i, person): (u32, &Portrait)| captions(person, seed, i, 1).remove(0);
        let captions: Vec<String> = numbers.zip(&people).map(caption).collect();
        let truth = truth(&people, &captions);
        Ok(Batch { images: drawn(&people, side, device)?, captions, truth })
    }
}

/// Portraits as the network takes them, `[n, 3, side, side]`.
pub(super) fn drawn(people: &[Portrait], side: usize, device: &Device) -> Result<Tensor> {
    normalized(planes(people, side)?, people.len(), side, device)
}

/// Values of `n` images, -1 to 1, as the network takes them.
pub(super) fn normalized(
    planes: Vec<f32>,
    n: usize,
    side: usize,
    device: &Device,
) -> Result<Tensor> {
    let images = Tensor::from_vec(planes, &[n, 3, side, side], device)?;
    normalize(&images).map_err(core)
}

/// Which captions say nothing that is not true of which portraits.
fn truth(people: &[Portrait], captions: &[String]) -> Vec<f32> {
    let all: Vec<HashSet<String>> = people
        .iter()
        .map(|p| p.phrases().into_iter().map(|phrase| phrase.text).collect())
        .collect();
    let said: Vec<Vec<&String>> = all
        .iter()
        .zip(captions)
        .map(|(own, caption)| own.iter().filter(|text| caption.contains(text.as_str())).collect())
        .collect();
    let is_true =
        |own: &HashSet<String>, said: &[&String]| said.iter().all(|text| own.contains(*text));
    all.iter().flat_map(|own| said.iter().map(|said| f32::from(is_true(own, said)))).collect()
}

/// The contrastive loss of a batch (Radford et al. 2021, figure 3), where all captions that are true of an image count as its own, one
/// as much as the other, and all images of which it is true as a caption's own.
///
/// # Errors
/// If the captions have other words than the network.
pub fn loss(clip: &Clip, words: &Words, batch: &Batch) -> gan_clip::Result<Tensor> {
    let n = batch.captions.len();
    let images = clip.encode_image(&batch.images)?;
    let cosine = cosine(&images, &clip.encode_text(&words.encode(&batch.captions)?)?)?;
    let logits = cosine.mul(&clip.temperature()?)?;
    let truth = Tensor::new(&batch.truth, &[n, n], logits.device())?;
    let along = |axis: usize| -> gan_core::Result<Tensor> {
        let wanted = truth.div(&truth.sum(&[axis])?)?;
        cross_entropy(&logits, &wanted, axis)?.mean_all()
    };
    Ok(along(0)?.add(&along(1)?)?.scale(0.5)?)
}

/// Where everything but gan-core's own errors is ruled out.
fn core(error: gan_clip::Error) -> gan_core::Error {
    match error {
        gan_clip::Error::Core(error) => error,
        other => gan_core::Error::Backend { device: "clip".into(), source: Box::new(other) },
    }
}
