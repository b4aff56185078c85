//! Draws pictures whose factors are known: portraits or houses, with masks, factors and captions.
//!
//! `cargo run --release --example world -- --out out/world --count 100` writes `images/`, `masks/` and `pictures.csv`; with `--sheet`
//! there are two sheets as well: `sheet.png` of the first pictures, and `factors.png` with a row for each factor.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gan_core::progress::report;
use gan_core::{Error, Image, Progress};
use gan_examples::program::{Bar, Interrupt, Result, flags, in_range, run, say, timed, write};
use gan_examples::world::{
    Domain, House, Portrait, World, captions, factor_sheet, image, mask, nth, sample_sheet,
};

/// Pictures of a sheet.
const ON_SHEET: usize = 64;
/// Captions of a picture, at most.
const MOST_CAPTIONS: usize = 1000;

/// Pictures with known factors, their masks and captions.
#[derive(Parser)]
struct Flags {
    /// A folder for everything
    #[arg(long, default_value = "out/world", value_name = "DIR")]
    out: PathBuf,
    /// How many pictures
    #[arg(long, default_value_t = 64)]
    count: u32,
    /// Pixels a side
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Pictures of another seed are others
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// What the pictures show
    #[arg(long, value_enum, default_value_t = Domain::Portraits)]
    domain: Domain,
    /// Captions a picture
    #[arg(long, default_value_t = 3)]
    captions: usize,
    /// Draw sheets as well
    #[arg(long)]
    sheet: bool,
}

fn main() -> ExitCode {
    run(|| {
        let flags: Flags = flags()?;
        match flags.domain {
            Domain::Portraits => pictures::<Portrait>(&flags),
            Domain::Houses => pictures::<House>(&flags),
        }
    })
}

fn pictures<W: World>(flags: &Flags) -> Result<()> {
    in_range("--count", 1..=u32::MAX, flags.count)?;
    in_range("--captions", 0..=MOST_CAPTIONS, flags.captions)?;
    // A wrong size is refused before there are folders.
    image(&W::default(), flags.size)?;
    let interrupt = Interrupt::listen()?;
    let (images, masks) = (flags.out.join("images"), flags.out.join("masks"));
    for folder in [&images, &masks] {
        let io = |source| Error::Io { action: "create", path: folder.clone(), source };
        fs::create_dir_all(folder).map_err(io)?;
    }
    let mut table = header::<W>(flags.captions);
    let drawn = timed("draw", || {
        let mut bar = Bar::new("draw", &interrupt)?;
        for k in 0..flags.count {
            let picture: W = nth(flags.seed, k);
            let name = format!("{k:06}.png");
            image(&picture, flags.size)?.save(images.join(&name))?;
            gray(&mask(&picture, flags.size)?, flags.size)?.save(masks.join(&name))?;
            table += &row(&picture, &name, &captions(&picture, flags.seed, k, flags.captions));
            report(&mut bar, k as usize + 1, flags.count as usize)?;
        }
        Ok(())
    });
    // What is drawn has its rows, whatever ended it.
    write(&flags.out.join("pictures.csv"), &table)?;
    drawn?;
    if flags.sheet {
        sheets::<W>(flags, &interrupt)?;
    }
    say(flags.out.display())
}

fn sheets<W: World>(flags: &Flags, interrupt: &Interrupt) -> Result<()> {
    timed("sheets", || {
        let mut bar = Bar::new("sheets", interrupt)?;
        let mut step = |step: usize, total: usize| -> ControlFlow<()> { bar.step(step, total) };
        let count = ON_SHEET.min(flags.count as usize);
        let sheet = sample_sheet::<W>(flags.seed, count, count.min(8), flags.size, &mut step)?;
        sheet.save(flags.out.join("sheet.png"))?;
        let factors = factor_sheet(&W::default(), 7, flags.size, &mut step)?;
        Ok(factors.save(flags.out.join("factors.png"))?)
    })
}

/// A mask as a picture: the class is the gray value, from 0.
fn gray(classes: &[u8], side: usize) -> Result<Image> {
    Ok(Image::new(side, side, classes.iter().flat_map(|&class| [class; 3]).collect())?)
}

fn header<W: World>(captions: usize) -> String {
    let factors = W::factors().iter().map(|factor| factor.name.to_owned());
    let captions = (0..captions).map(|i| format!("caption_{i}"));
    let names = ["file".to_owned()].into_iter().chain(factors).chain(captions);
    names.collect::<Vec<_>>().join(",") + "\n"
}

/// Captions are in quotes, for their commas; no field has a quote itself.
fn row<W: World>(picture: &W, name: &str, captions: &[String]) -> String {
    let factors = W::factors().iter().map(|factor| factor.kind.show((factor.get)(picture)));
    let captions = captions.iter().map(|caption| format!("\"{caption}\""));
    let fields = [name.to_owned()].into_iter().chain(factors).chain(captions);
    fields.collect::<Vec<_>>().join(",") + "\n"
}
