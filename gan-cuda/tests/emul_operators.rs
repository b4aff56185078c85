//! The operator table of gan-core on the stand-in driver: not a GPU's results, but its kernels and its host code.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "../../gan-core/tests/operators/compare.rs"]
mod compare;
#[path = "support/device.rs"]
mod device;
#[path = "../../gan-core/tests/operators/fused.rs"]
mod fused;
#[path = "support/operators.rs"]
mod operators;
mod support;
#[path = "../../gan-core/tests/operators/table.rs"]
mod table;
#[path = "../../gan-core/tests/operators/values.rs"]
mod values;

use compare::{for_each_row, values_agree};
use device::{stand_in_cuda, stand_in_device};
use gan_core::Device;
use gan_core::backend::DType;
use gan_cuda::Options;
use table::Scope;

#[test]
fn emul_every_operator_computes_what_the_reference_computes() {
    let Some(cuda) = stand_in_device(0) else { return };
    operators::values(&cuda, 2e-6);
}

#[test]
fn emul_gradients_of_both_orders_are_those_of_the_reference() {
    let Some(cuda) = stand_in_device(0) else { return };
    operators::most_gradients(&cuda, 2e-5);
}

#[test]
fn emul_half_precision_storage_rounds_results_only() {
    for dtype in [DType::F16, DType::BF16] {
        let options = Options { dtype, ..Options::default() };
        let Some(cuda) = stand_in_cuda(0, &options).map(Device::from) else { return };
        assert_eq!(cuda.name(), format!("cuda:0/{dtype:?}").to_lowercase());
        operators::values_of_half(&cuda);
    }
}

/// The order in which the threads of a block run must not matter.
#[test]
fn emul_no_operator_depends_on_the_order_of_threads() {
    let Some(cuda) = stand_in_device(0) else { return };
    for schedule in ["reverse", "random"] {
        support::set("GAN_EMUL_SCHEDULE", Some(schedule));
        for_each_row(Scope::Differentiated, |row| values_agree(row, &cuda, 2e-6));
    }
    support::set("GAN_EMUL_SCHEDULE", None);
}

#[test]
fn emul_fused_kernels_equal_their_definitions() {
    let Some(cuda) = stand_in_device(0) else { return };
    fused::bias_act_equals_its_definition(&cuda, 2e-6);
    fused::bias_act_grad_equals_the_gradient_of_the_definition(&cuda, 2e-6);
    fused::styled_conv_equals_its_definition(&cuda, 2e-6);
}
