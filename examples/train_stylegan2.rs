//! Trains a StyleGAN2 on pictures of a world with known factors, or on a folder of images.
//!
//! `cargo run --release --example train_stylegan2 -- --minutes 60 --out out/train` draws portraits, trains on them, and writes every
//! few minutes `resume.safetensors` (from which the same command goes on), `generator.safetensors`, `losses.csv`,
//! `losses.png` and a sheet of samples. It stops when the time is over, at `--steps` or at Ctrl-C, with all of them written.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use gan_core::image::Grid;
use gan_core::models::stylegan2::{Architecture, Config};
use gan_core::training::{Trainer, TrainerOptions};
use gan_core::{Device, Error, Generator, Image, Progress, Seeds, StyleGan2};
use gan_examples::program::{Bar, Interrupt, Result, flags, run, say};
use gan_examples::training::{Log, Pictures, plot};

/// Between two times that everything is written.
const SAVE_EVERY: Duration = Duration::from_secs(240);

/// Seeds of the sheet of samples, and how many are in a row.
const SAMPLES: (u32, usize) = (48, 8);

/// The largest batch; no run on a CPU has so many images in a step.
const MOST_IMAGES: usize = 4096;

/// Trains a StyleGAN2.
#[derive(Parser)]
struct Flags {
    /// Minutes to train for now
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Stop after so many steps, those before a break included
    #[arg(long)]
    steps: Option<u64>,
    /// A folder for everything
    #[arg(long, default_value = "out/train", value_name = "DIR")]
    out: PathBuf,
    /// State to go on from [default: resume.safetensors of --out, if it is there]
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
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
    if !(flags.minutes >= 0.0 && flags.minutes < 1e6) {
        let (expected, found) = ("0 to 1000000".into(), flags.minutes.to_string());
        return Err(Error::Argument { what: "--minutes", expected, found }.into());
    }
    let device = Device::cpu();
    let pictures = flags.pictures()?;
    let mut trainer =
        Trainer::start(&flags.config(), &flags.options(), flags.seed.into(), &device)?;
    let own = flags.out.join("resume.safetensors");
    let mut log = Log::default();
    let resume = flags.resume.as_ref().or(own.is_file().then_some(&own));
    if let Some(file) = resume {
        trainer.resume(file)?;
        log = Log::open(&file.with_file_name("losses.csv"), trainer.steps())?;
        say(format_args!("goes on after {} steps of {}", trainer.steps(), file.display()))?;
    }
    let samples = flags.out.join("samples");
    fs::create_dir_all(&samples).map_err(|source| Error::Io {
        action: "create",
        path: samples,
        source,
    })?;
    let run = Run { flags, pictures, device, interrupt: Interrupt::listen()? };
    let ended = run.steps(&mut trainer, &mut log);
    // What was good is kept, whatever ended the run.
    run.write(&trainer, &mut log)?;
    ended?;
    say(flags.out.display())
}

/// One call of the program.
struct Run<'a> {
    flags: &'a Flags,
    pictures: Pictures,
    device: Device,
    interrupt: Interrupt,
}

impl Run<'_> {
    /// Trains until it is time to stop.
    fn steps(&self, trainer: &mut Trainer, log: &mut Log) -> Result<()> {
        let mut bar = Bar::new("train", &self.interrupt)?;
        let start = Instant::now();
        let limit = Duration::from_secs_f64(self.flags.minutes * 60.0);
        let (mut written, mut since) = (start, trainer.images());
        while start.elapsed() < limit && self.flags.steps.is_none_or(|most| trainer.steps() < most)
        {
            let (first, n) = (trainer.images(), self.flags.batch);
            let real =
                self.pictures.batch(self.flags.seed, first, n, self.flags.size, &self.device)?;
            let report = trainer.step(&real)?;
            log.push(trainer.steps(), trainer.images(), &report);
            if written.elapsed() > SAVE_EVERY {
                let seconds = written.elapsed().as_secs_f64();
                let each = 1000.0 * seconds / (trainer.images() - since) as f64;
                self.write(trainer, log)?;
                say(format_args!("{} images, {each:.2} ms each; {log}", trainer.images()))?;
                (written, since) = (Instant::now(), trainer.images());
            }
            // The bar counts seconds, and the last of them clears it.
            let seconds = start.elapsed().min(limit).as_secs();
            if bar.step(seconds as usize, limit.as_secs().max(1) as usize).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Writes the state first: everything else can be made of it.
    fn write(&self, trainer: &Trainer, log: &mut Log) -> Result<()> {
        let out = |name: &str| self.flags.out.join(name);
        trainer.save(out("resume.safetensors"))?;
        trainer.average().to_state_dict()?.save(out("generator.safetensors"))?;
        log.save(&out("losses.csv"))?;
        plot(log)?.save(out("losses.png"))?;
        let sheet = format!("samples/{:08}.png", trainer.images());
        self.sheet(trainer)?.save(out(&sheet))?;
        Ok(())
    }

    /// Images of fixed seeds by the averaged generator, not truncated.
    fn sheet(&self, trainer: &Trainer) -> Result<Image> {
        let options = trainer.options().generator;
        let g = StyleGan2::from_params(trainer.average().clone(), &options)?;
        let (count, columns) = SAMPLES;
        let images = g.generate(&g.sample(&Seeds::from(0..count))?, None)?;
        Ok(Grid::new(columns).padding(0).render(&Image::from_tensor(&images)?)?)
    }
}
