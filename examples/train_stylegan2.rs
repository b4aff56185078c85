//! Trains a StyleGAN2 on pictures of a world with known factors, or on a folder of images.
//!
//! `cargo run --release --example train_stylegan2 -- --minutes 60 --out out/train` draws portraits, trains on them, and writes every
//! few minutes `resume.safetensors` (from which the same command goes on), `generator.safetensors`, `losses.csv`,
//! `losses.png` and a sheet of samples. It stops when the time is over, at `--steps` or at Ctrl-C, with all of them written.
//!
//! The configurations of the paper's table 1, for a comparison on the same pictures: A, StyleGAN, is
//! `--norm adain --growing KIMG --lazy off --path-length off`; B, with demodulation, leaves out `--norm adain`; C, with lazy
//! regularisation, also `--lazy off`; D, with path lengths, also `--path-length off`; E, without growing, takes no flags at all;
//! and F is E with larger `--channel-base` and `--channel-max`. All of them have R1, style mixing and one learning rate here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use gan_core::image::Grid;
use gan_core::models::AnyGenerator;
use gan_core::models::stylegan2::{Architecture, Config, Norm};
use gan_core::training::{Growth, Trainer, TrainerOptions};
use gan_core::{Device, Error, Image, Seeds, Z};
use gan_examples::program::{Result, flags, in_range, run};
use gan_examples::training::{Course, CourseArgs, Lesson, MOST_IMAGES, MOST_RATE, Pictures};
use gan_examples::world::Domain;

/// Seeds of the sheet of samples, and how many are in a row.
const SAMPLES: (u32, usize) = (48, 8);

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
    /// How the generator's blocks are joined [default: skip, or orig with --growing or --norm adain]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// How the discriminator's blocks are joined [default: resnet, or orig with --growing]
    #[arg(long, value_enum)]
    d_arch: Option<Arch>,
    /// What keeps the generator's features in check
    #[arg(long, value_enum, default_value_t = Normalisation::Demod)]
    norm: Normalisation,
    /// Grow from --grow-from on, block by block: so many thousand images as it is, then so many in which the next block fades in
    #[arg(long, value_name = "KIMG")]
    growing: Option<f64>,
    /// Pixels along a side in the beginning, with --growing
    #[arg(long, default_value_t = 8, value_name = "PIXELS")]
    grow_from: usize,
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
enum Arch {
    /// Nothing but the last block makes or sees colours
    Orig,
    /// Each block makes or sees colours
    Skip,
    /// Each block adds to the features before it
    Resnet,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Normalisation {
    /// Demodulation of weights: StyleGAN2
    Demod,
    /// Adaptive instance normalisation of features: the generator of StyleGAN
    Adain,
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
        let adain = self.norm == Normalisation::Adain;
        let growing = self.growing.is_some();
        let or = |arch: Option<Arch>, orig: bool, usual: Arch| {
            arch.unwrap_or(if orig { Arch::Orig } else { usual }).architecture()
        };
        Config {
            channel_base: self.channel_base,
            channel_max: self.channel_max,
            z_dim: self.latent,
            w_dim: self.latent,
            mapping_layers: self.mapping_layers,
            generator: or(self.arch, adain || growing, Arch::Skip),
            discriminator: or(self.d_arch, growing, Arch::Resnet),
            norm: if adain { Norm::Adain } else { Norm::Demodulation },
            growing,
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
            growth: self.growing.map(|kimg| {
                let images = (1000.0 * kimg) as u64;
                Growth { start: self.grow_from, steady: images, fade: images }
            }),
            ..auto
        }
    }

    fn pictures(&self) -> Result<Pictures> {
        match &self.images {
            Some(folder) => Ok(Pictures::open(folder, self.size)?),
            None => Ok(Pictures::Drawn(self.domain)),
        }
    }
}

fn main() -> ExitCode {
    run(|| train(&flags()?))
}

fn train(flags: &Flags) -> Result<()> {
    in_range("--batch", 1..=MOST_IMAGES, flags.batch)?;
    in_range("--lr", 0.0..=MOST_RATE, flags.lr)?;
    in_range("--growing", 0.0..=1e9, flags.growing.unwrap_or(0.0))?;
    let course = Course::new(&flags.course, "train", None)?;
    let device = Device::cpu();
    let pictures = flags.pictures()?;
    let trainer = Trainer::start(&flags.config(), &flags.options(), flags.seed.into(), &device)?
        .with_settings(&[("data", pictures.digest(flags.size))]);
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
        let dict = average.to_state_dict()?;
        dict.save(out.join("generator.safetensors"))?;
        let any = AnyGenerator::from_state_dict(dict, &self.device)?;
        let (g, (count, columns)) = (any.generator(), SAMPLES);
        let z = Z::from_seeds(&Seeds::from(0..count), g.z_dim(), &self.device)?;
        let images = g.generate(&z, None)?;
        let sheet = Grid::new(columns).padding(0).render(&Image::from_tensor(&images)?)?;
        let samples = out.join("samples");
        if let Err(source) = fs::create_dir_all(&samples) {
            return Err(Error::Io { action: "create", path: samples, source }.into());
        }
        Ok(sheet.save(samples.join(format!("{:08}.png", self.images())))?)
    }
}
