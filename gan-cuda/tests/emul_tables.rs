//! Job tables on the stand-in driver: all affine layers, and all demodulations, of a network at once.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unreachable_pub, dead_code, unsafe_code)]

#[path = "support/device.rs"]
mod device;
mod support;
#[path = "support/tables.rs"]
mod tables;
#[path = "../../gan-core/tests/operators/values.rs"]
mod values;

use std::sync::{Mutex, PoisonError};

use device::stand_in_cuda;
use gan_core::backend::{Arg, DType};
use gan_cuda::{Affine, Cuda, Demodulation, Options};
use tables::Operand;

/// One for each type of storage.
fn devices() -> Vec<Cuda> {
    let with = |dtype| stand_in_cuda(0, &Options { dtype, ..Options::default() });
    [DType::F32, DType::F16, DType::BF16].into_iter().filter_map(with).collect()
}

/// Launches of a kernel while `work` is done; the tests of this file take turns.
fn launches(kernel: &str, work: impl FnOnce()) -> u64 {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = support::launches(kernel);
    work();
    support::launches(kernel) - before
}

#[test]
fn emul_all_affines_are_one_launch() {
    for cuda in devices() {
        // One for each of two batches.
        assert_eq!(launches("affine_table_f32", || tables::affines(&cuda)), 2);
    }
}

#[test]
fn emul_all_demodulations_are_one_launch_over_precomputed_squares() {
    for cuda in devices() {
        assert_eq!(launches("demod_table_f32", || tables::demodulations(&cuda)), 2);
    }
}

#[test]
fn emul_jobs_that_do_not_fit_are_refused() {
    let Some(cuda) = stand_in_cuda(0, &Options::default()) else { return };
    let new = |shape: &[usize]| Operand::new(&cuda, shape, 1).unwrap();
    let (weight, style, batch) = (new(&[4, 6]), new(&[2, 6]), new(&[3, 6]));
    let (narrow, bias) = (new(&[2, 5]), new(&[6]));
    let job = |style| Demodulation { weight2: weight.arg(), style };
    assert!(cuda.demodulations(&[], 1e-8).unwrap().is_empty());
    let fits = || assert!(cuda.demodulations(&[job(style.arg())], 1e-8).is_ok());
    assert_eq!(launches("demod_table_f32", fits), 1);
    assert!(cuda.demodulations(&[job(style.arg()), job(batch.arg())], 1e-8).is_err());
    assert!(cuda.demodulations(&[job(narrow.arg())], 1e-8).is_err());
    assert!(cuda.demodulations(&[job(Arg { shape: &[4, 6], ..style.arg() })], 1e-8).is_err());
    assert!(cuda.square_sum(Arg { shape: &[24], ..weight.arg() }, false).is_err());
    let affine =
        |x, bias| Affine { weight: weight.arg(), bias, x, weight_gain: 1.0, bias_gain: 1.0 };
    let fits = || assert!(cuda.affines(&[affine(style.arg(), None)]).is_ok());
    assert_eq!(launches("affine_table_f32", fits), 1);
    assert!(cuda.affines(&[affine(style.arg(), Some(style.arg()))]).is_err());
    assert!(cuda.affines(&[affine(weight.arg(), Some(bias.arg()))]).is_err());
}
