//! What must hold for each row of the table of operators: the CPU computes what the reference computes, and the
//! gradients of both orders are right. Adding an operator means adding a row to `operators/table.rs`; other devices run
//! the same table.

#![allow(clippy::unwrap_used)]

#[path = "operators/backward.rs"]
mod backward;
#[path = "operators/compare.rs"]
mod compare;
#[path = "operators/denormals.rs"]
mod denormals;
#[path = "operators/fused.rs"]
mod fused;
#[path = "operators/table.rs"]
mod table;
#[path = "operators/values.rs"]
mod values;

use std::cell::Cell;

use compare::{for_each_row, gradients_agree, values_agree};
use denormals::{denormals_agree, is_linear};
use gan_core::backend::cpu::ConvAlgorithm;
use gan_core::grad::{gradcheck, gradgradcheck};
use gan_core::{Device, Order};
use table::Scope;

#[test]
fn the_cpu_computes_what_the_reference_computes() {
    for_each_row(Scope::Forward, |row| values_agree(row, &Device::cpu(), 2e-6));
}

#[test]
fn the_cpu_keeps_denormals() {
    for algorithm in [ConvAlgorithm::Auto, ConvAlgorithm::F2, ConvAlgorithm::F4] {
        let device = Device::cpu_with(algorithm);
        let checked = Cell::new(0);
        for_each_row(Scope::Forward, |row| {
            if !is_linear(row) {
                return Ok(());
            }
            checked.set(checked.get() + 1);
            denormals_agree(row, &device)
        });
        assert!(checked.get() > 250, "only {} rows", checked.get());
    }
}

#[test]
fn gradients_of_the_cpu_are_those_of_the_reference() {
    let orders = [Order::First, Order::Second];
    for_each_row(Scope::Compared, |row| gradients_agree(row, &Device::cpu(), &orders, 2e-5));
}

#[test]
fn gradients_agree_with_finite_differences() {
    for_each_row(Scope::Differentiated, |row| {
        gradcheck(&row.f, &row.inputs(&Device::reference())).map_err(|e| e.to_string())
    });
}

#[test]
fn second_order_gradients_agree_with_finite_differences() {
    for_each_row(Scope::Differentiated, |row| {
        gradgradcheck(&row.f, &row.inputs(&Device::reference())).map_err(|e| e.to_string())
    });
}

#[test]
fn bias_act_equals_its_definition() {
    fused::bias_act_equals_its_definition(&Device::cpu(), 2e-6);
}

#[test]
fn bias_act_grad_equals_the_gradient_of_the_definition() {
    fused::bias_act_grad_equals_the_gradient_of_the_definition(&Device::cpu(), 2e-6);
}

#[test]
fn styled_conv_equals_its_definition() {
    fused::styled_conv_equals_its_definition(&Device::cpu(), 2e-6);
}

#[test]
fn styled_conv_by_winograd_equals_its_definition() {
    let device = Device::cpu_with(ConvAlgorithm::F2);
    fused::styled_conv_equals_its_definition(&device, 4e-6);
}
