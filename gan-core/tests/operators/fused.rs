//! Kernels of fused primitives against the definitions of StyleGAN2, written out with other operators.

use gan_core::backend::{
    Activation, Arg, BiasAct, Conv, Filter, HostData, Prim, StyledArgs, StyledConv, UpFirDn,
};
use gan_core::{Device, Order, Result, Tensor, grad};

use crate::values::{distance, signed};

/// Evaluates a primitive on a device, which need not be that of its arguments.
pub(crate) fn evaluate(device: &Device, prim: &Prim, args: &[&Tensor]) -> Result<Vec<f64>> {
    let shapes = args.iter().map(|a| a.shape()).collect::<Vec<_>>();
    let backend = device.backend();
    assert!(backend.fuses(prim), "not fused: {prim:?}");
    let upload = |a: &&Tensor| backend.upload(HostData::F64(a.to_vec()?));
    let storages = args.iter().map(upload).collect::<Result<Vec<_>>>()?;
    let operands: Vec<Arg<'_>> =
        storages.iter().zip(&shapes).map(|(storage, &shape)| Arg { storage, shape }).collect();
    let result = backend.eval(prim, &operands, &prim.output_shape(&shapes)?)?;
    Ok(backend.download(&result)?.into_f64())
}

pub(crate) fn random(shape: &[usize], seed: u64) -> Result<Tensor> {
    Tensor::from_vec(signed(shape.iter().product(), seed), shape, &Device::reference())
}

/// `clamp(gain * act(x + b))`, with `b` already in a shape that broadcasts.
pub(crate) fn bias_act(op: &BiasAct, x: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    let x = b.map_or(Ok(x.clone()), |b| x.add(b))?;
    let negative = |y: Tensor| x.select(&x.step()?, &y);
    let elu = || x.exp()?.affine(1.0, -1.0);
    let y = match op.act {
        Activation::Linear => x.clone(),
        Activation::Relu => negative(x.scale(0.0)?)?,
        Activation::Lrelu => negative(x.scale(op.alpha)?)?,
        Activation::Tanh => x.tanh()?,
        Activation::Sigmoid => x.sigmoid()?,
        Activation::Elu => negative(elu()?)?,
        Activation::Selu => {
            negative(elu()?.scale(1.673_263_242_354_377_2)?)?.scale(1.050_700_987_355_480_5)?
        }
        Activation::Softplus => x.exp()?.affine(1.0, 1.0)?.ln()?,
        Activation::Swish => x.mul(&x.sigmoid()?)?,
    };
    let y = y.scale(op.gain)?;
    op.clamp.map_or(Ok(y.clone()), |bound| y.clamp_symmetric(bound))
}

/// The layer as the paper has it: one modulated weight a sample, zeros inserted before a plain convolution.
fn styled_conv(op: &StyledConv, args: StyledArgs<&Tensor>) -> Result<Tensor> {
    let [n, _, h, w] = args.x.dims4("x")?;
    let weight = match op.up {
        Some(_) => args.weight.permute(&[1, 0, 2, 3])?,
        None => args.weight.clone(),
    };
    let [co, ci, k, _] = weight.dims4("weight")?;
    let mut samples = Vec::with_capacity(n);
    for i in 0..n {
        let x = args.x.slice(0, i, 1)?;
        let style = args.style.slice(0, i, 1)?.reshape(&[1, ci, 1, 1])?;
        let mut weight = weight.mul(&style)?;
        if let Some(d) = args.demod {
            weight = weight.mul(&d.slice(0, i, 1)?.reshape(&[co, 1, 1, 1])?)?;
        }
        let half = k / 2;
        samples.push(match &op.up {
            None => x.conv2d(&weight, Conv { padding: [half, half], ..Conv::default() })?,
            Some(filter) => {
                let pad = |taps: usize| {
                    [(taps.div_ceil(2) + half) as isize, ((taps - 2) / 2 + half) as isize]
                };
                let insert = UpFirDn {
                    padding: filter.size().map(pad),
                    filter: filter.clone(),
                    up: [2, 2],
                    down: [1, 1],
                    flip: false,
                    gain: 4.0,
                };
                // Up-sampling layers convolve, the others correlate.
                let weight = weight.flip(2)?.flip(3)?;
                x.upfirdn2d(&insert)?.conv2d(&weight, Conv::default())?
            }
        });
    }
    let mut y = Tensor::concat(&samples.iter().collect::<Vec<_>>(), 0)?;
    let scale = if op.up.is_some() { 2 } else { 1 };
    assert_eq!(y.shape(), [n, co, scale * h, scale * w]);
    if let Some(noise) = args.noise {
        y = y.add(noise)?;
    }
    let bias = args.bias.map(|b| b.reshape(&[1, co, 1, 1])).transpose()?;
    bias_act(&op.act, &y, bias.as_ref())
}

const ACTIVATIONS: [Activation; 9] = [
    Activation::Linear,
    Activation::Relu,
    Activation::Lrelu,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Elu,
    Activation::Selu,
    Activation::Softplus,
    Activation::Swish,
];

/// Shape and axis of the bias.
const BIASED: [(&[usize], usize); 7] = [
    (&[5], 0),
    (&[3, 7], 1),
    (&[3, 7], 0),
    (&[2, 3, 5, 1], 1),
    (&[2, 3, 5, 7], 3),
    (&[2, 19, 23, 29], 1),
    (&[1, 2, 130, 131], 1),
];

