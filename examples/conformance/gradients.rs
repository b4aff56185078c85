//! The gradient outputs that the golden files of operators and layers have in common.

use gan_core::{Device, Order, Tensor, grad};

use super::case::Case;
use super::error::Result;
use super::outputs::Outputs;

/// A variable and its name in the names of gradients.
pub(super) type Leaf<'a> = (&'a str, &'a Tensor);

/// Leaves of a list of named variables.
pub(super) fn leaves(variables: &[(String, Tensor)]) -> Vec<Leaf<'_>> {
    variables.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect()
}

/// `y`; `grad_<v>`, the gradients of `sum(y * grad_out)`; and the penalties `gp` with respect to `x` and `gps` with
/// respect to `styles`, with their gradients. Only what the file asks for.
pub(super) fn layer(
    case: &Case,
    device: &Device,
    y: &Tensor,
    leaves: &[Leaf<'_>],
) -> Result<Outputs> {
    let mut out = Outputs::default();
    out.tensor("y", y)?;
    if let Some(weight) = case.optional_input("grad_out", device)? {
        first(&mut out, y, &weight, leaves)?;
    }
    for (penalty, of) in [("gp", "x"), ("gps", "styles")] {
        let of = leaves.iter().find(|(name, _)| *name == of);
        if let (Some((_, of)), true) = (of, case.expects(penalty)) {
            let u = case.variable("u", device)?;
            second(&mut out, penalty, y, &u, of, leaves)?;
        }
    }
    Ok(out)
}

/// `grad_<v>`, the gradients of `sum(y * weight)`.
pub(super) fn first(
    out: &mut Outputs,
    y: &Tensor,
    weight: &Tensor,
    leaves: &[Leaf<'_>],
) -> Result<()> {
    named(out, "grad", &y.mul(weight)?.sum_all()?, leaves)
}

/// `P = sum((d sum(y * u) / d of)^2)` and its gradients `grad_<penalty>_<v>`, that by `u` included.
fn second(
    out: &mut Outputs,
    penalty: &str,
    y: &Tensor,
    u: &Tensor,
    of: &Tensor,
    leaves: &[Leaf<'_>],
) -> Result<()> {
    let slope = grad(&y.mul(u)?.sum_all()?, &[of], Order::Second)?.remove(0);
    let p = slope.square()?.sum_all()?;
    out.tensor(penalty, &p)?;
    named(out, &format!("grad_{penalty}"), &p, &[leaves, &[("u", u)]].concat())
}

/// `<prefix>_<v>`, the gradients of a number.
pub(super) fn named(
    out: &mut Outputs,
    prefix: &str,
    number: &Tensor,
    leaves: &[Leaf<'_>],
) -> Result<()> {
    let tensors: Vec<&Tensor> = leaves.iter().map(|(_, tensor)| *tensor).collect();
    for ((name, _), g) in leaves.iter().zip(grad(number, &tensors, Order::First)?) {
        out.tensor(format!("{prefix}_{name}"), &g)?;
    }
    Ok(())
}
