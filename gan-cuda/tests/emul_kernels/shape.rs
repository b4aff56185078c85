use crate::harness::{SCALARS, count, each, emulator, place, strided, values};

#[test]
fn emul_strided_copy() {
    let Some(emulator) = emulator() else { return };
    // Of an array [6, 5, 8]: all of it, axes reversed, a slice, repeated, and as many axes as there
    // may be.
    let cases: [(usize, &[(usize, usize)]); 5] = [
        (0, &[(240, 1)]),
        (0, &[(8, 1), (5, 8), (6, 40)]),
        (83, &[(3, 40), (2, 8), (5, 1)]),
        (7, &[(4, 0), (6, 40), (9, 0)]),
        (0, &[(2, 120), (3, 40), (1, 0), (5, 8), (2, 4), (2, 2), (2, 1), (2, 0)]),
    ];
    for scalar in SCALARS {
        let x = values(240, scalar, 1);
        for (offset, axes) in cases {
            let n = axes.iter().map(|a| a.0).product();
            let expected: Vec<f64> = (0..n).map(|i| x[offset + place(axes, i)]).collect();
            let x = emulator.upload(&x, scalar);
            let args = |y| vec![x.arg(), y, count(n), count(offset), strided(axes)];
            emulator.check(&scalar.name("strided_copy"), each(n), scalar, args, &expected);
        }
    }
}

#[test]
fn emul_pad() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for [outer, inner, before, len_in, after] in
            [[3, 4, 2, 5, 1], [1, 1, 0, 300, 7], [9, 5, 3, 1, 0]]
        {
            let len_out = before + len_in + after;
            let n = outer * len_out * inner;
            let x = values(outer * len_in * inner, scalar, 2);
            let expected: Vec<f64> = (0..n)
                .map(|i| {
                    let (o, at, r) = (i / inner / len_out, i / inner % len_out, i % inner);
                    let inside = at >= before && at < before + len_in;
                    if inside { x[(o * len_in + at - before) * inner + r] } else { 0.0 }
                })
                .collect();
            let x = emulator.upload(&x, scalar);
            let args = |y| {
                let mut args = vec![x.arg(), y];
                args.extend([n, inner, before, len_in, len_out].map(count));
                args
            };
            emulator.check(&scalar.name("pad"), each(n), scalar, args, &expected);
        }
    }
}

#[test]
fn emul_concat_part() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        let [outer, inner, before, len_in, len_out] = [3, 4, 2, 5, 9];
        let n = outer * len_in * inner;
        let x = values(n, scalar, 3);
        // What another part writes stays as it was.
        let mut expected = vec![f64::NAN; outer * len_out * inner];
        for (i, &value) in x.iter().enumerate() {
            let (o, at, r) = (i / inner / len_in, i / inner % len_in, i % inner);
            expected[(o * len_out + before + at) * inner + r] = value;
        }
        let x = emulator.upload(&x, scalar);
        let args = |y| {
            let mut args = vec![x.arg(), y];
            args.extend([n, inner, before, len_in, len_out].map(count));
            args
        };
        emulator.check(&scalar.name("concat_part"), each(n), scalar, args, &expected);
    }
}

#[test]
fn emul_gather() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        let [outer, inner, len_in] = [3, 50, 6];
        let index = [5usize, 0, 0, 3, 5, 1, 2];
        let n = outer * index.len() * inner;
        let x = values(outer * len_in * inner, scalar, 4);
        let expected: Vec<f64> = (0..n)
            .map(|i| {
                let (o, k, r) = (i / inner / index.len(), i / inner % index.len(), i % inner);
                x[(o * len_in + index[k]) * inner + r]
            })
            .collect();
        let (x, list) = (emulator.upload(&x, scalar), emulator.words(&index.map(|i| i as u32)));
        let args = |y| {
            let mut args = vec![x.arg(), list.arg(), y];
            args.extend([n, inner, len_in, index.len()].map(count));
            args
        };
        emulator.check(&scalar.name("gather"), each(n), scalar, args, &expected);
    }
}

#[test]
fn emul_scatter_add() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        let [outer, inner, len_out] = [2, 70, 5];
        let index = [4usize, 0, 0, 3, 4, 4, 0];
        let x = values(outer * index.len() * inner, scalar, 5);
        let n = outer * len_out * inner;
        let mut expected = vec![0.0; n];
        for (i, &value) in x.iter().enumerate() {
            let (o, k, r) = (i / inner / index.len(), i / inner % index.len(), i % inner);
            expected[(o * len_out + index[k]) * inner + r] += value;
        }
        let (mut start, mut entries) = (vec![0u32], Vec::new());
        for k in 0..len_out {
            entries.extend((0..index.len()).filter(|&e| index[e] == k).map(|e| e as u32));
            start.push(entries.len() as u32);
        }
        let x = emulator.upload(&x, scalar);
        let (start, entries) = (emulator.words(&start), emulator.words(&entries));
        let args = |y| {
            let mut args = vec![x.arg(), start.arg(), entries.arg(), y];
            args.extend([n, inner, index.len(), len_out].map(count));
            args
        };
        emulator.check(&scalar.name("scatter_add"), each(n), scalar, args, &expected);
    }
}