fn bias_acts() -> Vec<BiasAct> {
    let of = |&act: &Activation| {
        let plain = BiasAct::new(act);
        [plain, BiasAct { gain: 0.7, clamp: Some(0.5), alpha: 0.3, ..plain }]
    };
    ACTIVATIONS.iter().flat_map(of).collect()
}

pub(crate) fn bias_act_equals_its_definition(device: &Device, tolerance: f64) {
    for op in bias_acts() {
        for (shape, axis) in BIASED {
            let op = BiasAct { axis, ..op };
            let (x, b) = (random(shape, 1).unwrap(), random(&[shape[axis]], 2).unwrap());
            let mut along = vec![1; shape.len()];
            along[axis] = shape[axis];
            let broadcast = b.reshape(&along).unwrap();
            for (args, bias) in [(vec![&x, &b], Some(&broadcast)), (vec![&x], None)] {
                let expected = bias_act(&op, &x, bias).unwrap().to_vec::<f64>().unwrap();
                let found = evaluate(device, &Prim::BiasAct(op), &args).unwrap();
                let distance = distance(&found, &expected);
                assert!(distance < tolerance, "{op:?} {shape:?}: {distance:.1e} apart");
            }
        }
    }
}

pub(crate) fn bias_act_grad_equals_the_gradient_of_the_definition(device: &Device, tolerance: f64) {
    let known =
        |op: &BiasAct| matches!(op.act, Activation::Linear | Activation::Relu | Activation::Lrelu);
    for op in bias_acts().into_iter().filter(known) {
        for (shape, _) in BIASED {
            let (x, g) = (random(shape, 1).unwrap().var(), random(shape, 2).unwrap());
            let y = bias_act(&op, &x, None).unwrap();
            let sum = y.mul(&g).unwrap().sum_all().unwrap();
            let expected = grad(&sum, &[&x], Order::First).unwrap()[0].to_vec::<f64>().unwrap();
            let found = evaluate(device, &Prim::BiasActGrad(op), &[&g, &y.detach()]).unwrap();
            let distance = distance(&found, &expected);
            assert!(distance < tolerance, "{op:?} {shape:?}: {distance:.1e} apart");
        }
    }
}

pub(crate) fn styled_conv_equals_its_definition(device: &Device, tolerance: f64) {
    // n, ci, co, h, w.
    let sizes = [
        [1, 1, 1, 1, 1],
        [1, 3, 2, 4, 4],
        [2, 3, 5, 2, 3],
        [3, 2, 7, 5, 1],
        [2, 5, 3, 17, 33],
        [1, 7, 9, 16, 32],
        [1, 3, 4, 33, 70],
        [1, 33, 67, 9, 6],
        [2, 2, 130, 3, 7],
        [3, 150, 20, 3, 5],
        [1, 2, 515, 2, 2],
        [1, 1, 3, 2, 300],
    ];
    let network = Filter::outer(&[0.125, 0.375, 0.375, 0.125]).unwrap();
    let skew = [1.0f64, -0.5, 0.25, 0.75];
    let skew = skew.iter().flat_map(|a| [0.5f64, 1.0, -1.5, 0.25].map(|b| a * b)).collect();
    let skew = Filter::new(4, 4, skew).unwrap();
    let layers = [(1, None), (3, None), (5, None), (3, Some(network)), (3, Some(skew))];
    for [n, ci, co, h, w] in sizes {
        for (k, up) in &layers {
            let scale = if up.is_some() { 2 } else { 1 };
            for variant in 0..8u64 {
                let has = |bit: u64| variant >> bit & 1 == 1;
                let act =
                    BiasAct::new([Activation::Lrelu, Activation::Linear][variant as usize / 4]);
                let (demodulate, noise, bias) = (has(0), has(1), has(2));
                let mut op = StyledConv { up: up.clone(), demodulate, noise, bias, act };
                let batch = if has(0) { n } else { 1 };
                let all = [
                    (true, vec![n, ci, h, w]),
                    (true, if up.is_some() { vec![ci, co, 3, 3] } else { vec![co, ci, *k, *k] }),
                    (true, vec![n, ci]),
                    (demodulate, vec![n, co]),
                    (noise, vec![batch, 1, scale * h, scale * w]),
                    (bias, vec![co]),
                ];
                let args: Vec<Tensor> = all
                    .iter()
                    .filter(|(present, _)| *present)
                    .zip(1..)
                    .map(|((_, shape), seed)| random(shape, seed))
                    .collect::<Result<_>>()
                    .unwrap();
                let args: Vec<&Tensor> = args.iter().collect();
                let expected = styled_conv(&op, op.unpack(&args)).unwrap().to_vec::<f64>().unwrap();
                let found = evaluate(device, &Prim::StyledConv(op.clone()), &args).unwrap();
                let apart = distance(&found, &expected);
                assert!(apart < tolerance, "{op:?} {:?}: {apart:.1e} apart", [n, ci, co, h, w, *k]);

                // A clamp well below the largest value, which stays the scale of the error.
                let largest = expected.iter().fold(0.0f64, |m, y| m.max(y.abs()));
                let bound = f64::from(0.4 * largest as f32);
                op.act.clamp = Some(bound);
                let clamped: Vec<f64> = expected.iter().map(|y| y.clamp(-bound, bound)).collect();
                let found = evaluate(device, &Prim::StyledConv(op.clone()), &args).unwrap();
                let apart = 0.4 * distance(&found, &clamped);
                assert!(apart < tolerance, "{op:?} {:?}: {apart:.1e} apart", [n, ci, co, h, w, *k]);
            }
        }
    }
}
