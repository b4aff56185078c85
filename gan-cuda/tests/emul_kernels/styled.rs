use crate::harness::{Arg, SCHEDULES, Scalar, count, difference, emulator, values};

/// Rows and inputs of a network's layers.
const LAYERS: [[usize; 2]; 4] = [[16, 40], [3, 33], [1, 1], [29, 64]];
const BATCH: usize = 3;
/// Samples lie this far apart.
const STRIDE: usize = 70;

#[test]
fn emul_demod_table() {
    let Some(emulator) = emulator() else { return };
    let (mut jobs, mut buffers, mut first_row) = (Vec::new(), Vec::new(), 0);
    for (seed, [rows, inputs]) in (1..).zip(LAYERS) {
        let weight2: Vec<f64> =
            values(rows * inputs, Scalar::F32, seed).iter().map(|x| x.abs()).collect();
        let style = values(BATCH * STRIDE, Scalar::F32, seed + 10);
        let expected: Vec<f64> = (0..BATCH * rows)
            .map(|i| {
                let (image, r) = (i / rows, i % rows);
                let terms = weight2[r * inputs..][..inputs].iter().zip(&style[image * STRIDE..]);
                1.0 / (terms.map(|(w, s)| w * s * s).sum::<f64>() + 1e-8).sqrt()
            })
            .collect();
        let weight2 = emulator.upload(&weight2, Scalar::F32);
        let style = emulator.upload(&style, Scalar::F32);
        let demod = emulator.room(expected.len() * 4);
        for buffer in [&weight2, &style, &demod] {
            jobs.extend(buffer.address());
        }
        jobs.extend([first_row, rows, inputs, STRIDE, rows, 0].map(|w| w as u32));
        first_row += rows;
        buffers.push((weight2, style, demod, expected));
    }
    assert_eq!(jobs.len() * 4, 48 * LAYERS.len());
    let table = emulator.words(&jobs);
    let args = [table.arg(), count(LAYERS.len()), count(first_row), count(BATCH), Arg::Float(1e-8)];
    for schedule in SCHEDULES {
        let launch = [first_row.div_ceil(8), 256];
        emulator.launch("demod_table_f32", launch, &args, schedule).expect("runs");
        for (_, _, demod, expected) in &buffers {
            assert_eq!(difference(&demod.read(Scalar::F32), expected, Scalar::F32), None);
        }
    }
}

#[test]
fn emul_affine_table() {
    let Some(emulator) = emulator() else { return };
    let (mut jobs, mut buffers, mut first_row) = (Vec::new(), Vec::new(), 0);
    for (seed, [rows, inputs]) in (1..).zip(LAYERS) {
        let weight = values(rows * inputs, Scalar::F32, seed);
        let bias = values(rows, Scalar::F32, seed + 10);
        let x = values(BATCH * STRIDE, Scalar::F32, seed + 20);
        // One layer has no bias.
        let bias_gain = if seed == 2 { 0.0 } else { 0.5 };
        let expected: Vec<f64> = (0..BATCH * rows)
            .map(|i| {
                let (image, r) = (i / rows, i % rows);
                let terms = weight[r * inputs..][..inputs].iter().zip(&x[image * STRIDE..]);
                2.0 * terms.map(|(w, x)| w * x).sum::<f64>() + bias_gain * bias[r]
            })
            .collect();
        let [weight, bias, x] = [&weight, &bias, &x].map(|v| emulator.upload(v, Scalar::F32));
        let y = emulator.room(expected.len() * 4);
        jobs.extend(weight.address());
        jobs.extend(if seed == 2 { [0, 0] } else { bias.address() });
        jobs.extend(x.address());
        jobs.extend(y.address());
        jobs.extend([first_row, rows, inputs, STRIDE, rows].map(|w| w as u32));
        jobs.extend([2.0f32.to_bits(), 0.5f32.to_bits(), 0]);
        first_row += rows;
        buffers.push(([weight, bias, x], y, expected));
    }
    assert_eq!(jobs.len() * 4, 64 * LAYERS.len());
    let table = emulator.words(&jobs);
    let args = [table.arg(), count(LAYERS.len()), count(first_row), count(BATCH)];
    for schedule in SCHEDULES {
        let launch = [first_row.div_ceil(8), 256];
        emulator.launch("affine_table_f32", launch, &args, schedule).expect("runs");
        for (_, y, expected) in &buffers {
            assert_eq!(difference(&y.read(Scalar::F32), expected, Scalar::F32), None);
        }
    }
}
