//! Measures the artifacts that StyleGAN2 was made to remove, and how much each resolution adds to its images.
//!
//! `cargo run --release --example measure` measures the shipped portrait generator; `--model` takes a checkpoint of any family.
//! Of each, it prints what there is to measure: shares of the resolutions where a network sums their colours (figure 8 of
//! the paper), the largest spots of feature maps (figure 1), and whether details stay in place on a walk (figure 6).

use std::process::ExitCode;

use clap::Parser;
use gan_core::metric::{Contributions, Phase, droplets, phase};
use gan_core::models::{AnyGenerator, StyleNetwork, SynthesisNetwork};
use gan_core::progress::report;
use gan_core::{
    Direction, Editable, Error, Factorizable, Layers, Noise, Seeds, StyleBased, Tensor,
};
use gan_edit::sefa::{self, Convention};
use gan_edit::{strengths, sweep};
use gan_examples::model::{ModelArgs, Sampled};
use gan_examples::program::{Bar, Interrupt, Result, at_least_one, flags, run, say};

/// Motion from frame to frame that walks are given, in pixels.
const MOTION: f64 = 0.3;

/// Strength of the first, tentative steps.
const STEP: f64 = 0.2;

/// Frames of a walk, which are in memory all at once.
const MOST_FRAMES: usize = 1024;

/// The least side of images of which details can be told from the picture.
const LEAST: usize = 32;

/// Contributions of resolutions, droplets and phase artifacts of a generator. Without truncation, unless --psi is given.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    model: ModelArgs,
    /// How many random images contributions and droplets are taken from
    #[arg(long, default_value_t = 1024)]
    images: u32,
    /// Seeds of the walks
    #[arg(long, default_value = "0-15")]
    walks: Seeds,
    /// Frames of a walk
    #[arg(long, default_value_t = 17)]
    frames: usize,
    /// SeFa's direction of layers 0-1 to walk along [default: of the first five, the one along which most moves]
    #[arg(long)]
    direction: Option<usize>,
}

fn main() -> ExitCode {
    run(|| {
        let mut flags: Flags = flags()?;
        at_least_one("--images", flags.images as usize)?;
        if !(2..=MOST_FRAMES).contains(&flags.frames) {
            let (expected, found) = (format!("2 to {MOST_FRAMES}"), flags.frames.to_string());
            return Err(Error::Argument { what: "--frames", expected, found }.into());
        }
        flags.model.psi.get_or_insert(1.0);
        let interrupt = Interrupt::listen()?;
        match flags.model.open()? {
            AnyGenerator::StyleGan2(g) => {
                layers(&flags, &g, &interrupt)?;
                walks(&flags, &g, &interrupt)
            }
            AnyGenerator::StyleGan(g) => {
                layers(&flags, &g, &interrupt)?;
                walks(&flags, &g, &interrupt)
            }
            AnyGenerator::PgGan(g) => walks(&flags, &g, &interrupt),
            AnyGenerator::BigGan(g) => walks(&flags, &g, &interrupt),
        }
    })
}

/// A layer's name, and of its largest spots the mean and the most over all images.
struct Spots {
    layer: String,
    sum: f64,
    most: f64,
}

