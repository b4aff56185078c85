//! How good the networks are that judge, on pictures that they have not seen.

use std::path::Path;

use gan_core::Device;
use gan_core::models::recognition::{AttributeNet, IdentityNet, Segmenter};

use super::Section;
use crate::pairs;
use crate::program::Result;
use crate::recognition::{
    Identities, Labelled, Masks, attribute_scores, auc, class_scores, mean_iou, pair_products,
};

/// The networks that ship with the repository.
pub struct Shipped {
    /// Tells the factors of portraits.
    pub attributes: AttributeNet,
    /// Marks their parts.
    pub segmenter: Segmenter,
    /// Tells people apart.
    pub identity: IdentityNet,
}

impl Shipped {
    /// Opens them.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn open(device: &Device) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        Ok(Shipped {
            attributes: AttributeNet::open(folder.join("attributes.safetensors"), device)?,
            segmenter: Segmenter::open(folder.join("segmenter.safetensors"), device)?,
            identity: IdentityNet::open(folder.join("identity.safetensors"), device)?,
        })
    }
}

/// Accuracy or R2 of each factor, over so many held-out portraits.
///
/// # Errors
/// When the device fails.
pub fn classifier(net: &AttributeNet, count: usize) -> Result<Section> {
    let data = Labelled::portraits(net.resolution());
    let mut section = Section::new("classifier, held out", &["accuracy", "R2"]);
    for score in attribute_scores(net, &data, count)? {
        let value = format!("{:.3}", score.value);
        let cells = if score.is_choice { vec![value] } else { vec![String::new(), value] };
        section.row(score.name, cells);
    }
    Ok(section)
}

/// Intersection over union of each class, over so many held-out portraits.
///
/// # Errors
/// When the device fails.
pub fn segmenter(net: &Segmenter, count: usize) -> Result<Section> {
    let scores = class_scores(net, &Masks::portraits(64), count)?;
    let mut section = Section::new("segmenter, held out", &["IoU"]);
    for (name, score) in net.classes().iter().zip(&scores) {
        section.row(name, vec![score.map_or(String::new(), |v| format!("{v:.3}"))]);
    }
    section.row("mean", vec![format!("{:.3}", mean_iou(&scores))]);
    Ok(section)
}

/// How well it tells pairs of pictures of one person from pairs of two, over so many people that it has not seen.
///
/// # Errors
/// When the device fails.
pub fn identity(net: &IdentityNet, count: usize) -> Result<Section> {
    let data = Identities::portraits(net.resolution());
    let [same, different] = pair_products(net, &data, count, net.device())?;
    let mut section = Section::new("identity network, held out", &["value"]);
    section.row("AUC of same and different people", vec![format!("{:.4}", auc(&same, &different))]);
    let mean = |of: &[f32]| of.iter().sum::<f32>() / of.len().max(1) as f32;
    section.row("mean product, same person", vec![format!("{:.3}", mean(&same))]);
    section.row("mean product, two people", vec![format!("{:.3}", mean(&different))]);
    Ok(section)
}

/// The share of right answers of the shipped CLIP to each question, over so many held-out portraits.
///
/// # Errors
/// If its file is missing or damaged.
pub fn zero_shot(count: usize, device: &Device) -> Result<Section> {
    let mut section = Section::new("CLIP, zero-shot, held out", &["accuracy"]);
    for (question, share) in pairs::zero_shot::of_shipped(count, device)? {
        section.row(question, vec![format!("{share:.3}")]);
    }
    Ok(section)
}
