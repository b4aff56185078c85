//! Turns a checkpoint of any container into a safetensors file, and says what is in one.
//!
//! `cargo run --release --example convert -- ffhq.pkl --inspect` lists networks, tensors and configuration;
//! `convert ffhq.pkl --to rosinality --out ffhq.safetensors` writes the averaged generator under rosinality's names.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use gan_core::Error;
use gan_core::checkpoint::{self, NumberFormat, StateDict, Target};
use gan_examples::inspect::{inspect, networks};
use gan_examples::program::{Bar, Interrupt, Result, flags, run, say, timed};

/// From any kind of checkpoint to safetensors, and between the names of NVIDIA and rosinality.
#[derive(Parser)]
struct Flags {
    /// A checkpoint: .safetensors, .pkl, .pt, .pth, .npy or .npz
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// The new file, .safetensors
    #[arg(long, value_name = "FILE", required_unless_present = "inspect")]
    out: Option<PathBuf>,
    /// Print what the checkpoint holds: networks, configuration, every tensor
    #[arg(long)]
    inspect: bool,
    /// Names and conventions of the new file
    #[arg(long, value_enum, default_value_t = Names::Same)]
    to: Names,
    /// Number format of all fractions [default: each tensor's own with `--to same`, else f32]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// One network of a training file, such as G_ema, G, D or g_ema; its names lose that prefix
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Names {
    /// As they are, all networks
    Same,
    /// NVIDIA's of stylegan2-ada-pytorch; the averaged generator alone
    Nvidia,
    /// Rosinality's, with g_ema and latent_avg; the averaged generator alone
    Rosinality,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    F32,
    F16,
    Bf16,
}

fn main() -> ExitCode {
    run(|| convert(&flags()?))
}

fn convert(flags: &Flags) -> Result<()> {
    if let Some(out) = &flags.out
        && out.extension().is_none_or(|e| e != "safetensors")
    {
        let expected = "a file name ending in .safetensors".into();
        return Err(
            Error::Argument { what: "--out", expected, found: out.display().to_string() }.into()
        );
    }
    let interrupt = Interrupt::listen()?;
    let mut found = timed("open", || Ok(checkpoint::open(&flags.input)?))?;
    if let Some(name) = &flags.network {
        found.tensors = network(found.tensors, name)?;
    }
    if flags.inspect {
        inspect(&found)?;
    }
    let Some(out) = &flags.out else { return Ok(()) };
    let format = flags.format.map(|format| match format {
        Format::F32 => NumberFormat::F32,
        Format::F16 => NumberFormat::F16,
        Format::Bf16 => NumberFormat::Bf16,
    });
    let dict = timed("convert", || {
        Ok(match flags.to {
            Names::Same => found.tensors,
            Names::Nvidia => checkpoint::convert(found.tensors, Target::Nvidia)?,
            Names::Rosinality => checkpoint::convert(found.tensors, Target::Rosinality)?,
        })
    })?;
    timed("write", || {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).map_err(|source| Error::Io {
                action: "create",
                path: folder.into(),
                source,
            })?;
        }
        let mut bar = Bar::new("write", &interrupt)?;
        Ok(dict.save_with(out, format, &mut bar)?)
    })?;
    say(out.display())
}

/// The tensors of one network of a file.
fn network(dict: StateDict, name: &str) -> Result<StateDict> {
    let known = networks(&dict).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    let found = dict.into_network(&format!("{name}."));
    if found.is_empty() {
        let expected = format!("one of {known}");
        return Err(Error::Argument { what: "--network", expected, found: name.into() }.into());
    }
    Ok(found)
}