/// Contributions and droplets.
fn layers<S>(flags: &Flags, g: &StyleNetwork<S>, interrupt: &Interrupt) -> Result<()>
where
    S: SynthesisNetwork,
{
    let mut bar = Bar::new("images", interrupt)?;
    let mut contributions = Contributions::default();
    let mut spots: Vec<Spots> = Vec::new();
    let mut resolutions = Vec::new();
    for seed in 0..flags.images {
        let styles = g.styles(&g.sampled(seed, &flags.model)?)?;
        let (mut colours, mut layer) = (Vec::new(), 0);
        g.synthesis().forward_with(&styles, Noise::Const, &mut |name, x| {
            if name.ends_with(".torgb") {
                colours.push(x.clone());
            } else if !name.ends_with(".image") {
                let peak = droplets(x)?[0];
                if layer == spots.len() {
                    spots.push(Spots { layer: name.to_owned(), sum: 0.0, most: 0.0 });
                }
                let all = &mut spots[layer];
                (all.sum, all.most) = (all.sum + peak, all.most.max(peak));
                layer += 1;
            }
            Ok(())
        })?;
        // The last resolution alone says nothing.
        if colours.len() > 1 {
            contributions.add(&colours)?;
            resolutions = colours.iter().map(|x| x.shape()[2]).collect();
        }
        report(&mut bar, seed as usize + 1, flags.images as usize)?;
    }
    if resolutions.is_empty() {
        say("contributions: none to compare, only the last block makes colours")?;
    } else {
        say(format_args!("contributions to {} images", flags.images))?;
        for (pixels, share) in resolutions.iter().zip(contributions.shares()?) {
            say(format_args!("{pixels:>11}  {:5.1} %", 100.0 * share))?;
        }
    }
    say("droplets: how far the largest spot of all maps stands out, 1 for none; mean and most")?;
    for Spots { layer, sum, most } in spots {
        say(format_args!("{layer:>11}  {:5.2} {most:6.2}", sum / f64::from(flags.images)))?;
    }
    Ok(())
}

/// Whether details stay in place.
fn walks<G>(flags: &Flags, g: &G, interrupt: &Interrupt) -> Result<()>
where
    G: Sampled + Factorizable,
    G::Codes: Editable<G::Space>,
{
    let [_, h, w] = g.image_shape();
    if h.min(w) < LEAST {
        return say(format_args!("phase: not of images of less than {LEAST} pixels a side"));
    }
    let mut bar = Bar::new("walks", interrupt)?;
    let group = Layers::range(0, 1.min(g.layer_count() - 1))?;
    let found = sefa::factorize(g, &group, Convention::Sefa)?.directions;
    let candidates = match flags.direction {
        Some(k) if k < found.len() => k..k + 1,
        Some(k) => {
            let expected = format!("0 to {}", found.len().saturating_sub(1));
            return Err(
                Error::Argument { what: "--direction", expected, found: k.to_string() }.into()
            );
        }
        None => 0..found.len().min(5),
    };
    let seed = flags.walks.iter().next().unwrap_or_default();
    let codes = g.sampled(seed, &flags.model)?;
    let mut best = None;
    for k in candidates {
        let motion = walk(g, &codes, &found[k], STEP, 3)?.motion;
        if best.is_none_or(|(most, _)| motion > most) {
            best = Some((motion, k));
        }
    }
    let Some((_, k)) = best else { return say("phase: no direction to walk along") };

    let (mut sticking, mut motion) = (0.0, 0.0);
    let count = flags.walks.len();
    for (done, seed) in flags.walks.iter().enumerate() {
        let codes = g.sampled(seed, &flags.model)?;
        let tentative = walk(g, &codes, &found[k], STEP, 3)?;
        let step = (STEP * MOTION / tentative.motion).clamp(0.01, 2.0);
        let found = walk(g, &codes, &found[k], step, flags.frames)?;
        (sticking, motion) = (sticking + found.sticking, motion + found.motion);
        report(&mut bar, done + 1, count)?;
    }
    let [sticking, motion] = [sticking, motion].map(|sum| sum / count as f64);
    say(format_args!(
        "phase: {sticking:.2} of the details stay in place on {count} walks along #{k} of layers {group}, \
         {motion:.2} pixels a frame"
    ))
}

/// Frames around a code.
fn walk<G>(
    g: &G,
    codes: &G::Codes,
    direction: &Direction<G::Space>,
    step: f64,
    frames: usize,
) -> Result<Phase>
where
    G: Sampled + Factorizable,
    G::Codes: Editable<G::Space>,
{
    let strengths = strengths(step * (frames - 1) as f64 / 2.0, frames)?;
    let images = sweep(g, codes, direction, &strengths, &mut ())?;
    Ok(phase(&Tensor::concat(&images.iter().collect::<Vec<_>>(), 0)?)?)
}
