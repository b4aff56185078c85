//! Finds the directions that change most in a generator's images, and draws what each of them does.
//!
//! `cargo run --release --example sefa` factorizes the shipped portrait generator and writes `out/sefa.png`: a row for
//! each of the first semantics of each group of layers. `--model` takes a checkpoint of any family.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use gan_core::image::{Grid, Image};
use gan_core::models::AnyGenerator;
use gan_core::{Editable, Factorizable, Layers, Seeds};
use gan_edit::sefa::{self, Convention};
use gan_edit::{strengths, sweep};
use gan_examples::model::{ModelArgs, Sampled, check_sheet, tile};
use gan_examples::program::{Bar, Interrupt, Result, at_least_one, flags, run, say, timed};

/// Closed-form factorization (SeFa) of a generator, drawn as a sheet of sweeps.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    model: ModelArgs,
    /// Layers to factorize and edit: `all`, `0-1`, `2,4-6`; repeat for several groups [default: 0-1, 2-5, the rest]
    #[arg(long)]
    layers: Vec<Layers>,
    /// How many directions of each group
    #[arg(long, default_value_t = 5)]
    semantics: usize,
    /// Seeds of the images, such as 0,1,5-9
    #[arg(long, default_value = "9")]
    seeds: Seeds,
    /// Directions are followed from minus this to plus this
    #[arg(long, default_value_t = 3.0, allow_negative_numbers = true)]
    range: f64,
    /// Images in a row
    #[arg(long, default_value_t = 7)]
    steps: usize,
    /// Which weights are stacked, and how
    #[arg(long, value_enum, default_value_t = Weights::Sefa)]
    convention: Weights,
    /// The sheet, .png or .jpg
    #[arg(long, default_value = "out/sefa.png", value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Weights {
    /// As the authors' repository: scaled to unit length, last toRGB included
    Sefa,
    /// As rosinality's closed_form_factorization.py: as stored, first toRGB included
    Rosinality,
}

fn main() -> ExitCode {
    run(|| sheet(&flags()?))
}

fn sheet(flags: &Flags) -> Result<()> {
    at_least_one("--semantics", flags.semantics)?;
    Image::check_name(&flags.out)?;
    let interrupt = Interrupt::listen()?;
    match timed("open", || flags.model.open())? {
        AnyGenerator::StyleGan2(g) => sheet_of(flags, &g, &interrupt),
        AnyGenerator::StyleGan(g) => sheet_of(flags, &g, &interrupt),
        AnyGenerator::PgGan(g) => sheet_of(flags, &g, &interrupt),
        AnyGenerator::BigGan(g) => sheet_of(flags, &g, &interrupt),
    }
}

fn sheet_of<G>(flags: &Flags, g: &G, interrupt: &Interrupt) -> Result<()>
where
    G: Sampled + Factorizable,
    G::Codes: Editable<G::Space>,
{
    let groups = if flags.layers.is_empty() {
        default_groups(g.layer_count())?
    } else {
        flags.layers.clone()
    };
    let strengths = strengths(flags.range, flags.steps)?;
    let codes = flags.seeds.iter().map(|seed| g.sampled(seed, &flags.model));
    let codes = codes.collect::<Result<Vec<_>>>()?;

    let convention = match flags.convention {
        Weights::Sefa => Convention::Sefa,
        Weights::Rosinality => Convention::Rosinality,
    };
    let found = timed("factorize", || {
        groups
            .iter()
            .map(|group| Ok(sefa::factorize(g, group, convention)?))
            .collect::<Result<Vec<_>>>()
    })?;

    let semantics = found.iter().map(|found| found.directions.len().min(flags.semantics));
    check_sheet(g, flags.steps, semantics.sum::<usize>().saturating_mul(flags.seeds.len()))?;
    let mut rows = Vec::new();
    for (group, found) in groups.iter().zip(&found) {
        for (k, direction) in found.directions.iter().take(flags.semantics).enumerate() {
            for (seed, codes) in flags.seeds.iter().zip(&codes) {
                let label = match flags.seeds.len() {
                    1 => format!("{group} #{k}"),
                    _ => format!("{group} #{k} seed {seed}"),
                };
                rows.push((label, direction, codes));
            }
        }
    }
    let tiles = timed("synthesize", || {
        let mut bar = Bar::new("synthesize", interrupt)?;
        let total = rows.len() * strengths.len();
        let mut tiles: Vec<Image> = Vec::with_capacity(total);
        for (_, direction, codes) in &rows {
            let drawn = tiles.len();
            let mut step =
                |done: usize, _: usize| gan_core::Progress::step(&mut bar, drawn + done, total);
            for image in sweep(g, codes, direction, &strengths, &mut step)? {
                tiles.push(tile(&image, g)?);
            }
        }
        Ok(tiles)
    })?;
    timed("write", || {
        let grid = Grid::new(strengths.len())
            .title("layers #semantic, strongest first")
            .columns_labelled(strengths.iter().map(|s| format!("{s:+.1}")))
            .rows_labelled(rows.iter().map(|(label, _, _)| label.clone()));
        Ok(grid.render(&tiles)?.save(&flags.out)?)
    })?;
    say(flags.out.display())
}

/// The groups of the paper's interactive editor, bottom, middle and top, as far as a network of so many layers has them.
fn default_groups(layers: usize) -> Result<Vec<Layers>> {
    let last = layers - 1;
    let starts = [(0, 1), (2, 5), (6, last)];
    let groups = starts.into_iter().filter(|&(first, _)| first <= last);
    Ok(groups
        .map(|(first, end)| Layers::range(first, end.min(last)))
        .collect::<gan_core::Result<_>>()?)
}
