//! Draws a sheet of images: of given seeds, or of every mixture of two lists of seeds.
//!
//! `cargo run --release --example generate -- --seeds 0-15` draws sixteen faces; with `--mix 20-23` each row's face takes
//! the styles of each column's face in the layers of `--mix-layers`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use gan_core::image::{Grid, Image};
use gan_core::progress::report;
use gan_core::{Layers, Noise, Seeds, StyleGan2, WPlus};
use gan_examples::model::{ModelArgs, check_sheet, draw, magnification};
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

#[derive(Clone, Copy, ValueEnum)]
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
    let g = timed("open", || flags.model.open())?;
    let (grid, codes) = match &flags.mix {
        None => plain(flags, &g)?,
        Some(mix) => mixed(flags, &g, mix)?,
    };
    let tiles = timed("synthesize", || {
        let mut bar = Bar::new("synthesize", &interrupt)?;
        let mut tiles: Vec<Image> = Vec::with_capacity(codes.len());
        for (i, code) in codes.iter().enumerate() {
            let noise = match flags.noise {
                NoiseMode::Const => Noise::Const,
                NoiseMode::Random => {
                    Noise::Random { seed: flags.noise_seed.wrapping_add(i as u64) }
                }
                NoiseMode::None => Noise::None,
            };
            tiles.push(draw(&g, code, noise)?.upscale(magnification(&g))?);
            report(&mut bar, i + 1, codes.len())?;
        }
        Ok(tiles)
    })?;
    timed("write", || Ok(grid.render(&tiles)?.save(&flags.out)?))?;
    say(flags.out.display())
}

fn plain(flags: &Flags, g: &StyleGan2) -> Result<(Grid, Vec<WPlus>)> {
    let n = flags.seeds.len();
    let columns = flags.columns.clamp(1, n.max(1));
    check_sheet(g, columns, n.div_ceil(columns))?;
    let codes = flags.model.codes(g, &flags.seeds)?;
    let codes = (0..n).map(|i| codes.row(i)).collect::<gan_core::Result<_>>()?;
    Ok((Grid::new(columns), codes))
}

/// Rows of `--seeds`, columns of `--mix`; both are drawn unmixed along the edges, as in the paper's figure.
fn mixed(flags: &Flags, g: &StyleGan2, mix: &Seeds) -> Result<(Grid, Vec<WPlus>)> {
    check_sheet(g, mix.len() + 1, flags.seeds.len() + 1)?;
    let rows = flags.model.codes(g, &flags.seeds)?;
    let columns = flags.model.codes(g, mix)?;
    // The corner shows what truncation pulls towards.
    let corner = ModelArgs { psi: 0.0, cutoff: None, ..flags.model.clone() };
    let mut codes = vec![corner.codes(g, &flags.seeds)?.row(0)?];
    for j in 0..mix.len() {
        codes.push(columns.row(j)?);
    }
    for i in 0..flags.seeds.len() {
        let row = rows.row(i)?;
        codes.push(row.clone());
        for j in 0..mix.len() {
            codes.push(row.mixed(&columns.row(j)?, &flags.mix_layers)?);
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
