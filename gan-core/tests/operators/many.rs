//! Layers that some devices compute all at once.

use gan_core::backend::Activation;
use gan_core::nn::{Linear, Params, affines, demodulations};
use gan_core::{Result, Tensor};

use super::{Row, row};

/// Rows and inputs of the layers.
const SMALL: [[usize; 2]; 3] = [[2, 3], [1, 2], [3, 1]];
const LARGE: [[usize; 2]; 5] = [[7, 16], [64, 33], [1, 512], [130, 5], [8, 8]];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in [1, 3] {
        let x = move |&[_, k]: &[usize; 2]| vec![batch, k];
        let affine = |l: &[usize; 2]| [x(l), l.to_vec(), vec![l[0]]];
        let demod = |l: &[usize; 2]| [x(l), l.to_vec()];
        let name = |op: &str| format!("{op} of {batch}");
        rows.push(row(name("affines"), &SMALL.each_ref().map(affine).concat(), all_affines));
        rows.push(
            row(name("affines large"), &LARGE.each_ref().map(affine).concat(), all_affines)
                .compared(),
        );
        rows.push(
            row(name("demodulations"), &SMALL.each_ref().map(demod).concat(), all_demodulations)
                .positive(),
        );
        let shapes = LARGE.each_ref().map(demod).concat();
        rows.push(
            row(name("demodulations large"), &shapes, all_demodulations).positive().compared(),
        );
    }
    rows
}

/// Each layer with gains of its own: they follow from the number of inputs and the multiplier.
fn all_affines(x: &[Tensor]) -> Result<Tensor> {
    let layer = |(i, part): (usize, &[Tensor])| {
        let mut params = Params::default();
        params.insert("l.weight", part[1].clone());
        params.insert("l.bias", part[2].clone());
        Linear::new(&mut params, "l", None, None, 0.5 + i as f64, Activation::Linear)
    };
    let layers: Vec<Linear> = x.chunks_exact(3).enumerate().map(layer).collect::<Result<_>>()?;
    let pairs: Vec<_> =
        layers.iter().zip(x.chunks_exact(3)).map(|(l, part)| (l, &part[0])).collect();
    joined(&affines(&pairs)?)
}

fn all_demodulations(x: &[Tensor]) -> Result<Tensor> {
    let pairs: Vec<_> = x.chunks_exact(2).map(|part| (&part[0], &part[1])).collect();
    joined(&demodulations(&pairs)?)
}

fn joined(parts: &[Tensor]) -> Result<Tensor> {
    Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1)
}
