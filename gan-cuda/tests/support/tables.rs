//! Job tables on a device, whichever it is.

use std::sync::Arc;

use gan_core::backend::{Arg, Backend, HostData, Storage};
use gan_core::{Device, Result, Tensor, nn};
use gan_cuda::{Affine, Cuda, Demodulation};

use crate::values::{distance, signed};

/// Random values, on the reference and on a device that rounds them.
pub(crate) struct Operand {
    exact: Tensor,
    storage: Arc<dyn Storage>,
    shape: Vec<usize>,
}

impl Operand {
    pub(crate) fn new(cuda: &Cuda, shape: &[usize], seed: u64) -> Result<Self> {
        let values = signed(shape.iter().product(), seed);
        let storage = cuda.upload(HostData::F64(values))?;
        let rounded = cuda.download(&storage)?.into_f64();
        let exact = Tensor::from_vec(rounded, shape, &Device::reference())?;
        Ok(Operand { exact, storage, shape: shape.to_vec() })
    }

    pub(crate) fn arg(&self) -> Arg<'_> {
        Arg { storage: &self.storage, shape: &self.shape }
    }
}

/// Rows and inputs of the layers.
const LAYERS: [[usize; 2]; 5] = [[7, 16], [64, 33], [1, 512], [130, 5], [8, 8]];

#[track_caller]
fn assert_close(cuda: &Cuda, found: &Arc<dyn Storage>, expected: &Tensor) {
    let found = cuda.download(found).unwrap().into_f64();
    let apart = distance(&found, &expected.to_vec::<f64>().unwrap());
    assert!(apart < 2e-6, "{apart:.1e} apart");
}

/// All affine layers against products of the reference.
pub(crate) fn affines(cuda: &Cuda) {
    for batch in [1, 3] {
        let new = |shape: &[usize], seed| Operand::new(cuda, shape, seed).unwrap();
        let operands: Vec<[Operand; 3]> = (0u64..)
            .zip(LAYERS)
            .map(|(i, [rows, inputs])| {
                [new(&[rows, inputs], i), new(&[rows], 10 + i), new(&[batch, inputs], 20 + i)]
            })
            .collect();
        // Factors of weight and bias, and whether there is a bias.
        let settings = |i: usize| (0.5 + i as f64, 2.0 - i as f64, i < 2);
        let jobs: Vec<Affine<'_>> = operands
            .iter()
            .enumerate()
            .map(|(i, [weight, bias, x])| {
                let (weight_gain, bias_gain, biased) = settings(i);
                Affine {
                    weight: weight.arg(),
                    bias: biased.then(|| bias.arg()),
                    x: x.arg(),
                    weight_gain: weight_gain as f32,
                    bias_gain: bias_gain as f32,
                }
            })
            .collect();
        let results = cuda.affines(&jobs).unwrap();
        for (i, ([weight, bias, x], found)) in operands.iter().zip(&results).enumerate() {
            let (weight_gain, bias_gain, biased) = settings(i);
            let y = x.exact.matmul_t(&weight.exact).unwrap().scale(weight_gain).unwrap();
            let y = match biased {
                true => y.add(&bias.exact.scale(bias_gain).unwrap()).unwrap(),
                false => y,
            };
            assert_close(cuda, found, &y);
        }
    }
}

/// Sums of squares and all demodulations against those of the reference.
pub(crate) fn demodulations(cuda: &Cuda) {
    for (batch, transposed) in [(1, false), (4, true)] {
        let new = |shape: &[usize], seed| Operand::new(cuda, shape, seed).unwrap();
        let operands: Vec<(Operand, Arc<dyn Storage>, Operand)> = (0u64..)
            .zip(LAYERS)
            .map(|(i, [rows, inputs])| {
                let outer = if transposed { [inputs, rows] } else { [rows, inputs] };
                let weight = new(&[outer[0], outer[1], 3, 3], i);
                let squares = cuda.square_sum(weight.arg(), transposed).unwrap();
                (weight, squares, new(&[batch, inputs], 20 + i))
            })
            .collect();
        let jobs: Vec<Demodulation<'_>> = operands
            .iter()
            .zip(&LAYERS)
            .map(|((_, storage, style), shape)| Demodulation {
                weight2: Arg { storage, shape },
                style: style.arg(),
            })
            .collect();
        let results = cuda.demodulations(&jobs, 1e-8).unwrap();
        for ((weight, squares, style), (found, shape)) in
            operands.iter().zip(results.iter().zip(LAYERS))
        {
            let axes = if transposed { [1, 0, 2, 3] } else { [0, 1, 2, 3] };
            let weight = weight.exact.permute(&axes).unwrap();
            let exact = weight.square().unwrap().sum(&[2, 3]).unwrap().reshape(&shape).unwrap();
            assert_close(cuda, squares, &exact);
            assert_close(cuda, found, &nn::demodulation(&style.exact, &exact).unwrap());
        }
    }
}
