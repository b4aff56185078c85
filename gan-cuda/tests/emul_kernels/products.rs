use crate::harness::{Arg, Emulator, SCALARS, Scalar, count, each, emulator, values};

fn matmul(emulator: &Emulator, scalar: Scalar, [batch, m, n, k]: [usize; 4], trans: [bool; 2]) {
    let (a, b) = (values(batch * m * k, scalar, 1), values(batch * k * n, scalar, 2));
    let a_at = |i, r, c| if trans[0] { (i * k + c) * m + r } else { (i * m + r) * k + c };
    let b_at = |i, r, c| if trans[1] { (i * n + c) * k + r } else { (i * k + r) * n + c };
    let expected: Vec<f64> = (0..batch * m * n)
        .map(|y| {
            let (i, r, c) = (y / n / m, y / n % m, y % n);
            (0..k).map(|d| a[a_at(i, r, d)] * b[b_at(i, d, c)]).sum()
        })
        .collect();
    let [a, b] = [&a, &b].map(|v| emulator.upload(v, scalar));
    let args = |y| {
        let mut args = vec![a.arg(), b.arg(), y];
        args.extend([batch, m, n, k].map(count));
        args.extend(trans.map(|t| Arg::Int(i32::from(t))));
        args
    };
    let launch = [batch * m.div_ceil(16) * n.div_ceil(16), 256];
    emulator.check(&scalar.name("matmul"), launch, scalar, args, &expected);
}

#[test]
fn emul_matmul() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for trans in [[false, false], [true, false], [false, true], [true, true]] {
            for size in [[1, 16, 16, 16], [2, 5, 37, 50], [3, 33, 1, 1], [1, 20, 17, 64]] {
                matmul(emulator, scalar, size, trans);
            }
        }
    }
}

/// A convolution's geometry, as the kernels take it.
struct Conv {
    images: usize,
    channels: [usize; 2],
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 2],
    groups: usize,
}

impl Conv {
    fn output(&self) -> [usize; 2] {
        [0, 1].map(|d| (self.input[d] + 2 * self.pad[d] - self.kernel[d]) / self.stride[d] + 1)
    }

    /// Numbers of elements of `x`, `w`, `y`.
    fn sizes(&self) -> [usize; 3] {
        let [ci, co] = self.channels;
        let area = |s: [usize; 2]| s[0] * s[1];
        let x = self.images * ci * area(self.input);
        [x, co * ci / self.groups * area(self.kernel), self.images * co * area(self.output())]
    }

    fn arg(&self) -> Arg {
        let [ci, co] = self.channels;
        let ([h, w], [oh, ow]) = (self.input, self.output());
        let mut words = vec![self.images, ci, h, w, co, oh, ow];
        words.extend([self.kernel, self.stride, self.pad].as_flattened());
        words.push(self.groups);
        Arg::Struct(words.into_iter().map(|w| w as u32).collect())
    }

    /// Calls `f` with the places in `x`, `w` and `y` of every product.
    fn each_product(&self, mut f: impl FnMut(usize, usize, usize)) {
        let [ci, co] = self.channels;
        let ([h, w], [kh, kw], [oh, ow]) = (self.input, self.kernel, self.output());
        let (group_in, group_out) = (ci / self.groups, co / self.groups);
        for y in 0..self.images * co * oh * ow {
            let (n, o, oy, ox) = (y / ow / oh / co, y / ow / oh % co, y / ow % oh, y % ow);
            for t in 0..group_in * kh * kw {
                let (c, ky, kx) = (t / kw / kh, t / kw % kh, t % kw);
                let iy = (oy * self.stride[0] + ky).wrapping_sub(self.pad[0]);
                let ix = (ox * self.stride[1] + kx).wrapping_sub(self.pad[1]);
                if iy < h && ix < w {
                    let i = o / group_out * group_in + c;
                    f(((n * ci + i) * h + iy) * w + ix, o * group_in * kh * kw + t, y);
                }
            }
        }
    }
}

fn convolutions() -> [Conv; 5] {
    let plain = |images, channels, input, kernel| Conv {
        images,
        channels,
        input,
        kernel: [kernel; 2],
        stride: [1, 1],
        pad: [kernel / 2; 2],
        groups: 1,
    };
    [
        plain(2, [5, 3], [6, 7], 3),
        plain(1, [17, 4], [5, 5], 1),
        Conv { stride: [2, 2], pad: [0, 0], ..plain(2, [3, 4], [9, 8], 3) },
        Conv { groups: 3, stride: [1, 2], ..plain(1, [6, 9], [4, 6], 3) },
        Conv { kernel: [2, 4], stride: [3, 2], pad: [1, 3], ..plain(1, [2, 2], [7, 5], 1) },
    ]
}

#[test]
fn emul_conv2d() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for conv in convolutions() {
            let [nx, nw, ny] = conv.sizes();
            let (x, w) = (values(nx, scalar, 3), values(nw, scalar, 4));
            let mut expected = vec![0.0; ny];
            conv.each_product(|i, t, o| expected[o] += x[i] * w[t]);
            let [x, w] = [&x, &w].map(|v| emulator.upload(v, scalar));
            let args = |y| vec![x.arg(), w.arg(), y, count(ny), conv.arg()];
            emulator.check(&scalar.name("conv2d"), each(ny), scalar, args, &expected);
        }
    }
}

#[test]
fn emul_conv_input() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for conv in convolutions() {
            let [nx, nw, ny] = conv.sizes();
            let (g, w) = (values(ny, scalar, 5), values(nw, scalar, 6));
            let mut expected = vec![0.0; nx];
            conv.each_product(|i, t, o| expected[i] += g[o] * w[t]);
            let [g, w] = [&g, &w].map(|v| emulator.upload(v, scalar));
            let args = |x| vec![g.arg(), w.arg(), x, count(nx), conv.arg()];
            emulator.check(&scalar.name("conv_input"), each(nx), scalar, args, &expected);
        }
    }
}

#[test]
fn emul_conv_weight() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for conv in convolutions() {
            let [nx, nw, ny] = conv.sizes();
            let (x, g) = (values(nx, scalar, 7), values(ny, scalar, 8));
            let mut expected = vec![0.0; nw];
            conv.each_product(|i, t, o| expected[t] += x[i] * g[o]);
            let [x, g] = [&x, &g].map(|v| emulator.upload(v, scalar));
            let args = |w| vec![x.arg(), g.arg(), w, count(nw), conv.arg()];
            for threads in [32, 128] {
                emulator.check(&scalar.name("conv_weight"), [nw, threads], scalar, args, &expected);
            }
        }
    }
}
