//! Runs golden files against the library: `cargo run --release --example conformance -- DIR...`

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use gan_core::Device;
use gan_core::backend::cpu::ConvAlgorithm;
use gan_examples::conformance::{Summary, check_file, golden_files};
use gan_examples::device::DeviceName;
use gan_examples::program::{Result, flags, run};

/// Compares the library with golden files: outputs and gradients of the original implementations.
///
/// Exits with 1 unless every file passed.
#[derive(Parser)]
struct Flags {
    /// Folders to search for golden files (.safetensors, .json), at any depth, or such files themselves
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// Run on this device only: cpu, reference or cuda:N; by default each file must pass on the first two
    #[arg(long)]
    device: Option<DeviceName>,
    /// How the CPU computes 3x3 convolutions of stride 1, at any size
    #[arg(long, value_enum, default_value_t = Algorithm::Auto)]
    conv: Algorithm,
    /// Without shortcuts that cost accuracy; on the CPU the same as --conv direct
    #[arg(long)]
    exact: bool,
    /// Do not count files of an unknown kind against the result
    #[arg(long)]
    skip_unsupported: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Algorithm {
    /// By size
    Auto,
    /// As products of matrices
    Direct,
    /// Winograd's algorithm, tiles of 2x2
    F2,
    /// Winograd's algorithm, tiles of 4x4
    F4,
}

impl Algorithm {
    fn device(self) -> Device {
        Device::cpu_with(match self {
            Algorithm::Auto => ConvAlgorithm::Auto,
            Algorithm::Direct => ConvAlgorithm::Direct,
            Algorithm::F2 => ConvAlgorithm::F2,
            Algorithm::F4 => ConvAlgorithm::F4,
        })
    }
}

fn main() -> ExitCode {
    run(|| check(&flags()?))
}

fn check(flags: &Flags) -> Result<()> {
    let both = [DeviceName::Cpu, DeviceName::Reference];
    let names = flags.device.as_ref().map_or(&both[..], std::slice::from_ref);
    let open = |name: &DeviceName| {
        let device = match name {
            DeviceName::Cpu => flags.conv.device(),
            other => other.open()?,
        };
        Ok(if flags.exact { device.exact() } else { device })
    };
    let devices = names.iter().map(open).collect::<Result<Vec<Device>>>()?;
    let mut out = io::stdout().lock();
    let mut summary = Summary::default();
    for path in golden_files(&flags.paths)? {
        let report = check_file(&path, &devices);
        writeln!(out, "{report}")?;
        summary.add(&report.verdict);
    }
    writeln!(out, "{summary}")?;
    let unsupported = if flags.skip_unsupported { 0 } else { summary.unsupported };
    match summary.failed + unsupported {
        0 => Ok(()),
        count => Err(format!("{count} golden files did not pass").into()),
    }
}
