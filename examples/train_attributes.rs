//! Trains a network that tells attributes of pictures: all factors of drawn portraits, or the columns of a table beside images.
//!
//! `cargo run --release --example train_attributes -- --minutes 10 --out out/attributes` writes `attributes.safetensors`, a card with
//! scores on held-out pictures, `losses.csv`, `losses.png`, and `resume.safetensors`, from which the same command goes on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use gan_core::checkpoint::NumberFormat;
use gan_core::models::recognition::{AttributeNet, Config};
use gan_core::nn::Params;
use gan_core::training::{AdamOptions, Learner};
use gan_core::{Classifier, Device, Philox};
use gan_examples::program::{Result, flags, in_range, run};
use gan_examples::recognition::{Card, HELD_OUT, Labelled, Score, attribute_scores, rate, rounded};
use gan_examples::training::{Course, CourseArgs, Lesson, MOST_IMAGES, MOST_RATE};
use serde_json::{Map, json};

/// Steps of a run, unless the flags say another number.
const STEPS: u64 = 1200;

/// Steps from one held-out score in the log to the next, and its pictures; and those of the card.
const SCORE_EVERY: u64 = 160;
const SCORED: usize = 256;
const SCORED_LAST: usize = 1000;

/// Trains a network that tells attributes of pictures.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    course: CourseArgs,
    /// Folder of images to train on instead of drawn portraits, all of --size; every tenth is held out
    #[arg(long, value_name = "FOLDER")]
    images: Option<PathBuf>,
    /// Table for --images: the first column names files, each other is a number or one of some words, empty where it is not known [default: labels.csv in
    /// the folder]
    #[arg(long, value_name = "FILE", requires = "images")]
    labels: Option<PathBuf>,
    /// Columns of the table to learn, parted by commas [default: all]
    #[arg(long, value_delimiter = ',', requires = "images")]
    attributes: Vec<String>,
    /// Pixels along a side
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Channels of the stages, each of which halves the size
    #[arg(long, value_delimiter = ',', default_values_t = [32, 64, 96, 128])]
    channels: Vec<usize>,
    /// Images of a step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Greatest learning rate
    #[arg(long, default_value_t = 0.016)]
    lr: f64,
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
    let course = Course::new(&flags.course, "attributes", Some(STEPS))?;
    let steps = course.steps().unwrap_or(STEPS);
    let device = Device::cpu();
    let data = match &flags.images {
        None => Labelled::portraits(flags.size),
        Some(folder) => {
            let labels = flags.labels.clone().unwrap_or_else(|| folder.join("labels.csv"));
            Labelled::open(folder, &labels, &flags.attributes, flags.size)?
        }
    };
    let config =
        Config { resolution: flags.size, channels: flags.channels.clone(), ..Config::default() };
    let mut random = Philox::new(flags.seed.into());
    let params = config.attributes(data.attributes(), &mut random, &device)?;
    // Not the number of steps: a run may go on to another, with the learning rates that this gives.
    let settings = [
        ("seed", flags.seed.to_string()),
        ("batch", flags.batch.to_string()),
        ("data", data.digest()),
    ];
    let options = AdamOptions { betas: [0.9, 0.99], ..AdamOptions::default() };
    let learner = Learner::new(params, &options, &settings);
    let card =
        Card::new("attributes", "classifier, AttributeNet", flags.seed, flags.images.is_none());
    course.run(&mut Attributes { flags, steps, device, data, learner, card })
}

struct Attributes<'a> {
    flags: &'a Flags,
    /// Of the whole run.
    steps: u64,
    device: Device,
    data: Labelled,
    learner: Learner,
    card: Card,
}

impl Attributes<'_> {
    fn net(&self, params: &Params) -> gan_core::Result<AttributeNet> {
        AttributeNet::from_params(params.clone(), self.data.attributes().to_vec())
    }

    /// Scores on pictures that it has not seen.
    fn scores(&self, count: usize) -> Result<Vec<Score>> {
        Ok(attribute_scores(&self.net(self.learner.params())?, &self.data, count)?)
    }
}

/// The mean of the scores of one kind.
fn mean(scores: &[Score], is_choice: bool) -> Option<f64> {
    let values = || scores.iter().filter(|s| s.is_choice == is_choice && s.count > 0);
    let count = values().count();
    (count > 0).then(|| values().map(|s| s.value).sum::<f64>() / count as f64)
}

impl Lesson for Attributes<'_> {
    const COLUMNS: &'static [&'static str] = &["loss", "held_out_accuracy", "held_out_r2"];

    const PANELS: &'static [&'static [&'static str]] =
        &[&["loss"], &["held_out_accuracy", "held_out_r2"]];

    fn steps(&self) -> u64 {
        self.learner.steps()
    }

    fn images(&self) -> u64 {
        self.learner.steps() * self.flags.batch as u64
    }

    fn step(&mut self) -> Result<Vec<Option<f64>>> {
        let Flags { seed, batch, lr, .. } = *self.flags;
        let (images, labels) = self.data.batch(seed, self.images(), batch, &self.device)?;
        let (data, attributes) = (&self.data, self.data.attributes());
        let lr = rate(lr, self.steps(), self.steps);
        let loss = self.learner.step(lr, |params| {
            let net = AttributeNet::from_params(params.clone(), attributes.to_vec())?;
            data.loss(&net.scores(&images)?, &labels)
        })?;
        let mut row = vec![Some(loss), None, None];
        if self.steps().is_multiple_of(SCORE_EVERY) || self.steps() == self.steps {
            let scores = self.scores(SCORED)?;
            (row[1], row[2]) = (mean(&scores, true), mean(&scores, false));
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
        let params = self.learner.params();
        let dict = AttributeNet::to_state_dict(params, self.data.attributes())?;
        dict.save_as(out.join("attributes.safetensors"), NumberFormat::F16)?;
        let mut scores = Map::new();
        for score in self.scores(SCORED_LAST)? {
            let kind = if score.is_choice { "accuracy" } else { "r2" };
            scores.insert(score.name, json!({ kind: rounded(score.value) }));
        }
        Ok(self.card.write(&out.join("attributes.json"), &self.learner, self.images(), scores)?)
    }
}
