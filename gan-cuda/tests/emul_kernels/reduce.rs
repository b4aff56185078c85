use crate::harness::{SCALARS, count, each, emulator, place, strided, values};

/// What is kept and what is reduced of an array.
type Axes = &'static [(usize, usize)];

/// A reduction's name, what it starts from, and how it combines.
type Reduction = (&'static str, f64, fn(f64, f64) -> f64);

const CASES: [(Axes, Axes); 5] = [
    // [4, 3, 70]: the last axis, the first and last, all, and none.
    (&[(12, 70)], &[(70, 1)]),
    (&[(3, 70)], &[(4, 210), (70, 1)]),
    (&[], &[(840, 1)]),
    (&[(840, 1)], &[]),
    (&[(70, 1)], &[(12, 70)]),
];

fn len(axes: Axes) -> usize {
    axes.iter().map(|a| a.0).product()
}

#[test]
fn emul_sum_and_max() {
    let Some(emulator) = emulator() else { return };
    let reductions: [Reduction; 2] = [
        ("sum", 0.0, |a, b| a + b),
        ("max", f64::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a }),
    ];
    for scalar in SCALARS {
        for (name, identity, combine) in reductions {
            for (kept, reduced) in CASES {
                let mut x = values(840, scalar, 1);
                if name == "max" {
                    x[100] = f64::NAN;
                }
                let (n, m) = (len(kept), len(reduced));
                let expected: Vec<f64> = (0..n)
                    .map(|i| {
                        let value = |j| x[place(kept, i) + place(reduced, j)];
                        (0..m).map(value).fold(identity, combine)
                    })
                    .collect();
                let x = emulator.upload(&x, scalar);
                let args =
                    |y| vec![x.arg(), y, count(n), count(m), strided(kept), strided(reduced)];
                for threads in [32, 64, 256] {
                    emulator.check(&scalar.name(name), [n, threads], scalar, args, &expected);
                }
                let few = scalar.name(&format!("{name}_few"));
                emulator.check(&few, each(n), scalar, args, &expected);
            }
        }
    }
}
