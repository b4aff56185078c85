//! Trains a network that makes a vector of a portrait, near to those of other portraits of the same person, whatever they wear and do.
//!
//! `cargo run --release --example train_identity -- --minutes 10 --out out/identity` writes `identity.safetensors`, a card with
//! the score on people that it has not seen, `losses.csv`, `losses.png`, and `resume.safetensors`, from which the same command goes on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use gan_core::checkpoint::NumberFormat;
use gan_core::models::recognition::{Config, IdentityNet};
use gan_core::training::{AdamOptions, Learner};
use gan_core::{Device, ImageEncoder, Philox};
use gan_examples::program::{Result, flags, in_range, run};
use gan_examples::recognition::{
    Card, FIXED, HELD_OUT, Identities, auc, pair_products, rate, rounded,
};
use gan_examples::training::{Course, CourseArgs, Lesson, MOST_IMAGES, MOST_RATE};
use serde_json::{Map, json};

/// Steps of a run, unless the flags say another number.
const STEPS: u64 = 1000;

/// Steps from one held-out score in the log to the next, and its people; and those of the card.
const SCORE_EVERY: u64 = 160;
const SCORED: usize = 128;
const SCORED_LAST: usize = 500;

/// Trains a network that tells people apart.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    course: CourseArgs,
    /// Folder of images to train on instead of drawn portraits, all of --size; every tenth person is held out
    #[arg(long, value_name = "FOLDER")]
    images: Option<PathBuf>,
    /// Table for --images: the first column names files, that of the name `identity` says who is depicted [default: labels.csv in the folder]
    #[arg(long, value_name = "FILE", requires = "images")]
    labels: Option<PathBuf>,
    /// Pixels along a side
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Channels of the stages, each of which halves the size
    #[arg(long, value_delimiter = ',', default_values_t = [24, 48, 64, 96])]
    channels: Vec<usize>,
    /// People of a step, with two pictures each
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
    let course = Course::new(&flags.course, "identity", Some(STEPS))?;
    let steps = course.steps().unwrap_or(STEPS);
    let device = Device::cpu();
    let data = match &flags.images {
        None => Identities::portraits(flags.size),
        Some(folder) => {
            let labels = flags.labels.clone().unwrap_or_else(|| folder.join("labels.csv"));
            Identities::open(folder, &labels, flags.size)?
        }
    };
    in_range("--batch", 2..=data.people().unwrap_or(MOST_IMAGES).min(MOST_IMAGES), flags.batch)?;
    in_range("--lr", 0.0..=MOST_RATE, flags.lr)?;
    let config = Config { resolution: flags.size, channels: flags.channels.clone(), width: 64 };
    let params = config.identity(&mut Philox::new(flags.seed.into()), &device)?;
    // Not the number of steps: a run may go on to another, with the learning rates that this gives.
    let settings = [
        ("seed", flags.seed.to_string()),
        ("batch", flags.batch.to_string()),
        ("data", data.digest()),
    ];
    let options = AdamOptions { betas: [0.9, 0.99], ..AdamOptions::default() };
    let learner = Learner::new(params, &options, &settings);
    let card =
        Card::new("identity", "image encoder, IdentityNet", flags.seed, flags.images.is_none());
    course.run(&mut People { flags, steps, device, data, learner, card })
}

struct People<'a> {
    flags: &'a Flags,
    /// Of the whole run.
    steps: u64,
    device: Device,
    data: Identities,
    learner: Learner,
    card: Card,
}

impl People<'_> {
    /// The area under the curve for pairs of people that it has not seen.
    fn score(&self, count: usize) -> Result<f64> {
        let net = IdentityNet::from_params(self.learner.params().clone())?;
        let [same, different] = pair_products(&net, &self.data, count, &self.device)?;
        Ok(auc(&same, &different))
    }
}

impl Lesson for People<'_> {
    const COLUMNS: &'static [&'static str] = &["loss", "held_out_auc"];

    const PANELS: &'static [&'static [&'static str]] = &[&["loss"], &["held_out_auc"]];

    fn steps(&self) -> u64 {
        self.learner.steps()
    }

    fn images(&self) -> u64 {
        2 * self.learner.steps() * self.flags.batch as u64
    }

    fn step(&mut self) -> Result<Vec<Option<f64>>> {
        let Flags { seed, batch, lr, .. } = *self.flags;
        let images = self.data.batch(seed, self.images() / 2, batch, &self.device)?;
        let lr = rate(lr, self.steps(), self.steps);
        let loss = self.learner.step(lr, |params| {
            Identities::loss(&IdentityNet::from_params(params.clone())?.embed(&images)?)
        })?;
        let due = self.steps().is_multiple_of(SCORE_EVERY) || self.steps() == self.steps;
        let score = if due { Some(self.score(SCORED)?) } else { None };
        Ok(vec![Some(loss), score])
    }

    fn save(&self, path: &Path) -> gan_core::Result<()> {
        self.learner.save(path)
    }

    fn resume(&mut self, path: &Path) -> gan_core::Result<()> {
        self.learner.resume(path)
    }

    fn write(&self, out: &Path) -> Result<()> {
        let params = self.learner.params();
        let dict = params.to_state_dict()?;
        dict.save_as(out.join("identity.safetensors"), NumberFormat::F16)?;
        let mut scores = Map::new();
        scores.insert("auc".into(), json!(rounded(self.score(SCORED_LAST)?)));
        if self.flags.images.is_none() {
            scores.insert("same_in".into(), json!(FIXED));
        }
        Ok(self.card.write(&out.join("identity.json"), &self.learner, self.images(), scores)?)
    }
}
