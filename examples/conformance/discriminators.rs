//! What the golden files of discriminators have in common.

use gan_core::{Device, Discriminator, Labels, Order, Tensor, grad};

use super::case::Case;
use super::error::Result;
use super::gradients::{Leaf, first, named};
use super::outputs::Outputs;

/// The labels of a case, if it has any.
pub(super) fn labels(case: &Case, device: &Device) -> Result<Option<Labels>> {
    Ok(case.optional_input("c", device)?.map(Labels::new).transpose()?)
}

/// Samples of a group of the minibatch standard deviation; without the setting, the whole batch, and genforce has 0 for
/// networks without, whose tensors tell.
pub(super) fn group(case: &Case) -> Result<Option<usize>> {
    Ok(case.settings.count("minibatch_std_group_size")?.filter(|&group| group > 0))
}

/// What a block hands on: `x.<block>`, features, or `img.<block>`, the image.
pub(super) fn put_block(out: &mut Outputs, name: &str, x: &Tensor) -> gan_core::Result<()> {
    match name.strip_suffix(".image") {
        Some(block) => out.tensor(format!("img.{block}"), x),
        None => out.tensor(format!("x.{name}"), x),
    }
}

/// `logits`; `grad_image` and `grad_param.*`, the gradients of `sum(logits * grad_out)`, or of `sum(logits)` where there
/// is no `grad_out`; and the R1 penalty. Only what the file asks for.
pub(super) fn put(
    out: &mut Outputs,
    case: &Case,
    network: &dyn Discriminator,
    params: &[Leaf<'_>],
) -> Result<()> {
    let device = network.device();
    let labels = labels(case, device)?;
    let image = case.variable("image", device)?;
    let logits = network.logits(&image, labels.as_ref())?;
    out.tensor("logits", &logits)?;
    let leaves = [params, &[("image", &image)]].concat();
    match case.optional_input("grad_out", device)? {
        Some(weight) => first(out, &logits, &weight, &leaves)?,
        None => named(out, "grad", &logits.sum_all()?, &leaves)?,
    }
    if case.expects("r1_grads") {
        r1(out, case, &logits, &image, params)?;
    }
    Ok(())
}

/// `r1_grads`, the gradient of `sum(logits)`; `r1_penalty`, its square summed for each image; and the gradients of the
/// loss, `r1_gamma / 2` times the mean penalty.
fn r1(
    out: &mut Outputs,
    case: &Case,
    logits: &Tensor,
    image: &Tensor,
    params: &[Leaf<'_>],
) -> Result<()> {
    let slope = grad(&logits.sum_all()?, &[image], Order::Second)?.remove(0);
    let penalty = slope.square()?.sum(&[1, 2, 3])?.reshape(&[image.shape()[0]])?;
    out.tensor("r1_grads", &slope)?;
    out.tensor("r1_penalty", &penalty)?;
    let gamma = case.settings.number_or("r1_gamma", 10.0)?;
    let loss = penalty.mean_all()?.scale(0.5 * gamma)?;
    let mut leaves = params.to_vec();
    if case.expects("r1_grad_image") {
        leaves.push(("image", image));
    }
    named(out, "r1_grad", &loss, &leaves)
}
