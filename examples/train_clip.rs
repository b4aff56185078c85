//! Trains a small CLIP on drawn portraits and their captions, or on those of a folder.
//!
//! `cargo run --release --example train_clip -- --minutes 25 --out out/clip` writes `clip64.safetensors`, or of another --size, in the layout of Hugging
//! Face, a card with its scores, `losses.csv`, `losses.png`, and `resume.safetensors`, from which the same command goes on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use gan_clip::{Clip, Options};
use gan_core::Device;
use gan_core::checkpoint::NumberFormat;
use gan_core::nn::Params;
use gan_core::training::{AdamOptions, Learner};
use gan_examples::pairs::{Size, Source, Words, initial, loss};
use gan_examples::program::{Result, at_least_one, flags, in_range, run};
use gan_examples::recognition::{Card, HELD_OUT, rate, rounded};
use gan_examples::training::{Course, CourseArgs, Lesson, MOST_IMAGES, MOST_RATE};
use serde_json::Map;

/// Steps of a run, unless the flags say another number.
const STEPS: u64 = 3600;
/// Steps from one held-out score in the log to the next, and its pictures.
const SCORE_EVERY: u64 = 256;
const SCORED: usize = 300;
/// Pixels of a side, at most.
const MOST_PIXELS: usize = 1024;

/// Of features and blocks of both towers, and of the vectors; the side is up to the flags.
const SIZE: Size = Size { side: 64, image: [96, 3], text: [64, 2], embedding: 64 };

/// Trains a small CLIP on images and their captions.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    course: CourseArgs,
    /// Folder of images to train on instead of drawn portraits, all of --size; every tenth is held out
    #[arg(long, value_name = "FOLDER")]
    images: Option<PathBuf>,
    /// Table for --images: the first column names files, those whose names begin with `caption` have captions [default: captions.csv in the folder]
    #[arg(long, value_name = "FILE", requires = "images")]
    captions: Option<PathBuf>,
    /// Pixels along a side, a multiple of 8
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Pictures, and as many captions, of a step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Greatest learning rate
    #[arg(long, default_value_t = 0.001)]
    lr: f64,
    /// Pictures of the scores of the card, at most
    #[arg(long, default_value_t = 1000)]
    held_out: usize,
    /// Seed of weights and pictures
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..i64::from(HELD_OUT)))]
    seed: u32,
}

fn main() -> ExitCode {
    run(|| train(&flags()?))
}

fn train(flags: &Flags) -> Result<()> {
    in_range("--batch", 1..=MOST_IMAGES, flags.batch)?;
    in_range("--lr", 0.0..=MOST_RATE, flags.lr)?;
    at_least_one("--held-out", flags.held_out)?;
    let course = Course::new(&flags.course, "clip", Some(STEPS))?;
    let steps = course.steps().unwrap_or(STEPS);
    let device = Device::cpu();
    in_range("--size", 8..=MOST_PIXELS, flags.size)?;
    if !flags.size.is_multiple_of(8) {
        let (expected, found) = ("a multiple of 8".into(), flags.size.to_string());
        return Err(gan_core::Error::Argument { what: "--size", expected, found }.into());
    }
    let size = Size { side: flags.size, ..SIZE };
    let source = match &flags.images {
        None => Source::Portraits,
        Some(folder) => {
            let captions = flags.captions.clone().unwrap_or_else(|| folder.join("captions.csv"));
            Source::open(folder, &captions, flags.size)?
        }
    };
    let words = source.words()?;
    let params = initial(&size, words.count(), flags.seed, &device)?;
    let settings = [
        ("seed", flags.seed.to_string()),
        ("batch", flags.batch.to_string()),
        ("steps", steps.to_string()),
        ("data", source.digest(flags.size)),
    ];
    // The second moments' short memory of openai/CLIP (Radford et al. 2021, table 19).
    let options = AdamOptions { betas: [0.9, 0.98], eps: 1e-6, ..AdamOptions::default() };
    let learner = Learner::new(params, &options, &settings);
    let options = Options::from_config(&size.config(words.count()).to_string())?;
    let is =
        "CLIP, in the layout of Hugging Face; of words that captions do not have, it knows nothing";
    let card = Card::new("clip", is, flags.seed, flags.images.is_none());
    course.run(&mut Pairs { flags, size, steps, device, source, words, options, learner, card })
}

struct Pairs<'a> {
    flags: &'a Flags,
    size: Size,
    /// Of the whole run.
    steps: u64,
    device: Device,
    source: Source,
    words: Words,
    options: Options,
    learner: Learner,
    card: Card,
}

impl Pairs<'_> {
    fn scores(&self, count: usize) -> Result<Vec<(&'static str, f64)>> {
        let clip = Clip::from_params(self.learner.params().clone(), &self.options)?;
        Ok(self.source.scores(&clip, &self.words, count)?)
    }
}

impl Lesson for Pairs<'_> {
    const COLUMNS: &'static [&'static str] = &["loss", "zero_shot", "worst"];

    const PANELS: &'static [&'static [&'static str]] = &[&["loss"], &["zero_shot", "worst"]];

    fn steps(&self) -> u64 {
        self.learner.steps()
    }

    fn images(&self) -> u64 {
        self.steps() * self.flags.batch as u64
    }

    fn step(&mut self) -> Result<Vec<Option<f64>>> {
        let Flags { seed, batch, lr, size, .. } = *self.flags;
        let at = [self.steps(), self.steps];
        let pairs = self.source.batch(seed, at, batch, size, &self.device)?;
        let lr = rate(lr, self.steps(), self.steps);
        let (words, options) = (&self.words, &self.options);
        let value = self.learner.step(lr, |params: &Params| -> gan_clip::Result<_> {
            loss(&Clip::from_params(params.clone(), options)?, words, &pairs)
        })?;
        let mut row = vec![Some(value), None, None];
        if self.steps().is_multiple_of(SCORE_EVERY) || self.steps() == self.steps {
            let scores: Vec<f64> = self.scores(SCORED)?.into_iter().map(|(_, v)| v).collect();
            row[1] = Some(scores.iter().sum::<f64>() / scores.len() as f64);
            row[2] = scores.into_iter().reduce(f64::min);
        }
        Ok(row)
    }

    fn save(&self, path: &Path) -> gan_core::Result<()> {
        self.learner.save(path)
    }

    fn resume(&mut self, path: &Path) -> gan_core::Result<()> {
        self.learner.resume(path)
    }

    fn write(&self, out: &Path) -> Result<()> {
        let mut dict = self.words.expanded(&self.learner.params().to_state_dict()?)?;
        let vocabulary = dict.shape("text_model.embeddings.token_embedding.weight");
        let vocabulary = vocabulary.map_or(0, |shape| shape[0]);
        dict.set_metadata("config", self.size.config(vocabulary).to_string());
        let name = format!("clip{}", self.size.side);
        dict.save_as(out.join(&name).with_extension("safetensors"), NumberFormat::F16)?;
        let scores = self.scores(self.flags.held_out)?;
        let scores: Map<_, _> =
            scores.into_iter().map(|(name, v)| (name.to_owned(), rounded(v).into())).collect();
        let card = out.join(name).with_extension("json");
        Ok(self.card.write(&card, &self.learner, self.images(), scores)?)
    }
}
