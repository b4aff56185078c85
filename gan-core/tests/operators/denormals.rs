//! Inputs below the smallest normal number.

use gan_core::{Device, Tensor};

use crate::compare::{Verdict, on_reference, within};
use crate::table::Row;

/// The starts of the names of rows that are linear in their first input, and heavy enough to have kernels of their own.
const LINEAR: [&str; 11] = [
    "batched matmul",
    "conv2d",
    "conv_transpose2d",
    "matmul",
    "mul",
    "scale",
    "sum [",
    "transposed matmul",
    "upfirdn2d",
    "modulated_conv2d",
    "bias_act linear 0 alone",
];

pub(crate) fn is_linear(row: &Row) -> bool {
    let others = ["with itself", "true 1", "true 2", "false 1", "false 2"];
    LINEAR.iter().any(|start| row.name.starts_with(start))
        && !others.iter().any(|part| row.name.contains(part))
}

/// The device computes what the reference computes where the first input is below the smallest normal number throughout: a
/// kernel may round such values, but not take them for zero.
pub(crate) fn denormals_agree(row: &Row, device: &Device) -> Verdict {
    let mut inputs = row.inputs(device);
    let values: Vec<f64> = inputs[0].to_vec().unwrap();
    let tiny: Vec<f64> = values.iter().map(|v| v * 2f64.powi(-127)).collect();
    inputs[0] = Tensor::new(&tiny, inputs[0].shape(), device).unwrap();
    let found = (row.f)(&inputs).map_err(|e| e.to_string())?;
    let expected = (row.f)(&on_reference(&inputs)).map_err(|e| e.to_string())?;
    within(1e-3, &found, &expected)
}
