//! What goes wrong on a GPU, made to go wrong on the stand-in driver: typed errors, a device that says that it is broken,
//! and nothing that panics.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "support/device.rs"]
mod device;
mod support;

use std::error::Error as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use device::stand_in_cuda;
use gan_core::backend::{Arg, Backend, Conv, DType, Filter, HostData, Prim, Unary, UpFirDn};
use gan_core::{Device, Error as CoreError, Tensor};
use gan_cuda::{Cuda, Error, Options};

/// The stand-in's options belong to the whole process, so tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An option that is taken back at the end.
struct With(&'static str);

impl With {
    fn option(name: &'static str, value: &str) -> Self {
        support::set(name, Some(value));
        With(name)
    }
}

impl Drop for With {
    fn drop(&mut self) {
        support::set(self.0, None);
    }
}

fn cuda(index: usize) -> Option<Cuda> {
    stand_in_cuda(index, &Options::default())
}

/// The error of this crate behind one of gan-core.
#[track_caller]
fn ours(error: CoreError) -> Error {
    let source = error.source().unwrap_or_else(|| panic!("{error} has no source"));
    source.downcast_ref::<Error>().unwrap_or_else(|| panic!("{error} is of another crate")).clone()
}

fn work(device: &Device) -> gan_core::Result<Vec<f32>> {
    let x = Tensor::new(&[1.0f32, -2.0, 3.0], &[3], device)?;
    x.neg()?.add(&x.square()?)?.to_vec()
}

#[test]
fn emul_devices_that_are_not_there_are_named() {
    let (_turn, Some(_)) = (turn(), cuda(0)) else { return };
    for index in [2, 7, usize::MAX] {
        let error = Cuda::open(index, &Options::default()).unwrap_err();
        let named = matches!(error, Error::NoDevice { index: i, count: 2 } if i == index);
        assert!(named, "{error}");
    }
    let _none = With::option("GAN_EMUL_DEVICES", "0");
    let error = gan_cuda::device(1).unwrap_err();
    assert!(matches!(error, Error::NoDevice { index: 1, count: 0 }), "{error}");
}

#[test]
fn emul_an_old_driver_is_refused() {
    let (_turn, Some(_)) = (turn(), cuda(0)) else { return };
    let _old = With::option("GAN_EMUL_VERSION", "12000");
    let error = gan_cuda::device(1).unwrap_err();
    assert!(matches!(error, Error::OldDriver { found: (12, 0) }), "{error}");
    assert!(error.to_string().contains("12.1 or newer"), "{error}");
}

#[test]
fn emul_types_that_kernels_do_not_store_are_refused() {
    let error = Cuda::open(0, &Options { dtype: DType::F64, ..Options::default() }).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}

#[test]
fn emul_full_memory_says_what_was_wanted_and_what_is_free() {
    let (_turn, Some(_)) = (turn(), cuda(0)) else { return };
    let _small = With::option("GAN_EMUL_MEMORY", "1048576");
    let device = Device::from(cuda(1).unwrap());
    let kept = Tensor::zeros(&[1000], &device).unwrap();
    match ours(Tensor::zeros(&[1 << 20], &device).unwrap_err()) {
        Error::OutOfMemory { device, wanted, free, total } => {
            assert_eq!((device.as_str(), wanted, total), ("cuda:1", 4 << 20, 1 << 20));
            assert!(free < total && free > total / 2, "{free} of {total}");
        }
        other => panic!("{other}"),
    }
    // Nothing is lost, and what fits still works.
    assert_eq!(kept.to_vec::<f32>().unwrap(), vec![0.0; 1000]);
    assert_eq!(Tensor::zeros(&[1 << 16], &device).unwrap().numel(), 1 << 16);
}

#[test]
fn emul_memory_is_given_back() {
    let (_turn, Some(cuda)) = (turn(), cuda(0)) else { return };
    let free = || cuda.memory().unwrap().free;
    let before = free();
    let storage = cuda.upload(HostData::F32(vec![0.0; 1 << 16])).unwrap();
    assert!(free() <= before - (4 << 16));
    drop(storage);
    assert_eq!(free(), before);
}

#[test]
fn emul_more_elements_than_indices_reach_are_refused() {
    let (_turn, Some(cuda)) = (turn(), cuda(0)) else { return };
    let device = Device::from(cuda);
    let error = ours(Tensor::zeros(&[1 << 16, 1 << 15], &device).unwrap_err());
    assert!(matches!(error, Error::Unsupported { op: "expand", .. }), "{error}");
    assert!(error.to_string().contains("2^31"), "{error}");
}

/// Few elements do not make small places: strides and paddings can be as large as a caller of the backend likes.
#[test]
fn emul_padding_beyond_the_reach_of_indices_is_refused() {
    let (_turn, Some(cuda)) = (turn(), cuda(0)) else { return };
    let storage = cuda.upload(HostData::F32(vec![1.0])).unwrap();
    let one = Arg { storage: &storage, shape: &[1, 1, 1, 1] };
    let half = 1 << 30;
    let conv = Conv { stride: [2 * half - 1, 1], padding: [half, 0], groups: 1 };
    let error = ours(cuda.eval(&Prim::Conv2d(conv), &[one, one], &[1, 1, 2, 1]).err().unwrap());
    assert!(matches!(error, Error::Unsupported { op: "conv2d", .. }), "{error}");
    let resample = UpFirDn {
        filter: Filter::outer(&[1.0]).unwrap(),
        up: [1, 1],
        down: [1, 2 * half],
        padding: [[0, 0], [half as isize; 2]],
        flip: false,
        gain: 1.0,
    };
    let error = ours(cuda.eval(&Prim::UpFirDn(resample), &[one], &[1, 1, 1, 2]).err().unwrap());
    assert!(matches!(error, Error::Unsupported { op: "upfirdn2d", .. }), "{error}");
}

#[test]
fn emul_a_sticky_fault_breaks_its_device_and_no_other() {
    let (_turn, Some(first)) = (turn(), cuda(0)) else { return };
    // A device for this test alone: what is broken stays so for as long as the process lives.
    let _third = With::option("GAN_EMUL_DEVICES", "3");
    let options = Options { synchronous: true, ..Options::default() };
    let broken = Device::from(stand_in_cuda(2, &options).unwrap());
    let x = Tensor::new(&[1.0f32, 2.0], &[2], &broken).unwrap();
    let error = {
        let _fault = With::option("GAN_EMUL_FAULT", "unary_f32=700");
        ours(x.neg().unwrap_err())
    };
    let Error::Faulted { device, at, code: 700, name } = &error else { panic!("{error}") };
    assert_eq!((device.as_str(), name.as_str()), ("cuda:2", "CUDA_ERROR_ILLEGAL_ADDRESS"));
    assert_eq!(at, "unary_f32");

    // It stays broken, also through new handles, and says why; nothing panics when it is dropped.
    for result in [x.to_vec::<f32>(), work(&broken), work(&Device::from(cuda(2).unwrap()))] {
        assert_eq!(ours(result.unwrap_err()).to_string(), error.to_string());
    }
    assert!(broken.backend().synchronize().is_err());
    drop((x, broken));
    let error = gan_cuda::device(2).unwrap_err();
    assert!(matches!(error, Error::Faulted { code: 700, .. }), "{error}");
    assert_eq!(work(&Device::from(first)).unwrap(), [0.0, 6.0, 6.0]);
}

/// Faults of earlier kernels show wherever the driver is called next, also where kernels are loaded.
#[test]
fn emul_a_sticky_fault_is_one_wherever_it_is_noticed() {
    let (_turn, Some(_)) = (turn(), cuda(0)) else { return };
    for (function, at) in [
        ("cuModuleLoadData", "elementwise"),
        ("cuModuleGetFunction", "unary_f32"),
        ("cuLaunchKernel", "unary_f32"),
        ("cuMemAllocAsync", "cuMemAllocAsync"),
    ] {
        let device = Device::from(cuda(1).unwrap());
        let x = Tensor::new(&[1.0f32, 2.0], &[2], &device).unwrap();
        let error = {
            let _fault = With::option("GAN_EMUL_FAULT", &format!("{function}=719"));
            ours(x.neg().unwrap_err())
        };
        let faulted = matches!(&error, Error::Faulted { code: 719, at: a, .. } if a == at);
        assert!(faulted, "{function}: {error}");
        assert!(matches!(ours(x.neg().unwrap_err()), Error::Faulted { .. }), "{function}");
    }
}

/// The library that toolkits ship to link with has every function, and each says only that it is a stub.
#[test]
fn emul_a_stub_with_all_functions_is_named() {
    let (_turn, Some(_)) = (turn(), cuda(0)) else { return };
    let _stub = With::option("GAN_EMUL_FAULT", "cuInit=34");
    let error = gan_cuda::device(1).unwrap_err().to_string();
    assert!(error.contains("cuInit: CUDA_ERROR_STUB_LIBRARY (34)"), "{error}");
}

/// Whatever function of the driver fails, and whenever: an error or a result, and a device that works afterwards.
#[test]
fn emul_failing_driver_functions_are_errors() {
    let (_turn, Some(_)) = (turn(), cuda(0)) else { return };
    let functions = [
        "cuCtxSetCurrent",
        "cuDeviceGet",
        "cuDeviceGetAttribute",
        "cuDeviceGetCount",
        "cuDeviceGetDefaultMemPool",
        "cuDeviceGetName",
        "cuDevicePrimaryCtxRelease_v2",
        "cuDevicePrimaryCtxRetain",
        "cuDriverGetVersion",
        "cuInit",
        "cuLaunchKernel",
        "cuMemAllocAsync",
        "cuMemFreeAsync",
        "cuMemPoolSetAttribute",
        "cuMemcpyDtoHAsync_v2",
        "cuMemcpyHtoDAsync_v2",
        "cuModuleGetFunction",
        "cuModuleLoadData",
        "cuModuleUnload",
        "cuStreamCreate",
        "cuStreamDestroy_v2",
        "cuStreamSynchronize",
    ];
    // Nobody is told of failures at the end of a device's life.
    let silent =
        ["cuDevicePrimaryCtxRelease_v2", "cuMemFreeAsync", "cuModuleUnload", "cuStreamDestroy_v2"];
    for function in functions {
        let result = {
            let _fault = With::option("GAN_EMUL_FAULT", &format!("{function}=801"));
            gan_cuda::device(0).map_err(CoreError::from).and_then(|device| work(&device))
        };
        match result {
            Ok(_) => assert!(silent.contains(&function), "{function} was not called"),
            Err(error) => {
                let message = ours(error).to_string();
                assert!(message.contains("801") || message.contains("NOT_SUPPORTED"), "{message}");
            }
        }
        let device = gan_cuda::device(0).unwrap();
        assert_eq!(work(&device).unwrap(), [0.0, 6.0, 6.0], "after {function}");
    }
}

#[test]
fn emul_tensors_of_two_devices_do_not_mix() {
    let (_turn, Some(first)) = (turn(), cuda(0)) else { return };
    let half = Options { dtype: DType::F16, ..Options::default() };
    let devices = [
        Device::from(first),
        Device::from(cuda(1).unwrap()),
        Device::from(stand_in_cuda(0, &half).unwrap()),
        Device::cpu(),
    ];
    for (i, a) in devices.iter().enumerate() {
        let x = Tensor::new(&[1.0f32, 2.0], &[2], a).unwrap();
        for (j, b) in devices.iter().enumerate() {
            let y = Tensor::new(&[1.0f32, 2.0], &[2], b).unwrap();
            assert_eq!(x.add(&y).is_ok(), i == j, "{} and {}", a.name(), b.name());
            // Past the tensors, which compare names: the backend looks for itself.
            let storage = b.backend().upload(HostData::F32(vec![1.0, 2.0])).unwrap();
            let arg = Arg { storage: &storage, shape: &[2] };
            let found = a.backend().eval(&Prim::Unary(Unary::Neg), &[arg], &[2]);
            match found {
                Ok(_) => assert_eq!(i, j),
                Err(error) => assert!(matches!(error, CoreError::Device { .. }), "{error}"),
            }
            assert_eq!(y.to_device(a).unwrap().to_vec::<f32>().unwrap(), [1.0, 2.0]);
        }
    }
}

/// Two handles to one GPU are one device: they share its stream and memory.
#[test]
fn emul_a_device_can_be_opened_twice() {
    let (_turn, Some(first)) = (turn(), cuda(0)) else { return };
    let (first, second) = (Device::from(first), gan_cuda::device(0).unwrap());
    let x = Tensor::new(&[1.0f32, 2.0], &[2], &first).unwrap();
    let y = Tensor::new(&[3.0f32, 4.0], &[2], &second).unwrap();
    drop(first);
    assert_eq!(x.mul(&y).unwrap().to_vec::<f32>().unwrap(), [3.0, 8.0]);
}

#[test]
fn emul_shapes_that_lie_are_refused() {
    let (_turn, Some(cuda)) = (turn(), cuda(0)) else { return };
    let storage = cuda.upload(HostData::F32(vec![0.0; 6])).unwrap();
    let arg = |shape| Arg { storage: &storage, shape };
    let sum = Prim::Sum(vec![0]);
    assert!(cuda.eval(&sum, &[arg(&[2, 3])], &[1, 3]).is_ok());
    assert!(cuda.eval(&sum, &[arg(&[2, 3])], &[1, 4]).is_err());
    assert!(cuda.eval(&sum, &[arg(&[2, 4])], &[1, 4]).is_err());
    assert!(cuda.eval(&sum, &[arg(&[0, 3])], &[1, 3]).is_err());
    assert!(cuda.eval(&sum, &[arg(&[usize::MAX, 2])], &[1, 2]).is_err());
    assert!(cuda.eval(&sum, &[], &[1, 3]).is_err());
    // A result beyond all memory, from one value.
    let scatter = Prim::ScatterAdd { axis: 0, index: vec![5; 6].into(), len: 1 << 50 };
    assert!(cuda.eval(&scatter, &[arg(&[6])], &[1 << 50]).is_err());
}

#[test]
fn emul_threads_share_a_device() {
    let (_turn, Some(cuda)) = (turn(), cuda(0)) else { return };
    let device = Device::from(cuda);
    std::thread::scope(|scope| {
        for t in 0..4 {
            let device = &device;
            scope.spawn(move || {
                for i in 0..20 {
                    let v = (10 * t + i) as f32;
                    let x = Tensor::new(&[v; 300], &[300], device).unwrap();
                    let y = x.affine(2.0, 1.0).unwrap().sub(&x).unwrap();
                    assert_eq!(y.to_vec::<f32>().unwrap(), [v + 1.0; 300]);
                }
            });
        }
    });
}
