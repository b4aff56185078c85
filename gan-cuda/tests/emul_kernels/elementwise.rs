use crate::harness::{
    Arg, Emulator, NULL, SCALARS, Scalar, count, each, emulator, place, strided, values,
};

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn emul_unary() {
    let Some(emulator) = emulator() else { return };
    let functions: [fn(f64) -> f64; 10] = [
        |x| -x,
        |x| 1.0 / x,
        f64::exp,
        f64::ln,
        f64::sqrt,
        f64::tanh,
        sigmoid,
        softplus,
        |x| f64::from(x > 0.0),
        |x| 3.0 * x - 0.5,
    ];
    for scalar in SCALARS {
        for (op, f) in functions.iter().enumerate() {
            let mut x = values(300, scalar, 1);
            match op {
                1 => x.iter_mut().for_each(|x| *x = x.abs() + 0.5),
                3 | 4 => x.iter_mut().for_each(|x| *x = x.abs()),
                7 => x.extend([60.0, -60.0, f64::NAN]),
                8 => x.extend([0.0, f64::NAN]),
                _ => {}
            }
            x.iter_mut().for_each(|x| *x = scalar.round(*x));
            let expected: Vec<f64> = x.iter().map(|&x| f(x)).collect();
            let n = x.len();
            let x = emulator.upload(&x, scalar);
            let args = |y| {
                let (mul, add) = (Arg::Float(3.0), Arg::Float(-0.5));
                vec![x.arg(), y, count(n), Arg::Int(op as i32), mul, add]
            };
            emulator.check(&scalar.name("unary"), each(n), scalar, args, &expected);
        }
    }
}

#[test]
fn emul_binary() {
    let Some(emulator) = emulator() else { return };
    let functions: [fn(f64, f64) -> f64; 5] =
        [|a, b| a + b, |a, b| a - b, |a, b| a * b, |a, b| a / b, |a, b| f64::from(a == b)];
    // [5, 7, 3, 4] from itself, from [7, 1, 4], transposed, and from a scalar.
    let n = 5 * 7 * 3 * 4;
    let whole: &[(usize, usize)] = &[(n, 1)];
    let middle: &[(usize, usize)] = &[(5, 0), (7, 4), (3, 0), (4, 1)];
    let turned: &[(usize, usize)] = &[(5, 1), (7, 5), (3, 35), (4, 105)];
    for scalar in SCALARS {
        for (op, f) in functions.iter().enumerate() {
            for (a_at, b_at) in [(whole, middle), (turned, whole), (whole, &[]), (&[], middle)] {
                let a = values(n, scalar, 2);
                let mut b: Vec<f64> = values(n, scalar, 3);
                b.iter_mut().for_each(|x| *x = scalar.round(x.signum() * (x.abs() + 0.25)));
                b[..50].copy_from_slice(&a[..50]);
                b.iter_mut().filter(|x| **x == 0.0).for_each(|x| *x = 1.0);
                let expected: Vec<f64> =
                    (0..n).map(|i| f(a[place(a_at, i)], b[place(b_at, i)])).collect();
                let (a, b) = (emulator.upload(&a, scalar), emulator.upload(&b, scalar));
                let args = |y| {
                    let op = Arg::Int(op as i32);
                    vec![a.arg(), b.arg(), y, count(n), op, strided(a_at), strided(b_at)]
                };
                emulator.check(&scalar.name("binary"), each(n), scalar, args, &expected);
            }
        }
    }
}

#[test]
fn emul_select() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        let n = 777;
        let mut mask = values(n, scalar, 4);
        mask.iter_mut().step_by(3).for_each(|m| *m = 0.0);
        let (a, b) = (values(n, scalar, 5), values(n, scalar, 6));
        let expected: Vec<f64> = (0..n).map(|i| if mask[i] != 0.0 { a[i] } else { b[i] }).collect();
        let [mask, a, b] = [&mask, &a, &b].map(|v| emulator.upload(v, scalar));
        let args = |y| vec![mask.arg(), a.arg(), b.arg(), y, count(n)];
        emulator.check(&scalar.name("select"), each(n), scalar, args, &expected);
    }
}

