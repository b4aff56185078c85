//! Checks of gradients against finite differences, for tests of operators and networks.

use crate::error::{Error, Result};
use crate::grad::{Order, grad};
use crate::tensor::Tensor;

/// Step of the central differences; with `f64` it leaves about 1e-9 of error.
const STEP: f64 = 1e-6;
const RELATIVE: f64 = 1e-4;
const ABSOLUTE: f64 = 1e-6;

/// Compares the gradient of `f` at `inputs` with central differences, for every element of every input.
///
/// `f` may give a tensor of any shape: a fixed pseudo-random combination of its elements is differentiated. Use
/// a device that computes in `f64`, such as [`Device::reference`](crate::Device::reference).
///
/// # Errors
/// [`Error::Gradient`] with the input, element and both values where they differ; any error of `f`.
///
/// ```
/// use gan_core::{Device, Tensor, grad::gradcheck};
/// let x = Tensor::new(&[0.3f64, -1.2], &[2], &Device::reference())?;
/// gradcheck(&|x| x[0].tanh()?.mul(&x[0]), &[x])?;
/// # Ok::<(), gan_core::Error>(())
/// ```
pub fn gradcheck(f: &dyn Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<()> {
    let scalar = |x: &[Tensor]| {
        let y = f(x)?;
        let weights = pseudo_random(y.numel(), 1);
        y.mul(&Tensor::from_vec(weights, y.shape(), y.device())?)?.sum_all()
    };
    let vars: Vec<Tensor> = inputs.iter().map(Tensor::var).collect();
    let analytic = grad(&scalar(&vars)?, &vars.iter().collect::<Vec<_>>(), Order::First)?;
    for (i, analytic) in analytic.iter().enumerate() {
        let analytic = analytic.to_vec::<f64>()?;
        let values = inputs[i].to_vec::<f64>()?;
        let largest = analytic.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        for (k, &a) in analytic.iter().enumerate() {
            let at = |delta: f64| {
                let mut moved = values.clone();
                moved[k] += delta;
                let mut x = inputs.to_vec();
                x[i] = Tensor::from_vec(moved, inputs[i].shape(), inputs[i].device())?;
                scalar(&x)?.item()
            };
            let numeric = (at(STEP)? - at(-STEP)?) / (2.0 * STEP);
            // Written so that NaN fails.
            let agrees = (numeric - a).abs() <= ABSOLUTE + RELATIVE * largest;
            if !agrees {
                let reason =
                    format!("input {i}, element {k}: {a} by the rules, {numeric} by differences");
                return Err(Error::Gradient(reason));
            }
        }
    }
    Ok(())
}

/// Applies [`gradcheck`] to the gradient of `f`: checks second derivatives, mixed ones included.
///
/// # Errors
/// As [`gradcheck`].
pub fn gradgradcheck(f: &dyn Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<()> {
    let probe = f(inputs)?;
    let cotangent =
        Tensor::from_vec(pseudo_random(probe.numel(), 2), probe.shape(), probe.device())?;
    let n = inputs.len();
    // The cotangent is an argument as well, so that operators that are linear in their inputs are checked too.
    let gradient = |args: &[Tensor]| {
        let vars: Vec<Tensor> =
            args[..n].iter().map(|x| if x.is_tracked() { x.clone() } else { x.var() }).collect();
        let y = f(&vars)?.mul(&args[n])?.sum_all()?;
        let gradients = grad(&y, &vars.iter().collect::<Vec<_>>(), Order::Second)?;
        let flat: Vec<Tensor> =
            gradients.iter().map(|g| g.reshape(&[g.numel()])).collect::<Result<_>>()?;
        Tensor::concat(&flat.iter().collect::<Vec<_>>(), 0)
    };
    let mut args = inputs.to_vec();
    args.push(cotangent);
    gradcheck(&gradient, &args)
}

/// Values in [-1, 1) that look random and are the same everywhere (splitmix64).
fn pseudo_random(n: usize, seed: u64) -> Vec<f64> {
    (0..n as u64)
        .map(|i| {
            let mut z = (seed << 32).wrapping_add(i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect()
}
