//! Where the time of an image goes: `cargo run --release --example profile -- --size 1024`.
//!
//! A device of its own around the CPU's notes each primitive that a network evaluates: time, arithmetic, and which algorithm
//! did it. The share is that of the machine's peak, which is measured first.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use gan_benches::{
    S256, S1024, random_biggan, random_codes, random_pggan, random_stylegan, random_stylegan2,
};
use gan_core::backend::cpu::Cpu;
use gan_core::backend::{Arg, Backend, DType, HostData, Prim, Storage};
use gan_core::{
    Device, Generator, Noise, Order, Seeds, StyleBased, StyleGan2, Tensor, WPlus, Z, grad,
};

/// Time, arithmetic and algorithm of each primitive of an image.
#[derive(Parser)]
struct Flags {
    /// Which network, with random weights
    #[arg(long, value_enum, default_value_t = Network::Stylegan2)]
    network: Network,
    /// Pixels of a StyleGAN2: 256 or 1024
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// A StyleGAN2 of a file instead
    #[arg(long)]
    model: Option<PathBuf>,
    /// Images at once
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Also the gradient in W+, of StyleGAN and StyleGAN2
    #[arg(long)]
    grad: bool,
    /// Runs, of which the fastest counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Network {
    Stylegan2,
    Stylegan,
    Pggan,
    Biggan,
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse();
    let peak = peak()?;
    let log = Arc::new(Log { cpu: Cpu::new(), entries: Mutex::default() });
    let device = Device::from_backend(log.clone());
    let run = network(&flags, &device)?;
    let mut best: Option<Vec<Entry>> = None;
    for _ in 0..=flags.runs.max(1) {
        log.entries.lock().map_err(|e| e.to_string())?.clear();
        run()?;
        let entries = std::mem::take(&mut *log.entries.lock().map_err(|e| e.to_string())?);
        let total = |e: &[Entry]| e.iter().map(|e| e.seconds).sum::<f64>();
        if best.as_deref().is_none_or(|best| total(&entries) < total(best)) {
            best = Some(entries);
        }
    }
    print(&best.unwrap_or_default(), peak);
    Ok(())
}

type Run = Box<dyn Fn() -> gan_core::Result<()>>;

fn network(flags: &Flags, device: &Device) -> Result<Run, Box<dyn Error>> {
    if let Some(path) = &flags.model {
        return Ok(styled(StyleGan2::open(path, device)?, flags)?);
    }
    let size = match flags.size {
        256 => S256,
        1024 => S1024,
        other => return Err(format!("--size: expected 256 or 1024, found {other}").into()),
    };
    let seeds = Seeds::from(0..u32::try_from(flags.batch)?);
    let codes = |g: &dyn Generator| Z::from_seeds(&seeds, g.z_dim(), g.device());
    Ok(match flags.network {
        Network::Stylegan2 => styled(random_stylegan2(size, device)?, flags)?,
        Network::Stylegan => styled(random_stylegan(size, device)?, flags)?,
        Network::Pggan => {
            let g = random_pggan(size, device)?;
            let z = codes(&g)?;
            Box::new(move || g.generate(&z, None).map(drop))
        }
        Network::Biggan => {
            let g = random_biggan(device)?;
            let (z, classes) = (codes(&g)?, vec![0; flags.batch]);
            let labels = gan_core::Labels::one_hot(&classes, g.label_dim(), device)?;
            Box::new(move || g.generate(&z, Some(&labels)).map(drop))
        }
    })
}

fn styled(g: impl StyleBased + 'static, flags: &Flags) -> gan_core::Result<Run> {
    let (w, with_gradient) = (random_codes(flags.batch, &g)?, flags.grad);
    Ok(Box::new(move || {
        if !with_gradient {
            return g.synthesize(&w, Noise::Const).map(drop);
        }
        let w = w.tensor().var();
        let image = g.synthesize(&WPlus::new(w.clone())?, Noise::Const)?;
        let loss: Tensor = image.square()?.mean(&[0, 1, 2, 3])?;
        grad(&loss, &[&w], Order::First).map(drop)
    }))
}

/// One primitive that was evaluated.
#[derive(Clone)]
struct Entry {
    what: String,
    algorithm: &'static str,
    seconds: f64,
    /// Multiplications and additions, each counted.
    operations: f64,
}

/// The CPU, and what it did.
struct Log {
    cpu: Cpu,
    entries: Mutex<Vec<Entry>>,
}

impl Backend for Log {
    fn name(&self) -> &str {
        self.cpu.name()
    }

