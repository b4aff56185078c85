//! The small layers of a synthesis network, all at once where the device has a kernel for that.
//!
//! Each alone is too little work for a GPU, which would spend its time on launches. Elsewhere, and where they are recorded, they
//! are computed one by one: their gradients are then those of the single layers.

use crate::backend::Prim;
use crate::error::Result;
use crate::nn::{Linear, demodulation};
use crate::tensor::Tensor;

/// `layer.forward(x)` of each pair; all `x` have the same number of rows.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if they do not fit.
pub fn affines(layers: &[(&Linear, &Tensor)]) -> Result<Vec<Tensor>> {
    let parts: Option<Vec<_>> = layers.iter().map(|(layer, _)| layer.affine()).collect();
    if let Some(parts) = parts {
        let args = layers.iter().zip(&parts).flat_map(|(&(_, x), &(w, b, _))| [x, w, b]);
        let args: Vec<&Tensor> = args.collect();
        let gains = parts.iter().map(|&(_, _, gains)| gains).collect();
        if let Some(results) = at_once(Prim::Affines(gains), &args, 3)? {
            return Ok(results);
        }
    }
    layers.iter().map(|(layer, x)| layer.forward(x)).collect()
}

/// [`demodulation`] of each pair of styles `[n, ci]` and squared weight `[co, ci]`; all of one `n`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if they do not fit.
pub fn demodulations(layers: &[(&Tensor, &Tensor)]) -> Result<Vec<Tensor>> {
    let args: Vec<&Tensor> = layers.iter().flat_map(|&(style, squared)| [style, squared]).collect();
    match at_once(Prim::Demodulations, &args, 2)? {
        Some(results) => Ok(results),
        None => layers.iter().map(|(style, squared)| demodulation(style, squared)).collect(),
    }
}

/// The results `[n, o]` of layers with `each` arguments, `x [n, k]`, `w [o, k]` and so on; `None` where they are better
/// computed one by one.
fn at_once(prim: Prim, args: &[&Tensor], each: usize) -> Result<Option<Vec<Tensor>>> {
    let Some(first) = args.first() else { return Ok(None) };
    // What does not fit is the same error everywhere.
    prim.output_shape(&args.iter().map(|arg| arg.shape()).collect::<Vec<_>>())?;
    let is_recorded = args.iter().any(|arg| arg.is_tracked());
    if is_recorded || !first.device().backend().fuses(&prim) {
        return Ok(None);
    }
    let all = Tensor::apply(prim, args)?;
    let mut start = 0;
    let results = args.chunks_exact(each).map(|layer| {
        let shape = [layer[0].shape()[0], layer[1].shape()[0]];
        let len = shape.iter().product();
        let result = all.slice(0, start, len)?.reshape(&shape);
        start += len;
        result
    });
    results.collect::<Result<_>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Activation, Device};
    use crate::grad::{gradcheck, gradgradcheck};
    use crate::nn::Params;

    fn numbers(shape: &[usize], seed: usize) -> Tensor {
        let len: usize = shape.iter().product();
        let values: Vec<f64> = (0..len).map(|i| ((7 * i + 3 * seed) % 11) as f64 - 4.5).collect();
        Tensor::from_vec(values, shape, &Device::reference()).unwrap()
    }

    fn linear(weight: &Tensor, bias: &Tensor, multiplier: f64, act: Activation) -> Linear {
        let mut params = Params::default();
        params.insert("l.weight", weight.clone());
        params.insert("l.bias", bias.clone());
        Linear::new(&mut params, "l", None, None, multiplier, act).unwrap()
    }

    /// What a device without a kernel, or a gradient, makes of the primitive is what the layers are one by one.
    #[test]
    fn composites_are_the_single_layers_and_have_their_gradients() {
        let shapes: [&[usize]; 6] = [&[2, 3], &[4, 3], &[4], &[2, 5], &[1, 5], &[1]];
        let inputs: Vec<Tensor> = (0..).zip(shapes).map(|(i, s)| numbers(s, i)).collect();
        let affine = |x: &[Tensor]| {
            let layers = [0, 3].map(|i| linear(&x[i + 1], &x[i + 2], 0.5, Activation::Linear));
            let gains = layers.iter().map(|l| l.affine().unwrap().2).collect();
            Tensor::apply(Prim::Affines(gains), &x.iter().collect::<Vec<_>>())
        };
        let demod = |x: &[Tensor]| {
            let [a, b] = [x[1].square()?, x[4].square()?];
            Tensor::apply(Prim::Demodulations, &[&x[0], &a, &x[3], &b])
        };
        for f in [&affine as &dyn Fn(&[Tensor]) -> Result<Tensor>, &demod] {
            assert_eq!(f(&inputs).unwrap().shape(), [10]);
            gradcheck(&f, &inputs).unwrap();
            gradgradcheck(&f, &inputs).unwrap();
        }
        let layers =
            [0, 3].map(|i| linear(&inputs[i + 1], &inputs[i + 2], 0.5, Activation::Linear));
        let single = affines(&[(&layers[0], &inputs[0]), (&layers[1], &inputs[3])]).unwrap();
        let single: Vec<f64> = single.iter().flat_map(|y| y.to_vec::<f64>().unwrap()).collect();
        assert_eq!(affine(&inputs).unwrap().to_vec::<f64>().unwrap(), single);
    }

    #[test]
    fn layers_with_activations_and_none_at_all_are_computed_too() {
        let (x, weight, bias) = (numbers(&[2, 3], 1), numbers(&[4, 3], 2), numbers(&[4], 3));
        let layer = linear(&weight, &bias, 1.0, Activation::Relu);
        let found = affines(&[(&layer, &x)]).unwrap().remove(0).to_vec::<f64>().unwrap();
        assert_eq!(found, layer.forward(&x).unwrap().to_vec::<f64>().unwrap());
        assert!(affines(&[]).unwrap().is_empty() && demodulations(&[]).unwrap().is_empty());
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() {
        let (x, weight, bias) = (numbers(&[2, 3], 1), numbers(&[4, 3], 2), numbers(&[4], 3));
        let layer = linear(&weight, &bias, 1.0, Activation::Linear);
        let more = numbers(&[3, 3], 1);
        for wrong in [&more, &bias, &numbers(&[2, 4], 1), &numbers(&[], 1)] {
            assert!(affines(&[(&layer, &x), (&layer, wrong)]).is_err(), "{wrong:?}");
            assert!(demodulations(&[(&x, &weight), (wrong, &weight)]).is_err(), "{wrong:?}");
        }
        assert!(demodulations(&[(&x, &weight), (&x, &bias)]).is_err());
    }
}
