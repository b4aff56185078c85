//! Trains a small CLIP on drawn portraits and their captions.
//!
//! `cargo run --release --example train_clip -- --minutes 25 --out out/clip` writes `clip64.safetensors` in the layout of Hugging
//! Face, a card with its scores, `losses.csv`, `losses.png`, and `resume.safetensors`, from which the same command goes on.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use gan_clip::{Clip, Options};
use gan_core::checkpoint::NumberFormat;
use gan_core::nn::Params;
use gan_core::training::{AdamOptions, Learner};
use gan_core::{Device, Error};
use gan_examples::pairs::{Batch, Size, Words, initial, loss, zero_shot};
use gan_examples::program::{Result, at_least_one, flags, run};
use gan_examples::training::{Course, CourseArgs, Lesson};
use serde_json::{Map, json};

/// Steps of a run, unless the flags say another number.
const STEPS: u64 = 2500;
/// Steps from one held-out score in the log to the next, and its pictures; and those of the card.
const SCORE_EVERY: u64 = 256;
const SCORED: usize = 300;
const SCORED_LAST: usize = 1000;

const SIZE: Size = Size { side: 64, image: [96, 3], text: [64, 2], embedding: 64 };

/// Trains a small CLIP on drawn portraits and their captions.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    course: CourseArgs,
    /// Pictures, and as many captions, of a step
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Greatest learning rate
    #[arg(long, default_value_t = 0.001)]
    lr: f64,
    /// Seed of weights and pictures
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..i64::from(zero_shot::HELD_OUT)))]
    seed: u32,
}

fn main() -> ExitCode {
    let mut code = ExitCode::FAILURE;
    // On a thread of the pool, the many small operations of a step need not be handed over to one.
    rayon::scope(|_| code = run(|| train(&flags()?)));
    code
}

fn train(flags: &Flags) -> Result<()> {
    at_least_one("--batch", flags.batch)?;
    let course = Course::new(&flags.course, "clip", Some(STEPS))?;
    let steps = course.steps().unwrap_or(STEPS);
    let device = Device::cpu();
    let words = Words::of_portraits()?;
    let params = initial(&SIZE, words.count(), flags.seed, &device)?;
    let settings = [
        ("seed", flags.seed.to_string()),
        ("batch", flags.batch.to_string()),
        ("steps", steps.to_string()),
    ];
    // The second moments' short memory of openai/CLIP (Radford et al. 2021, table 19).
    let options = AdamOptions { betas: [0.9, 0.98], eps: 1e-6, ..AdamOptions::default() };
    let learner = Learner::new(params, &options, &settings);
    let options = Options::from_config(&SIZE.config(words.count()).to_string())?;
    let started = Instant::now();
    course.run(&mut Pairs { flags, steps, device, words, options, learner, started })
}

struct Pairs<'a> {
    flags: &'a Flags,
    /// Of the whole run.
    steps: u64,
    device: Device,
    words: Words,
    options: Options,
    learner: Learner,
    started: Instant,
}

impl Pairs<'_> {
    fn scores(&self, count: usize) -> Result<Vec<(&'static str, f64)>> {
        let clip = Clip::from_params(self.learner.params().clone(), &self.options)?;
        Ok(zero_shot::accuracies(&clip, &|prompts| self.words.encode(prompts), count)?)
    }

    /// What there is to know about the weights.
    fn write_card(&self, path: &Path) -> Result<()> {
        let rounded = |value: f64| (value * 1e4).round() / 1e4;
        let scores: Map<_, _> = self
            .scores(SCORED_LAST)?
            .into_iter()
            .map(|(name, value)| (name.to_owned(), rounded(value).into()))
            .collect();
        let command: Vec<String> = std::env::args().skip(1).collect();
        let minutes = self.started.elapsed().max(Duration::from_secs(1)).as_secs_f64() / 60.0;
        let card = json!({
            "name": "clip64",
            "is": "CLIP, a ViT of 64 x 64 pixels, in the layout of Hugging Face's CLIPModel, f16",
            "parameters_trained": self.learner.params().iter().map(|(_, t)| t.numel()).sum::<usize>(),
            "words": self.words.count(),
            "data": "portraits and captions that the program draws and writes; no real person, no outside data",
            "tokens": "those of openai/CLIP (MIT); the rows of those that captions do not have are zero",
            "program": format!("train_clip {}", command.join(" ")),
            "seed": self.flags.seed,
            "minutes": rounded(minutes),
            "steps": self.steps(),
            "images": self.images(),
            "held_out_images": SCORED_LAST,
            "held_out_zero_shot_accuracy": scores,
            "licence": "CC0-1.0",
        });
        let io = |source| Error::Io { action: "write", path: path.to_owned(), source };
        Ok(fs::write(path, format!("{card:#}\n")).map_err(io)?)
    }
}

/// The learning rate of a step: up within a hundred steps, and down to nothing at the last in half a cosine.
fn rate(most: f64, step: u64, steps: u64) -> f64 {
    let part = (step as f64 / steps.max(1) as f64).min(1.0);
    let up = ((step + 1) as f64 / 100.0).min(1.0);
    most * up * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
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
        let Flags { seed, batch, lr, .. } = *self.flags;
        let pairs = Batch::new(seed, self.steps(), batch, SIZE.side, &self.device)?;
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
        dict.set_metadata("config", SIZE.config(vocabulary).to_string());
        dict.save_as(out.join("clip64.safetensors"), NumberFormat::F16)?;
        self.write_card(&out.join("clip64.json"))
    }
}
