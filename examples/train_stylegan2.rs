//! Trains a StyleGAN2 on pictures of a world with known factors, or on a folder of images.
//!
//! `cargo run --release --example train_stylegan2 -- --minutes 60 --out out/train` draws portraits, trains on them, and writes every
//! few minutes `resume.safetensors` (from which the same command goes on), `generator.safetensors`, `losses.csv`,
//! `losses.png` and a sheet of samples. It stops when the time is over, at `--steps` or at Ctrl-C, with all of them written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use gan_core::image::Grid;
use gan_core::models::stylegan2::{Architecture, Config};
use gan_core::training::{Trainer, TrainerOptions};
use gan_core::{Device, Error, Generator, Image, Seeds, StyleGan2};
use gan_examples::program::{Result, flags, run};
use gan_examples::training::{Course, CourseArgs, Lesson, Pictures};

/// Seeds of the sheet of samples, and how many are in a row.
const SAMPLES: (u32, usize) = (48, 8);

/// The largest batch; no run on a CPU has so many images in a step.
const MOST_IMAGES: usize = 4096;

/// Trains a StyleGAN2.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    course: CourseArgs,
    /// World to draw pictures of
    #[arg(long, value_enum, default_value_t = Domain::Portraits)]
    domain: Domain,
    /// Folder of images to train on instead, all of --size
    #[arg(long, value_name = "FOLDER", conflicts_with = "domain")]
    images: Option<PathBuf>,
    /// Pixels along a side, a power of two
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Images of a step
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Blocks of resolution r have min(base / r, max) channels
    #[arg(long, default_value_t = 1024)]
    channel_base: usize,
    /// See --channel-base
    #[arg(long, default_value_t = 64)]
    channel_max: usize,
    /// Length of z and w
    #[arg(long, default_value_t = 64)]
    latent: usize,
    /// Layers of the mapping network
    #[arg(long, default_value_t = 2)]
    mapping_layers: usize,
    /// How the generator's blocks are joined
    #[arg(long, value_enum, default_value_t = Arch::Skip)]
    arch: Arch,
    /// How the discriminator's blocks are joined
    #[arg(long, value_enum, default_value_t = Arch::Resnet)]
    d_arch: Arch,
    /// Learning rate of both networks; may change when a run goes on
    #[arg(long, default_value_t = 0.0025)]
    lr: f64,
    /// Weight of the R1 penalty [default: 0.0002 size^2 / batch]
    #[arg(long)]
    gamma: Option<f64>,
    /// Regularize every 4 and 16 steps, or in each
    #[arg(long, value_enum, default_value_t = Switch::On)]
    lazy: Switch,
    /// Path length regularisation
    #[arg(long, value_enum, default_value_t = Switch::On)]
    path_length: Switch,
    /// Seed of weights, codes and pictures
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Domain {
    /// People who do not exist
    Portraits,
    /// Houses
    Houses,
}

#[derive(Clone, Copy, ValueEnum)]
enum Arch {
    /// Nothing but the last block makes or sees colours
    Orig,
    /// Each block makes or sees colours
    Skip,
    /// Each block adds to the features before it
    Resnet,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

impl Arch {
    fn architecture(self) -> Architecture {
        match self {
            Arch::Orig => Architecture::Orig,
            Arch::Skip => Architecture::Skip,
            Arch::Resnet => Architecture::Resnet,
        }
    }
}

impl Flags {
    fn config(&self) -> Config {
        Config {
            channel_base: self.channel_base,
            channel_max: self.channel_max,
            z_dim: self.latent,
            w_dim: self.latent,
            mapping_layers: self.mapping_layers,
            generator: self.arch.architecture(),
            discriminator: self.d_arch.architecture(),
            ..Config::new(self.size)
        }
    }

    fn options(&self) -> TrainerOptions {
        let auto = TrainerOptions::auto(self.size, self.batch);
        let lazy = self.lazy == Switch::On;
        TrainerOptions {
            generator_lr: self.lr,
            discriminator_lr: self.lr,
            r1_gamma: self.gamma.unwrap_or(auto.r1_gamma),
            r1_interval: auto.r1_interval.filter(|_| lazy),
            path_interval: auto.path_interval.filter(|_| lazy),
            path_weight: if self.path_length == Switch::On { auto.path_weight } else { 0.0 },
            ..auto
        }
    }

    fn pictures(&self) -> Result<Pictures> {
        match (&self.images, self.domain) {
            (Some(folder), _) => Ok(Pictures::open(folder, self.size)?),
            (None, Domain::Portraits) => Ok(Pictures::Portraits),
            (None, Domain::Houses) => Ok(Pictures::Houses),
        }
    }
}

fn main() -> ExitCode {
    run(|| train(&flags()?))
}

fn train(flags: &Flags) -> Result<()> {
    if !(1..=MOST_IMAGES).contains(&flags.batch) {
        let (expected, found) = (format!("1 to {MOST_IMAGES}"), flags.batch.to_string());
        return Err(Error::Argument { what: "--batch", expected, found }.into());
    }
    let course = Course::new(&flags.course, "train", None)?;
    let device = Device::cpu();
    let pictures = flags.pictures()?;
    let trainer = Trainer::start(&flags.config(), &flags.options(), flags.seed.into(), &device)?;
    course.run(&mut Pair { flags, pictures, device, trainer })
}

/// A generator and its discriminator.
struct Pair<'a> {
    flags: &'a Flags,
    pictures: Pictures,
    device: Device,
    trainer: Trainer,
}

impl Lesson for Pair<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "generator_loss",
        "discriminator_loss",
        "real_logit",
        "fake_logit",
        "r1",
        "path_penalty",
        "path_mean",
    ];

    const PANELS: &'static [&'static [&'static str]] = &[
        &["generator_loss", "discriminator_loss"],
        &["real_logit", "fake_logit"],
        &["r1"],
        &["path_mean", "path_penalty"],
    ];

    fn steps(&self) -> u64 {
        self.trainer.steps()
    }

    fn images(&self) -> u64 {
        self.trainer.images()
    }

    fn step(&mut self) -> Result<Vec<Option<f64>>> {
        let Flags { seed, batch, size, .. } = *self.flags;
        let real = self.pictures.batch(seed, self.images(), batch, size, &self.device)?;
        let report = self.trainer.step(&real)?;
        Ok(vec![
            Some(report.generator_loss),
            Some(report.discriminator_loss),
            Some(report.real_logit),
            Some(report.fake_logit),
            report.r1,
            report.path_penalty,
            Some(report.path_mean),
        ])
    }

    fn save(&self, path: &Path) -> gan_core::Result<()> {
        self.trainer.save(path)
    }

    fn resume(&mut self, path: &Path) -> gan_core::Result<()> {
        self.trainer.resume(path)
    }

    /// The averaged generator, and a sheet of its images of fixed seeds, not truncated.
    fn write(&self, out: &Path) -> Result<()> {
        let average = self.trainer.average();
        average.to_state_dict()?.save(out.join("generator.safetensors"))?;
        let g = StyleGan2::from_params(average.clone(), &self.trainer.options().generator)?;
        let (count, columns) = SAMPLES;
        let images = g.generate(&g.sample(&Seeds::from(0..count))?, None)?;
        let sheet = Grid::new(columns).padding(0).render(&Image::from_tensor(&images)?)?;
        let samples = out.join("samples");
        if let Err(source) = fs::create_dir_all(&samples) {
            return Err(Error::Io { action: "create", path: samples, source }.into());
        }
        Ok(sheet.save(samples.join(format!("{:08}.png", self.images())))?)
    }
}
