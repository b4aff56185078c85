//! What must hold on a real GPU: `cargo test -p gan-cuda --test gpu -- --ignored --test-threads 1` (one of them fills the
//! memory), or `tools/on_gpu.sh`.

#![allow(clippy::unwrap_used, dead_code)]

#[path = "../../gan-core/tests/operators/compare.rs"]
mod compare;
#[path = "../../gan-core/tests/operators/fused.rs"]
mod fused;
#[path = "support/operators.rs"]
mod operators;
#[path = "../../gan-core/tests/operators/table.rs"]
mod table;
#[path = "../../gan-core/tests/operators/values.rs"]
mod values;

use std::error::Error as _;

use gan_core::backend::DType;
use gan_core::{Device, Tensor};
use gan_cuda::{Cuda, Error, Options};

/// The first GPU.
#[track_caller]
fn gpu(dtype: DType) -> Cuda {
    let cuda = Cuda::open(0, &Options { dtype, ..Options::default() }).unwrap();
    eprintln!("on {}, driver for CUDA {:?}", cuda.model(), cuda.driver_version());
    cuda
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_every_operator_computes_what_the_reference_computes() {
    let cuda = gpu(DType::F32);
    operators::values(&cuda.into(), 4e-6);
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_gradients_of_both_orders_are_those_of_the_reference() {
    let cuda = gpu(DType::F32);
    operators::most_gradients(&cuda.into(), 4e-5);
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_half_precision_storage_rounds_results_only() {
    for dtype in [DType::F16, DType::BF16] {
        operators::values_of_half(&gpu(dtype).into());
    }
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_fused_kernels_equal_their_definitions() {
    let cuda = gpu(DType::F32).into();
    fused::bias_act_equals_its_definition(&cuda, 4e-6);
    fused::bias_act_grad_equals_the_gradient_of_the_definition(&cuda, 4e-6);
    fused::styled_conv_equals_its_definition(&cuda, 4e-6);
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_full_memory_is_an_error_that_passes() {
    let cuda = gpu(DType::F32);
    let total = cuda.memory().unwrap().total;
    let device = Device::from(cuda);
    let mut kept = Vec::new();
    let error = loop {
        assert!(kept.len() <= total >> 32, "more than there is");
        match Tensor::zeros(&[1 << 10, 1 << 20], &device) {
            Ok(tensor) => kept.push(tensor),
            Err(error) => break error,
        }
    };
    match error.source().and_then(|e| e.downcast_ref()) {
        Some(Error::OutOfMemory { wanted, free, .. }) => {
            assert!(*wanted == 1 << 32 && *free < total, "{error}");
        }
        _ => panic!("{error}"),
    }
    kept.clear();
    assert_eq!(Tensor::full(2.0, &[3], &device).unwrap().to_vec::<f32>().unwrap(), [2.0; 3]);
}
