//! Trains a network that marks what each pixel of a picture shows: the parts of drawn portraits, or what masks beside images say.
//!
//! `cargo run --release --example train_segmenter -- --minutes 10 --out out/segmenter` writes `segmenter.safetensors`, a card with
//! scores on held-out pictures, a sheet of these, `losses.csv`, `losses.png`, and `resume.safetensors`, from which the same command goes on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use gan_core::checkpoint::NumberFormat;
use gan_core::image::Grid;
use gan_core::models::recognition::{Config, Segmenter};
use gan_core::training::{AdamOptions, Learner, cross_entropy};
use gan_core::{Device, Image, Philox};
use gan_examples::program::{Result, flags, in_range, run};
use gan_examples::recognition::{
    Card, HELD_OUT, Masks, class_scores, coloured, mean_iou, one_hot, rate, rounded,
};
use gan_examples::training::{Course, CourseArgs, Lesson, MOST_IMAGES, MOST_RATE};
use serde_json::{Map, json};

/// Steps of a run, unless the flags say another number.
const STEPS: u64 = 1000;

/// Steps from one held-out score in the log to the next, and its pictures; and those of the card.
const SCORE_EVERY: u64 = 160;
const SCORED: usize = 64;
const SCORED_LAST: usize = 400;

/// Pictures of the sheet, each with its mask and that of the network.
const ON_SHEET: usize = 16;

/// Trains a network that marks what each pixel shows.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    course: CourseArgs,
    /// Folder of images to train on instead of drawn portraits, all of --size; every tenth is held out
    #[arg(long, value_name = "FOLDER", requires = "masks")]
    images: Option<PathBuf>,
    /// Folder of masks for --images, as the program world writes them: .png of the same names, whose gray value is the class, from 0
    #[arg(long, value_name = "FOLDER", requires = "images")]
    masks: Option<PathBuf>,
    /// Names of the classes of --masks, from class 0, parted by commas [default: their numbers]
    #[arg(long, value_delimiter = ',', requires = "masks")]
    classes: Vec<String>,
    /// Pixels along a side
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Channels of the stages, each of which halves the size
    #[arg(long, value_delimiter = ',', default_values_t = [24, 40, 64, 64])]
    channels: Vec<usize>,
    /// Channels of the way back up
    #[arg(long, default_value_t = 48)]
    width: usize,
    /// Images of a step
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Greatest learning rate
    #[arg(long, default_value_t = 0.02)]
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
    let course = Course::new(&flags.course, "segmenter", Some(STEPS))?;
    let steps = course.steps().unwrap_or(STEPS);
    let device = Device::cpu();
    let data = match (&flags.images, &flags.masks) {
        (Some(images), Some(masks)) => Masks::open(images, masks, &flags.classes, flags.size)?,
        _ => Masks::portraits(flags.size),
    };
    let (channels, width) = (flags.channels.clone(), flags.width);
    let config = Config { resolution: flags.size, channels, width };
    let mut random = Philox::new(flags.seed.into());
    let params = config.segmenter(data.classes().len(), &mut random, &device)?;
    // Not the number of steps: a run may go on to another, with the learning rates that this gives.
    let settings = [
        ("seed", flags.seed.to_string()),
        ("batch", flags.batch.to_string()),
        ("data", data.digest()),
    ];
    let options = AdamOptions { betas: [0.9, 0.99], ..AdamOptions::default() };
    let learner = Learner::new(params, &options, &settings);
    let card = Card::new("segmenter", "Segmenter", flags.seed, flags.images.is_none());
    course.run(&mut Marks { flags, steps, device, data, learner, card })
}

struct Marks<'a> {
    flags: &'a Flags,
    /// Of the whole run.
    steps: u64,
    device: Device,
    data: Masks,
    learner: Learner,
    card: Card,
}

impl Marks<'_> {
    fn net(&self) -> gan_core::Result<Segmenter> {
        Segmenter::from_params(self.learner.params().clone(), self.data.classes().to_vec())
    }

    /// Of each class, on pictures that it has not seen.
    fn scores(&self, count: usize) -> Result<Vec<Option<f64>>> {
        Ok(class_scores(&self.net()?, &self.data, count)?)
    }

    /// Pictures that it has not seen, with their masks and what the network says.
    fn sheet(&self) -> Result<Image> {
        let count = self.data.held_out_count(ON_SHEET);
        let (images, truth) = self.data.held_out(0..count, &self.device)?;
        let found = self.net()?.classify(&images)?;
        let (size, pixels) = (self.flags.size, self.flags.size * self.flags.size);
        let mut tiles = Vec::new();
        for (i, image) in Image::from_tensor(&images)?.into_iter().enumerate() {
            let part = i * pixels..(i + 1) * pixels;
            tiles.extend([
                image,
                coloured(&truth[part.clone()], size)?,
                coloured(&found[part], size)?,
            ]);
        }
        Ok(Grid::new(6).padding(0).render(&tiles)?)
    }
}

impl Lesson for Marks<'_> {
    const COLUMNS: &'static [&'static str] = &["loss", "held_out_iou"];

    const PANELS: &'static [&'static [&'static str]] = &[&["loss"], &["held_out_iou"]];

    fn steps(&self) -> u64 {
        self.learner.steps()
    }

    fn images(&self) -> u64 {
        self.learner.steps() * self.flags.batch as u64
    }

    fn step(&mut self) -> Result<Vec<Option<f64>>> {
        let Flags { seed, batch, lr, size, .. } = *self.flags;
        let (images, classes) = self.data.batch(seed, self.images(), batch, &self.device)?;
        let names = self.data.classes();
        let wanted = one_hot(&classes, names.len(), size, &self.device)?;
        let lr = rate(lr, self.steps(), self.steps);
        let loss = self.learner.step(lr, |params| {
            let net = Segmenter::from_params(params.clone(), names.to_vec())?;
            cross_entropy(&net.logits(&images)?, &wanted, 1)?.mean_all()
        })?;
        let due = self.steps().is_multiple_of(SCORE_EVERY) || self.steps() == self.steps;
        let score = if due { Some(mean_iou(&self.scores(SCORED)?)) } else { None };
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
        let dict = Segmenter::to_state_dict(params, self.data.classes())?;
        dict.save_as(out.join("segmenter.safetensors"), NumberFormat::F16)?;
        self.sheet()?.save(out.join("sheet.png"))?;
        let scores = self.scores(SCORED_LAST)?;
        let mut held_out = Map::new();
        held_out.insert("mean_iou".into(), json!(rounded(mean_iou(&scores))));
        for (name, score) in self.data.classes().iter().zip(&scores) {
            held_out.insert(format!("iou_{name}"), json!(score.map(rounded)));
        }
        Ok(self.card.write(&out.join("segmenter.json"), &self.learner, self.images(), held_out)?)
    }
}