#[test]
fn emul_cast() {
    let Some(emulator) = emulator() else { return };
    // Ties, the smallest numbers, what overflows, and what is not a number.
    let mut x = values(500, Scalar::F32, 7);
    x.extend([0.0, -0.0, 1.0 + 2f64.powi(-11), 1.0 + 3.0 * 2f64.powi(-11), 6e-8, 2.9e-8, 3e-5]);
    x.extend([65504.0, 65519.0, 65520.0, -1e6, f64::INFINITY, f64::NAN, 1.0 + 2f64.powi(-8)]);
    for from in SCALARS {
        for to in SCALARS.into_iter().filter(|&to| to != from) {
            let x: Vec<f64> = x.iter().map(|&x| from.round(x)).collect();
            let expected: Vec<f64> = x.iter().map(|&x| to.round(x)).collect();
            let n = x.len();
            let x = emulator.upload(&x, from);
            let name = to.name(&from.name("cast"));
            emulator.check(&name, each(n), to, |y| vec![x.arg(), y, count(n)], &expected);
            let schedule = crate::harness::SCHEDULES[0];
            let args = |y| vec![x.arg(), y, count(n)];
            let found = emulator.result(&name, each(n), (n, to), &args, schedule).expect("runs");
            let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
            let place = found.iter().zip(&expected).position(|pair| !same(pair));
            assert_eq!(place, None, "{name} is not exact");
        }
    }
}

const ACTIVATIONS: [fn(f64) -> f64; 9] = [
    |x| x,
    |x| x.max(0.0),
    |x| if x > 0.0 { x } else { 0.2 * x },
    f64::tanh,
    sigmoid,
    |x| if x > 0.0 { x } else { x.exp_m1() },
    |x| 1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() },
    softplus,
    |x| x * sigmoid(x),
];

fn bias_act(emulator: &Emulator, scalar: Scalar, act: usize, with: [bool; 3], clamp: f64) {
    let [images, channels, inner] = [2, 5, 37];
    let (n, gain) = (images * channels * inner, 1.5);
    let x = values(n, scalar, 8);
    let bias = values(channels, Scalar::F32, 9);
    let noise = values(images * inner, Scalar::F32, 10);
    let demod = values(images * channels, Scalar::F32, 11);
    // One noise for all images where there is no demodulation.
    let noise_stride = if with[2] { inner } else { 0 };
    let value = |i: usize| {
        let (row, pixel) = (i / inner, i % inner);
        let (image, channel) = (row / channels, row % channels);
        let mut v = x[i];
        v *= if with[2] { demod[row] } else { 1.0 };
        v += if with[1] { noise[image * noise_stride + pixel] } else { 0.0 };
        v += if with[0] { bias[channel] } else { 0.0 };
        (gain * ACTIVATIONS[act](v)).clamp(-clamp, clamp)
    };
    let expected: Vec<f64> = (0..n).map(value).collect();
    let x = emulator.upload(&x, scalar);
    let operands = [&bias, &noise, &demod].map(|v| emulator.upload(v, Scalar::F32));
    let args = |y| {
        let mut args = vec![x.arg()];
        args.extend(operands.iter().zip(with).map(|(o, on)| if on { o.arg() } else { NULL }));
        args.extend([y, count(n), count(channels), count(inner), count(noise_stride)]);
        args.push(Arg::Int(act as i32));
        args.extend([0.2, gain as f32, clamp as f32].map(Arg::Float));
        args
    };
    emulator.check(&scalar.name("bias_act"), each(n), scalar, args, &expected);
}

#[test]
fn emul_bias_act() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for act in 0..ACTIVATIONS.len() {
            bias_act(emulator, scalar, act, [true, false, false], f64::INFINITY);
        }
        for with in [[false; 3], [true; 3], [false, true, false], [false, true, true]] {
            bias_act(emulator, scalar, 2, with, 0.75);
        }
    }
}

#[test]
fn emul_bias_act_grad() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for (act, negative) in [1.0, 0.0, 0.25].into_iter().enumerate() {
            for clamp in [f64::INFINITY, 1.0] {
                let n = 400;
                let (mut g, y) = (values(n, scalar, 12), values(n, scalar, 13));
                // A gradient that is not finite does not pass the clamp either.
                let stopped = y.iter().position(|y| y.abs() > clamp);
                stopped.into_iter().for_each(|i| g[i] = f64::INFINITY);
                let slope = |y: f64| 1.5 * if y > 0.0 { 1.0 } else { negative };
                let expected: Vec<f64> = g
                    .iter()
                    .zip(&y)
                    .map(|(g, &y)| if y.abs() < clamp { g * slope(y) } else { 0.0 })
                    .collect();
                let [g, y] = [&g, &y].map(|v| emulator.upload(v, scalar));
                let args = |dx| {
                    let mut args = vec![g.arg(), y.arg(), dx, count(n), Arg::Int(act as i32)];
                    args.extend([0.25, 1.5, clamp as f32].map(Arg::Float));
                    args
                };
                emulator.check(&scalar.name("bias_act_grad"), each(n), scalar, args, &expected);
            }
        }
    }
}
