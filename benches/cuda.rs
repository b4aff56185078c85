//! Synthesis on a GPU: `cuda [--device N] [SIZE...]`, 256 and 1024 pixels unless told. Prints a table; says so and ends where
//! there is no GPU.
//!
//! The host's clock, around work that is waited for: launches are part of what is measured.

use std::error::Error;
use std::time::{Duration, Instant};

use gan_benches::{S256, S1024, Size, random_codes, random_stylegan2};
use gan_core::backend::DType;
use gan_core::{Device, Generator, Noise, Result, StyleBased, StyleGan2};
use gan_cuda::{Cuda, Options};

/// Runs of which the median is taken, unless they take longer than [`PATIENCE`] together.
const RUNS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> std::result::Result<(), Box<dyn Error>> {
    // `cargo bench` adds a flag of its own.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench").peekable();
    let mut index = 0;
    if args.next_if(|arg| arg == "--device").is_some() {
        index = args.next().ok_or("--device wants a number")?.parse()?;
    }
    let mut sizes = args.map(|arg| size(&arg)).collect::<std::result::Result<Vec<_>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![S256, S1024];
    }
    let mut shown = false;
    for dtype in [DType::F32, DType::F16] {
        let cuda = match Cuda::open(index, &Options { dtype, ..Options::default() }) {
            Ok(cuda) => cuda,
            Err(error) => {
                println!("skipped: {error}");
                return Ok(());
            }
        };
        if !std::mem::replace(&mut shown, true) {
            let (major, minor) = cuda.driver_version();
            println!("{}, driver for CUDA {major}.{minor}", cuda.model());
            println!(
                "| storage | pixels | batch | ms | images/s |\n| --- | --- | --- | --- | --- |"
            );
        }
        let device = Device::from(cuda);
        for size in &sizes {
            let g = random_stylegan2(*size, &device)?;
            for batch in [1, 8] {
                let seconds = median(&g, batch)?.as_secs_f64();
                let (pixels, rate) = (size.resolution, batch as f64 / seconds);
                println!("| {dtype:?} | {pixels} | {batch} | {:.2} | {rate:.1} |", 1e3 * seconds);
            }
        }
    }
    Ok(())
}

/// A published size by its pixels, and small ones for trying this program itself.
fn size(text: &str) -> std::result::Result<Size, Box<dyn Error>> {
    match text.parse()? {
        256 => Ok(S256),
        1024 => Ok(S1024),
        resolution @ (4 | 8 | 16 | 32) => {
            Ok(Size { resolution, channel_base: 256, channel_max: 16 })
        }
        _ => {
            Err(format!("a size of 256 or 1024, or of 4 to 32 for trying this program, not {text}")
                .into())
        }
    }
}

/// The median time of synthesis from W+; the first two runs load kernels and fill the memory pool.
fn median(g: &StyleGan2, batch: usize) -> Result<Duration> {
    let w = random_codes(batch, g)?;
    let run = || -> Result<Duration> {
        let start = Instant::now();
        let _image = g.synthesize(&w, Noise::Const)?;
        g.device().backend().synchronize()?;
        Ok(start.elapsed())
    };
    run()?;
    run()?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.len() < RUNS && (times.is_empty() || start.elapsed() < PATIENCE) {
        times.push(run()?);
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
