//! What must hold for every row on a device, whichever it is.

use gan_core::{Device, Order, Result, Tensor, grad};

use crate::table::{Row, Scope, signed_like, table};
use crate::values::distance;

pub(crate) type Verdict = std::result::Result<(), String>;

/// Runs `check` on all rows of at least this scope and reports all that fail.
pub(crate) fn for_each_row(scope: Scope, check: impl Fn(&Row) -> Verdict) {
    let rows: Vec<Row> = table().into_iter().filter(|r| r.scope >= scope).collect();
    let failures: Vec<String> = rows
        .iter()
        .filter_map(|row| check(row).err().map(|reason| format!("{}: {reason}", row.name)))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} rows:\n{}",
        failures.len(),
        rows.len(),
        failures.join("\n")
    );
}

/// The device computes what the reference computes from the same inputs.
pub(crate) fn values_agree(row: &Row, device: &Device, tolerance: f64) -> Verdict {
    let inputs = row.inputs(device);
    let found = (row.f)(&inputs).map_err(|e| e.to_string())?;
    let expected = (row.f)(&on_reference(&inputs)).map_err(|e| e.to_string())?;
    within(tolerance, &found, &expected)
}

/// The device's gradients of these orders are those of the reference.
pub(crate) fn gradients_agree(
    row: &Row,
    device: &Device,
    orders: &[Order],
    tolerance: f64,
) -> Verdict {
    let inputs = row.inputs(device);
    let gradients =
        |inputs: &[Tensor], order| gradients(row, inputs, order).map_err(|e| e.to_string());
    let expected = gradients(&on_reference(&inputs), Order::First)?;
    for &order in orders {
        for (i, (a, r)) in gradients(&inputs, order)?.iter().zip(&expected).enumerate() {
            within(tolerance, a, r).map_err(|e| format!("{order:?} order, input {i}: {e}"))?;
        }
    }
    Ok(())
}

fn gradients(row: &Row, inputs: &[Tensor], order: Order) -> Result<Vec<Tensor>> {
    let inputs: Vec<Tensor> = inputs.iter().map(Tensor::var).collect();
    let y = (row.f)(&inputs)?;
    let y = y.mul(&signed_like(&y, 7)?)?.sum_all()?;
    grad(&y, &inputs.iter().collect::<Vec<_>>(), order)
}

/// The inputs as the device rounded them.
pub(crate) fn on_reference(inputs: &[Tensor]) -> Vec<Tensor> {
    let copy = |x: &Tensor| x.to_device(&Device::reference());
    inputs.iter().map(copy).collect::<Result<_>>().unwrap()
}

pub(crate) fn within(tolerance: f64, a: &Tensor, r: &Tensor) -> Verdict {
    if a.shape() != r.shape() {
        return Err(format!("shape {:?} instead of {:?}", a.shape(), r.shape()));
    }
    let distance = distance(&a.to_vec::<f64>().unwrap(), &r.to_vec::<f64>().unwrap());
    if distance <= tolerance { Ok(()) } else { Err(format!("{distance:.1e} apart")) }
}
