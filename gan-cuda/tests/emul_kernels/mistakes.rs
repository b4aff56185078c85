//! Mistakes planted in copies of the kernels, one for each kind that the emulator is there to
//! catch.

use std::path::Path;

use crate::harness::{
    Arg, Buffer, Emulator, Failure, SCHEDULES, Scalar, Schedule, count, difference, strided, values,
};
use crate::support;

/// A kernel file, what is replaced in it, and by what.
const MISTAKES: [[&str; 3]; 8] = [
    // No barrier between writing a tile and reading it.
    ["upfirdn.cu", "    __syncthreads();\n", ""],
    // Copies that nobody waits for before the barrier.
    ["matmul.cu", "        wait_for_copies<1>();\n", ""],
    // Threads beyond the end.
    ["elementwise.cu", "    if (i >= n) return;\n    store(&y[i], unary", "    store(&y[i], unary"],
    // A write beside the right place.
    ["cast.cu", "store(&y[i]", "store(&y[i + 1]"],
    // A barrier to which only the first warp comes.
    ["reduction.cuh", "    __syncthreads();\n", "    if (threadIdx.x < 32) __syncthreads();\n"],
    // Lanes that have gone when their warp asks for them.
    ["styled.cu", "if (row >= rows) return;", "if (row >= rows || lane > 7) return;"],
    // A float where none can lie.
    ["shape.cu", "y[i] = x[offset + place(at, i)];", "y[i] = *(const T*)((const char*)x + 1);"],
    // A count that the PTX and the host give in 32 bits.
    ["bias_act.cu", "T* dx, unsigned n,", "T* dx, unsigned long long n,"],
];

/// An emulator with all of them; `None` where it cannot be built.
fn mistaken() -> Option<Emulator> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gan-cuda-mistakes");
    let kernels = folder.join("kernels");
    std::fs::create_dir_all(&kernels).expect("a folder");
    for entry in std::fs::read_dir(support::sources("kernels")).expect("the kernels") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_owned();
        let mut text = std::fs::read_to_string(&path).expect("a text");
        for [file, from, to] in MISTAKES.iter().filter(|[file, ..]| name == *file) {
            assert!(text.contains(from), "{file} has changed: plant the mistake elsewhere");
            text = text.replace(from, to);
        }
        std::fs::write(kernels.join(name), text).expect("written");
    }
    let driver = support::build(&folder, &kernels, &[])?;
    Some(Emulator::open(&driver))
}

/// The schedules under which a kernel fails or is wrong.
fn wrong_under(
    emulator: &Emulator,
    kernel: &str,
    grid: usize,
    expected: &[f64],
    args: impl Fn(Arg) -> Vec<Arg>,
) -> Vec<Schedule> {
    let wrong = |&schedule: &Schedule| {
        let out = (expected.len(), Scalar::F32);
        match emulator.result(kernel, [grid, 256], out, &args, schedule) {
            Ok(found) => difference(&found, expected, Scalar::F32).is_some(),
            Err(_) => true,
        }
    };
    SCHEDULES.into_iter().filter(wrong).collect()
}

fn failure(emulator: &Emulator, kernel: &str, launch: [usize; 2], args: &[Arg]) -> Failure {
    emulator.launch(kernel, launch, args, SCHEDULES[0]).expect_err(kernel)
}

#[test]
fn emul_planted_mistakes_are_caught() {
    let Some(emulator) = mistaken() else { return };
    let upload = |v: &[f64]| emulator.upload(v, Scalar::F32);
    let room = |n: usize| emulator.room(4 * n);
    let pair = |x: &Buffer<'_>, y: &Buffer<'_>| vec![x.arg(), y.arg()];

    // A single tap of 1 copies.
    let x = values(16 * 32, Scalar::F32, 1);
    let (dx, tap) = (upload(&x), upload(&[1.0]));
    let geometry = Arg::Struct(vec![16, 32, 16, 32, 1, 1, 1, 1, 1, 1, 0, 0]);
    let args = |y| vec![dx.arg(), tap.arg(), y, count(1), geometry.clone()];
    let wrong = wrong_under(&emulator, "upfirdn_tile_f32", 1, &x, args);
    assert!(!wrong.is_empty(), "a missing barrier");

    let (a, identity) = (values(16 * 16, Scalar::F32, 2), (0..256).map(|i| f64::from(i % 17 == 0)));
    let (da, db) = (upload(&a), upload(&identity.collect::<Vec<_>>()));
    let args = |y| {
        let mut args = vec![da.arg(), db.arg(), y];
        args.extend([1, 16, 16, 16].map(count));
        args.extend([Arg::Int(0), Arg::Int(0)]);
        args
    };
    let wrong = wrong_under(&emulator, "matmul_f32", 1, &a, args);
    assert_eq!(wrong.len(), SCHEDULES.len(), "a missing wait");

    let (x, y) = (upload(&[1.0; 5]), room(5));
    let mut args = pair(&x, &y);
    args.extend([count(5), Arg::Int(0), Arg::Float(0.0), Arg::Float(0.0)]);
    let illegal = failure(&emulator, "unary_f32", [1, 256], &args);
    assert!(illegal.code == 700 && illegal.message.contains("unary_f32"), "{illegal:?}");

    // One element too far stays within the slack that alignment leaves.
    let y = emulator.room(2 * 5);
    let mut args = pair(&x, &y);
    args.push(count(5));
    let beside = failure(&emulator, "cast_f32_f16", [1, 256], &args);
    assert!(beside.code == 700 && beside.message.contains("after an allocation"), "{beside:?}");

    let (x, y) = (upload(&[1.0; 256]), room(1));
    let mut args = pair(&x, &y);
    args.extend([count(1), count(256), strided(&[]), strided(&[(256, 1)])]);
    let hang = failure(&emulator, "sum_f32", [1, 64], &args);
    assert!(hang.code == 719 && hang.message.contains("has ended"), "{hang:?}");

    let mut job: Vec<u32> = [&x, &x, &y].iter().flat_map(|b| b.address()).collect();
    job.extend([0, 1, 8, 8, 1, 0]);
    let table = emulator.words(&job);
    let args = [table.arg(), count(1), count(1), count(1), Arg::Float(0.0)];
    let gone = failure(&emulator, "demod_table_f32", [1, 32], &args);
    assert!(gone.code == 719 && gone.message.contains("has ended"), "{gone:?}");

    let mut args = pair(&x, &y);
    args.extend([count(1), count(0), strided(&[])]);
    let misaligned = failure(&emulator, "strided_copy_f32", [1, 32], &args);
    assert_eq!(misaligned.code, 716, "{misaligned:?}");

    let mut args = vec![x.arg(), x.arg(), y.arg(), count(1), Arg::Int(0)];
    args.extend([1.0, 1.0, 1.0].map(Arg::Float));
    let size = failure(&emulator, "bias_act_grad_f32", [1, 32], &args);
    assert!(size.code == 1 && size.message.contains("size of arguments"), "{size:?}");
    // And the driver does not hand such a kernel out: its PTX is another's.
    let ptx = std::fs::read_to_string(support::sources("ptx").join("bias_act.ptx")).unwrap();
    assert_eq!(emulator.load(&ptx, "bias_act_grad_f32"), 200);
    assert_eq!(emulator.load(&ptx, "bias_act_f32"), 0);
}
