//! Times candle's convolutions and ours in turn, on the layers of StyleGAN2 at 1024 pixels.
//!
//! Both compute the same numbers, which is checked, in `f32` with as many threads as `RAYON_NUM_THREADS` says. Weights are
//! those of a network at rest: what a library keeps of them between calls, it keeps.

use std::error::Error;
use std::time::Instant;

use candle_core as candle;
use gan_core::backend::Conv;
use gan_core::{Device, Philox, Tensor};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Seconds that a layer may take, and how often it is measured at least and at most.
const BUDGET: f64 = 4.0;
const RUNS: std::ops::Range<usize> = 5..60;

/// One convolution: 3x3 with a border of zeros, or transposed with stride 2.
#[derive(Clone, Copy)]
struct Layer {
    is_up: bool,
    inputs: usize,
    outputs: usize,
    /// Pixels of a side of the input.
    size: usize,
}

/// Channels at a resolution.
fn channels(size: usize) -> usize {
    (32768 / size).min(512)
}

fn layers() -> Vec<Layer> {
    let sizes: Vec<usize> = (2..=10).map(|k| 1 << k).collect();
    let plain = sizes.iter().map(|&size| {
        let c = channels(size);
        Layer { is_up: false, inputs: c, outputs: c, size }
    });
    let up = sizes.windows(2).map(|s| Layer {
        is_up: true,
        inputs: channels(s[0]),
        outputs: channels(s[1]),
        size: s[0],
    });
    plain.chain(up).collect()
}

fn normal(seed: u64, len: usize) -> Vec<f32> {
    let mut values = vec![0.0; len];
    Philox::new(seed).fill_normal(&mut values);
    values
}

/// Median seconds of candle and of this library.
fn compare(layer: Layer) -> Result<[f64; 2]> {
    let Layer { is_up, inputs, outputs, size } = layer;
    let x_shape = [1, inputs, size, size];
    // A transposed convolution names its inputs first.
    let w_shape = if is_up { [inputs, outputs, 3, 3] } else { [outputs, inputs, 3, 3] };
    let (x, w) = (normal(1, x_shape.iter().product()), normal(2, w_shape.iter().product()));

    let cpu = candle::Device::Cpu;
    let cx = candle::Tensor::from_slice(&x, &x_shape, &cpu)?;
    let cw = candle::Tensor::from_slice(&w, &w_shape, &cpu)?;
    let theirs = || match is_up {
        true => cx.conv_transpose2d(&cw, 0, 0, 2, 1),
        false => cx.conv2d(&cw, 1, 1, 1, 1),
    };

    let device = Device::cpu();
    let (x, w) = (Tensor::from_vec(x, &x_shape, &device)?, Tensor::from_vec(w, &w_shape, &device)?);
    let ours = || match is_up {
        true => {
            let conv = Conv { stride: [2; 2], ..Conv::default() };
            x.conv_transpose2d(&w, conv, [2 * size + 1; 2])
        }
        false => x.conv2d(&w, Conv { padding: [1; 2], ..Conv::default() }),
    };

    check(&theirs()?.flatten_all()?.to_vec1()?, &ours()?.to_vec()?)?;
    let mut times = [vec![], vec![]];
    let start = Instant::now();
    while times[0].len() < RUNS.start
        || times[0].len() < RUNS.end && start.elapsed().as_secs_f64() < BUDGET
    {
        let start = Instant::now();
        theirs()?;
        times[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        ours()?;
        times[1].push(start.elapsed().as_secs_f64());
    }
    Ok(times.map(|mut t| {
        t.sort_by(f64::total_cmp);
        t[t.len() / 2]
    }))
}

fn check(theirs: &[f32], ours: &[f32]) -> Result<()> {
    let largest = theirs.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let apart = theirs.iter().zip(ours).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    if theirs.len() != ours.len() || !(apart < 1e-4 * largest) {
        return Err(format!("results {apart} apart, of {largest}").into());
    }
    Ok(())
}

fn main() -> Result<()> {
    println!("{:<24}{:>12}{:>12}{:>8}", "layer", "candle ms", "ours ms", "ratio");
    let mut logs = vec![];
    for layer in layers() {
        let [theirs, ours] = compare(layer)?;
        let Layer { is_up, inputs, outputs, size } = layer;
        let name = format!("{} {inputs} to {outputs}, {size} px", if is_up { "up" } else { "3x3" });
        let ratio = theirs / ours;
        println!("{name:<24}{:>12.2}{:>12.2}{ratio:>8.2}", 1e3 * theirs, 1e3 * ours);
        logs.push((name, ratio.ln()));
    }
    let mean = (logs.iter().map(|(_, log)| log).sum::<f64>() / logs.len() as f64).exp();
    let least = logs.iter().min_by(|a, b| a.1.total_cmp(&b.1)).ok_or("no layer")?;
    println!("geometric mean {mean:.2}, least {:.2} ({})", least.1.exp(), least.0);
    Ok(())
}