    fn dtype(&self) -> DType {
        self.cpu.dtype()
    }

    fn upload(&self, data: HostData) -> gan_core::Result<Arc<dyn Storage>> {
        self.cpu.upload(data)
    }

    fn download(&self, storage: &Arc<dyn Storage>) -> gan_core::Result<HostData> {
        self.cpu.download(storage)
    }

    fn fuses(&self, prim: &Prim) -> bool {
        self.cpu.fuses(prim)
    }

    fn run(&self, work: &mut (dyn FnMut() + Send)) {
        self.cpu.run(work);
    }

    fn eval(
        &self,
        prim: &Prim,
        args: &[Arg<'_>],
        out: &[usize],
    ) -> gan_core::Result<Arc<dyn Storage>> {
        let start = Instant::now();
        let result = self.cpu.eval(prim, args, out);
        let seconds = start.elapsed().as_secs_f64();
        let shapes: Vec<&[usize]> = args.iter().map(|a| a.shape).collect();
        let what = format!("{} {:?} -> {out:?}", prim.name(), shapes.first().unwrap_or(&&[][..]));
        let algorithm = self.cpu.algorithm(prim, &shapes, out);
        let entry = Entry { what, algorithm, seconds, operations: operations(prim, &shapes, out) };
        if let Ok(mut entries) = self.entries.lock() {
            entries.push(entry);
        }
        result
    }
}

/// Multiplications and additions of the direct way.
fn operations(prim: &Prim, shapes: &[&[usize]], out: &[usize]) -> f64 {
    let len = |shape: &[usize]| shape.iter().product::<usize>() as f64;
    match (prim, shapes) {
        (Prim::MatMul { trans_a, .. }, [a, ..]) => {
            2.0 * len(out) * a[if *trans_a { 1 } else { 2 }] as f64
        }
        (Prim::Conv2d(_), [_, w]) => 2.0 * len(out) * len(&w[1..]),
        (Prim::ConvInput(..), [g, w]) => 2.0 * len(g) * len(&w[1..]),
        (Prim::ConvWeight(..), [_, g]) => 2.0 * len(g) * len(&out[1..]),
        (Prim::StyledConv(op), [x, w, ..]) => match op.up {
            None => 2.0 * len(out) * len(&w[1..]),
            Some(_) => 2.0 * len(x) * len(&w[1..]) + 16.0 * len(out),
        },
        _ => len(out),
    }
}

/// GFLOP/s of a product that stays in cache, on all cores.
fn peak() -> gan_core::Result<f64> {
    let device = Device::cpu_with(gan_core::backend::cpu::ConvAlgorithm::Direct);
    let x = Tensor::full(0.5, &[1, 512, 64, 64], &device)?;
    let w = Tensor::full(0.5, &[512, 512, 1, 1], &device)?;
    let mut best = f64::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        x.conv2d(&w, gan_core::backend::Conv::default())?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(2.0 * 512.0 * 512.0 * 4096.0 / best / 1e9)
}

/// A line for each primitive that took a part of the time, then sums by kind.
fn print(entries: &[Entry], peak: f64) {
    let total: f64 = entries.iter().map(|e| e.seconds).sum();
    println!("peak of matrix products {peak:.0} GFLOP/s; {:.2} ms in primitives\n", total * 1e3);
    println!(
        "{:>8}  {:>5}  {:>8}  {:>5}  {:<10} primitive",
        "ms", "%", "GFLOP/s", "peak", "algorithm"
    );
    let line = |what: &str, algorithm: &str, seconds: f64, operations: f64| {
        let rate = operations / seconds / 1e9;
        println!(
            "{:8.2}  {:5.1}  {rate:8.1}  {:5.2}  {algorithm:<10} {what}",
            seconds * 1e3,
            100.0 * seconds / total,
            rate / peak
        );
    };
    for entry in entries.iter().filter(|e| e.seconds > total / 300.0) {
        line(&entry.what, entry.algorithm, entry.seconds, entry.operations);
    }
    let mut kinds: BTreeMap<(&str, &str), (f64, f64)> = BTreeMap::new();
    for entry in entries {
        let name = entry.what.split(' ').next().unwrap_or_default();
        let sum = kinds.entry((name, entry.algorithm)).or_default();
        *sum = (sum.0 + entry.seconds, sum.1 + entry.operations);
    }
    println!();
    for ((name, algorithm), (seconds, operations)) in kinds {
        line(name, algorithm, seconds, operations);
    }
}
