//! Draws a sheet of images: of given seeds, or of every mixture of two lists of seeds.
//!
//! `cargo run --release --example generate -- --seeds 0-15` draws sixteen faces; with `--mix 20-23` each row's face takes
//! the styles of each column's face in the layers of `--mix-layers`. `--model` takes a checkpoint of any family.

use std::fmt::Debug;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use gan_core::image::{Grid, Image};
use gan_core::models::{AnyGenerator, StyleNetwork, SynthesisNetwork};
use gan_core::progress::report;
use gan_core::{Generator, Layers, Noise, Seeds, StyleBased, Tensor, WPlus};
use gan_examples::model::{ModelArgs, Sampled, check_sheet, tile};
use gan_examples::program::{Bar, Interrupt, Result, at_least_one, flags, run, say, timed};

/// Images of given seeds, with truncation, style mixing and a choice of noise.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    model: ModelArgs,
    /// Seeds, such as 0,1,5-9: the same faces as NVIDIA's tools give them
    #[arg(long, default_value = "0-15")]
    seeds: Seeds,
    /// Seeds whose styles are mixed into those of --seeds
    #[arg(long, value_name = "SEEDS")]
    mix: Option<Seeds>,
    /// Layers that take the styles of --mix
    #[arg(long, default_value = "0-3")]
    mix_layers: Layers,
    /// Noise that the network adds
    #[arg(long, value_enum, default_value_t = NoiseMode::Const)]
    noise: NoiseMode,
    /// Seed of random noise
    #[arg(long, default_value_t = 0)]
    noise_seed: u64,
    /// Images in a row; with --mix there is one for each of its seeds
    #[arg(long, default_value_t = 4)]
    columns: usize,
    /// The sheet, .png or .jpg
    #[arg(long, default_value = "out/generate.png", value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NoiseMode {
    /// The maps stored with the network
    Const,
    /// Fresh for each image
    Random,
    /// None at all
    None,
}

fn main() -> ExitCode {
    run(|| sheet(&flags()?))
}

fn sheet(flags: &Flags) -> Result<()> {
    at_least_one("--columns", flags.columns)?;
    Image::check_name(&flags.out)?;
    let interrupt = Interrupt::listen()?;
    let (grid, tiles) = match timed("open", || flags.model.open())? {
        AnyGenerator::StyleGan2(g) => styled(flags, &g, &interrupt)?,
        AnyGenerator::StyleGan(g) => styled(flags, &g, &interrupt)?,
        AnyGenerator::PgGan(g) => plain(flags, &g, &interrupt)?,
        AnyGenerator::BigGan(g) => plain(flags, &g, &interrupt)?,
    };
    timed("write", || Ok(grid.render(&tiles)?.save(&flags.out)?))?;
    say(flags.out.display())
}

/// Images of a network without styles: there is nothing to mix, and no noise.
fn plain<G: Sampled>(flags: &Flags, g: &G, interrupt: &Interrupt) -> Result<(Grid, Vec<Image>)> {
    let refuse = |flag, found: &dyn Debug| {
        let expected = "none: this network has neither styles nor noise".into();
        Err(gan_core::Error::Argument { what: flag, expected, found: format!("{found:?}") }.into())
    };
    match (&flags.mix, flags.noise) {
        (Some(_), _) => refuse("--mix", &"seeds"),
        (None, NoiseMode::Random) => refuse("--noise", &flags.noise),
        (None, NoiseMode::Const | NoiseMode::None) => {
            let (grid, codes) = sampled(flags, g)?;
            Ok((grid, tiles(&codes, g, interrupt, |_, code| Ok(g.image(code)?))?))
        }
    }
}

fn styled<S: SynthesisNetwork>(
    flags: &Flags,
    g: &StyleNetwork<S>,
    interrupt: &Interrupt,
) -> Result<(Grid, Vec<Image>)> {
    let (grid, codes) = match &flags.mix {
        None => sampled(flags, g)?,
        Some(mix) => mixed(flags, g, mix)?,
    };
    let tiles = tiles(&codes, g, interrupt, |i, code| {
        let noise = match flags.noise {
            NoiseMode::Const => Noise::Const,
            NoiseMode::Random => Noise::Random { seed: flags.noise_seed.wrapping_add(i as u64) },
            NoiseMode::None => Noise::None,
        };
        Ok(g.synthesize(code, noise)?)
    })?;
    Ok((grid, tiles))
}

fn tiles<C>(
    codes: &[C],
    g: &dyn Generator,
    interrupt: &Interrupt,
    draw: impl Fn(usize, &C) -> Result<Tensor>,
) -> Result<Vec<Image>> {
    timed("synthesize", || {
        let mut bar = Bar::new("synthesize", interrupt)?;
        let mut tiles: Vec<Image> = Vec::with_capacity(codes.len());
        for (i, code) in codes.iter().enumerate() {
            tiles.push(tile(&draw(i, code)?, g)?);
            report(&mut bar, i + 1, codes.len())?;
        }
        Ok(tiles)
    })
}

fn sampled<G: Sampled>(flags: &Flags, g: &G) -> Result<(Grid, Vec<G::Codes>)> {
    let n = flags.seeds.len();
    let columns = flags.columns.clamp(1, n.max(1));
    check_sheet(g, columns, n.div_ceil(columns))?;
    let codes = flags.seeds.iter().map(|seed| g.sampled(seed, &flags.model));
    Ok((Grid::new(columns), codes.collect::<Result<_>>()?))
}

/// Rows of `--seeds`, columns of `--mix`; both are drawn unmixed along the edges, as in the paper's figure.
fn mixed<S: SynthesisNetwork>(
    flags: &Flags,
    g: &StyleNetwork<S>,
    mix: &Seeds,
) -> Result<(Grid, Vec<WPlus>)> {
    check_sheet(g, mix.len() + 1, flags.seeds.len() + 1)?;
    let all = |seeds: &Seeds| {
        seeds.iter().map(|seed| g.sampled(seed, &flags.model)).collect::<Result<Vec<_>>>()
    };
    let (rows, columns) = (all(&flags.seeds)?, all(mix)?);
    // The corner shows what truncation pulls towards.
    let corner = ModelArgs { psi: Some(0.0), cutoff: None, ..flags.model.clone() };
    let mut codes = vec![g.sampled(0, &corner)?];
    codes.extend(columns.iter().cloned());
    for row in rows {
        codes.push(row.clone());
        for column in &columns {
            codes.push(row.mixed(column, &flags.mix_layers)?);
        }
    }
    let labels =
        std::iter::once("average".to_owned()).chain(mix.iter().map(|s| format!("seed {s}")));
    let grid = Grid::new(mix.len() + 1)
        .title(format!("layers {} of the columns, the others of the rows", flags.mix_layers))
        .columns_labelled(labels)
        .rows_labelled(
            std::iter::once(String::new()).chain(flags.seeds.iter().map(|s| format!("seed {s}"))),
        );
    Ok((grid, codes))
}
