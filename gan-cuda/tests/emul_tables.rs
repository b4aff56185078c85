//! All affine layers, and all demodulations, of a network as one launch each, on the stand-in driver.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "support/device.rs"]
mod device;
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

use device::{stand_in_cuda, stand_in_device};
use gan_core::backend::{AffineGains, Arg, Backend, DType, HostData, Prim};
use gan_core::{Device, Noise, Seeds, Staged, StyleBased, StyleGan2, Tensor, WPlus};
use gan_cuda::Options;

const MODEL: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");

/// Launches are counted for the whole process, so tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Launches of each of the kernels while `work` is done.
fn launches<const N: usize, T>(kernels: [&str; N], work: impl FnOnce() -> T) -> ([u64; N], T) {
    let before = kernels.map(support::launches);
    let result = work();
    let after = kernels.map(support::launches);
    (std::array::from_fn(|i| after[i] - before[i]), result)
}

const TABLES: [&str; 2] = ["affine_table_f32", "demod_table_f32"];

fn network(device: &Device) -> (StyleGan2, WPlus) {
    let g = StyleGan2::open(MODEL, device).unwrap();
    let w = g.map(&g.sample(&Seeds::from(3..5)).unwrap(), None).unwrap();
    let w = g.broadcast(&w).unwrap();
    (g, w)
}

#[test]
fn emul_a_network_takes_one_launch_for_all_affines_and_one_for_all_demodulations() {
    let _turn = turn();
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let options = Options { dtype, ..Options::default() };
        let Some(device) = stand_in_cuda(0, &options).map(Device::from) else { return };
        let (g, w) = network(&device);
        let (counted, image) = launches(TABLES, || g.synthesize(&w, Noise::Const).unwrap());
        assert_eq!(counted, [1, 1], "{dtype:?}");

        // Some of the layers and then the others: each call is for its own.
        let (counted, again) = launches(TABLES, || {
            let features = g.head(&w, 4).unwrap();
            g.tail(&features, &w).unwrap()
        });
        assert_eq!(counted, [2, 2], "{dtype:?}");
        assert_eq!(again.to_vec::<f32>().unwrap(), image.to_vec::<f32>().unwrap());
    }
}

#[test]
fn emul_recorded_layers_are_computed_one_by_one() {
    let _turn = turn();
    let Some(device) = stand_in_device(0) else { return };
    let (g, w) = network(&device);
    let recorded = WPlus::new(w.tensor().var()).unwrap();
    let (counted, image) = launches(TABLES, || g.synthesize(&recorded, Noise::Const).unwrap());
    assert_eq!(counted, [0, 0]);
    let together = g.synthesize(&w, Noise::Const).unwrap().to_vec::<f32>().unwrap();
    let apart =
        image.to_vec::<f32>().unwrap().into_iter().zip(&together).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-4);
}

#[test]
fn emul_a_part_of_a_small_tensor_is_not_copied() {
    let _turn = turn();
    let Some(device) = stand_in_device(0) else { return };
    let values: Vec<f32> = (0..60).map(|i| i as f32).collect();
    let x = Tensor::new(&values, &[1, 5, 12], &device).unwrap();
    let copies = |work: &dyn Fn() -> Tensor| launches(["strided_copy_f32"], work);
    let ([none], part) = copies(&|| x.slice(1, 1, 3).unwrap().slice(1, 1, 2).unwrap());
    let ([one], across) = copies(&|| x.slice(2, 3, 2).unwrap());
    assert_eq!((none, one), (0, 1));
    let large = Tensor::zeros(&[2, 1 << 18], &device).unwrap();
    assert_eq!(
        copies(&|| large.slice(0, 1, 1).unwrap()).0,
        [1],
        "it would keep the other half alive"
    );
    // A part is a tensor like any other, also to kernels, and after the whole is gone.
    drop(x);
    assert_eq!(part.bytes(), 4 * 24);
    assert_eq!(part.to_vec::<f32>().unwrap(), values[24..48]);
    assert_eq!(part.neg().unwrap().neg().unwrap().to_vec::<f32>().unwrap(), values[24..48]);
    assert_eq!(across.to_vec::<f32>().unwrap()[..4], [3.0, 4.0, 15.0, 16.0]);
}

#[test]
fn emul_more_rows_than_threads_can_be_counted_are_refused() {
    let _turn = turn();
    let Some(cuda) = stand_in_cuda(0, &Options::default()) else { return };
    let upload = |n: usize| cuda.upload(HostData::F32(vec![1.0; n])).unwrap();
    // Repeated weights, so that the test needs no memory.
    let rows = 1 << 13;
    let (x, weight) = (upload(1), upload(rows));
    let x = Arg { storage: &x, shape: &[1, 1] };
    let weight = Arg { storage: &weight, shape: &[rows, 1] };
    let job = [x, weight, Arg { shape: &[rows], ..weight }];
    let table = |jobs: usize| {
        let gains = vec![AffineGains { weight: 1.0, bias: 1.0 }; jobs];
        cuda.eval(&Prim::Affines(gains), &job.repeat(jobs), &[jobs * rows])
    };
    assert!(table(2).is_ok());
    let error = gan_core::Error::to_string(&table((1 << 13) + 1).err().unwrap());
    assert!(error.contains("2^26"), "{error}");
}
