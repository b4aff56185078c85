//! The operator table of gan-core on the stand-in driver: not a GPU's results, but its kernels and its host code.

#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "../../gan-core/tests/operators/compare.rs"]
mod compare;
#[path = "support/device.rs"]
mod device;
#[path = "../../gan-core/tests/operators/fused.rs"]
mod fused;
mod support;
#[path = "../../gan-core/tests/operators/table.rs"]
mod table;
#[path = "../../gan-core/tests/operators/values.rs"]
mod values;

use compare::{for_each_row, gradients_agree, values_agree};
use device::stand_in_device;
use table::Scope;

#[test]
fn emul_every_operator_computes_what_the_reference_computes() {
    let Some(cuda) = stand_in_device(0) else { return };
    for_each_row(Scope::Forward, |row| values_agree(row, &cuda, 2e-6));
}

#[test]
fn emul_gradients_of_both_orders_are_those_of_the_reference() {
    let Some(cuda) = stand_in_device(0) else { return };
    for_each_row(Scope::Compared, |row| gradients_agree(row, &cuda, 2e-5));
}

#[test]
fn emul_bias_act_equals_its_definition() {
    let Some(cuda) = stand_in_device(0) else { return };
    fused::bias_act_equals_its_definition(&cuda, 2e-6);
}

#[test]
fn emul_bias_act_grad_equals_the_gradient_of_the_definition() {
    let Some(cuda) = stand_in_device(0) else { return };
    fused::bias_act_grad_equals_the_gradient_of_the_definition(&cuda, 2e-6);
}

#[test]
fn emul_styled_conv_equals_its_definition() {
    let Some(cuda) = stand_in_device(0) else { return };
    fused::styled_conv_equals_its_definition(&cuda, 2e-6);
}
