//! Runs golden files against the library: `cargo run --release --example conformance -- DIR...`

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gan_core::Device;
use gan_examples::conformance::{Summary, check_file, golden_files};
use gan_examples::device::DeviceName;
use gan_examples::program::{Result, flags, run};

/// Compares the library with golden files: outputs and gradients of the original implementations.
///
/// Exits with 1 unless every file passed.
#[derive(Parser)]
struct Flags {
    /// Folders to search for .safetensors files, at any depth, or such files themselves
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    /// Run on this device only: cpu, reference or cuda:N; by default each file must pass on the first two
    #[arg(long)]
    device: Option<DeviceName>,
    /// Do not count files of an unknown kind against the result
    #[arg(long)]
    skip_unsupported: bool,
}

fn main() -> ExitCode {
    run(|| check(&flags()?))
}

fn check(flags: &Flags) -> Result<()> {
    let both = [DeviceName::Cpu, DeviceName::Reference];
    let names = flags.device.as_ref().map_or(&both[..], std::slice::from_ref);
    let devices: Vec<Device> = names.iter().map(|name| name.open()).collect::<Result<_>>()?;
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
