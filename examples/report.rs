//! One table from the shipped networks: how good a generator is, and how good the networks are that say so.
//!
//! `cargo run --release --example report` judges the portrait generator that ships with the repository, in about two minutes on one core;
//! `--model FILE` any other of portraits.

use std::process::ExitCode;

use clap::Parser;
use gan_examples::model::ModelArgs;
use gan_examples::program::{Bar, Interrupt, Result, flags, run, say, timed};
use gan_examples::report::{
    Judged, Shipped, Table, classifier, distances, identity, segmenter, shares, zero_shot,
};

/// Judges a generator of portraits by the networks that ship with the repository, and these by pictures that they have not seen.
///
/// FD-attributes and PPL-attributes are Fréchet distance and perceptual path length on the features of the attribute network instead of
/// Inception's and VGG's: they compare generators of these portraits, and are not to be compared with published numbers.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    model: ModelArgs,
    /// Generated images, and drawn ones in each of two sets
    #[arg(long, default_value_t = 1000)]
    samples: usize,
    /// Pairs of images for the path length
    #[arg(long, default_value_t = 500)]
    paths: usize,
    /// Held-out pictures or people for each network that judges
    #[arg(long, default_value_t = 300)]
    held_out: usize,
}

fn main() -> ExitCode {
    run(|| judge(&flags()?))
}

fn judge(flags: &Flags) -> Result<()> {
    gan_examples::program::at_least_one("--held-out", flags.held_out)?;
    gan_examples::program::at_least_one("--paths", flags.paths)?;
    let interrupt = Interrupt::listen()?;
    let g = flags.model.open()?;
    let nets = Shipped::open(g.generator().device())?;
    let (net, n) = (&nets.attributes, flags.samples);
    let real = timed("real", || Judged::real(net, n, &mut Bar::new("real", &interrupt)?))?;
    let generated = timed("generated", || {
        Judged::generated(&g, &flags.model, net, n, &mut Bar::new("generated", &interrupt)?)
    })?;
    let mut table = Table::default();
    table.push(timed("distances", || {
        let bar = &mut Bar::new("paths", &interrupt)?;
        distances(&g, &flags.model, net, &generated, &real, flags.paths, bar)
    })?);
    table.push(shares(net, &generated, &real[0]));
    timed("held out", || {
        table.push(classifier(net, flags.held_out)?);
        table.push(segmenter(&nets.segmenter, flags.held_out)?);
        table.push(identity(&nets.identity, flags.held_out)?);
        table.push(zero_shot(flags.held_out, g.generator().device())?);
        Ok(())
    })?;
    say("")?;
    say(table)
}
