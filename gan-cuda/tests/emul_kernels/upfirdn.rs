use crate::harness::{Arg, SCALARS, Scalar, count, each, emulator, values};

/// Geometry in y and x.
#[derive(Clone, Copy)]
struct UpFirDn {
    planes: usize,
    input: [usize; 2],
    taps: [usize; 2],
    up: [usize; 2],
    down: [usize; 2],
    /// Before and after; negative to crop.
    pad: [[i64; 2]; 2],
}

impl UpFirDn {
    fn output(&self) -> [usize; 2] {
        [0, 1].map(|d| {
            let padded = (self.input[d] * self.up[d]) as i64 + self.pad[d][0] + self.pad[d][1];
            (padded as usize - self.taps[d]) / self.down[d] + 1
        })
    }

    fn arg(&self) -> Arg {
        let fields = [self.input, self.output(), self.taps, self.up, self.down];
        let mut words: Vec<u32> = fields.as_flattened().iter().map(|&w| w as u32).collect();
        words.extend(self.pad.map(|[before, _]| before as i32 as u32));
        Arg::Struct(words)
    }

    /// Straight from the definition: the pixel, if there is one, at a place of the padded axis with
    /// its inserted zeros.
    fn source(&self, d: usize, at: usize) -> Option<usize> {
        let inserted = usize::try_from(at as i64 - self.pad[d][0]).ok()?;
        let pixel = inserted / self.up[d];
        (inserted.is_multiple_of(self.up[d]) && pixel < self.input[d]).then_some(pixel)
    }

    fn expected(&self, x: &[f64], taps: &[f64]) -> Vec<f64> {
        let [oh, ow] = self.output();
        let [h, w] = self.input;
        (0..self.planes * oh * ow)
            .map(|i| {
                let (plane, oy, ox) = (i / ow / oh, i / ow % oh, i % ow);
                let mut sum = 0.0;
                for (t, tap) in taps.iter().enumerate() {
                    let (a, b) = (t / self.taps[1], t % self.taps[1]);
                    let row = self.source(0, oy * self.down[0] + a);
                    let column = self.source(1, ox * self.down[1] + b);
                    if let (Some(iy), Some(ix)) = (row, column) {
                        sum += tap * x[(plane * h + iy) * w + ix];
                    }
                }
                sum
            })
            .collect()
    }
}

const PLAIN: UpFirDn = UpFirDn {
    planes: 3,
    input: [9, 11],
    taps: [4, 4],
    up: [1, 1],
    down: [1, 1],
    pad: [[1, 2], [2, 1]],
};

const SMALL: [UpFirDn; 7] = [
    PLAIN,
    UpFirDn { up: [2, 2], pad: [[2, 1], [2, 1]], input: [17, 20], ..PLAIN },
    UpFirDn { down: [2, 2], input: [40, 71], ..PLAIN },
    UpFirDn {
        taps: [8, 8],
        down: [2, 2],
        pad: [[5, 4], [3, 7]],
        input: [64, 80],
        planes: 1,
        ..PLAIN
    },
    UpFirDn { taps: [1, 6], up: [1, 3], pad: [[0, 0], [-4, 5]], ..PLAIN },
    UpFirDn { taps: [3, 2], up: [2, 1], down: [1, 2], pad: [[-3, -2], [-1, 0]], ..PLAIN },
    UpFirDn { taps: [8, 8], up: [4, 4], pad: [[0, 0], [9, 9]], planes: 1, ..PLAIN },
];

#[test]
fn emul_upfirdn() {
    let Some(emulator) = emulator() else { return };
    let large = [
        UpFirDn { taps: [12, 12], up: [4, 4], down: [2, 2], pad: [[7, 6], [7, 6]], ..PLAIN },
        UpFirDn { down: [3, 5], pad: [[20, 0], [0, 20]], ..PLAIN },
    ];
    for scalar in SCALARS {
        for u in SMALL.into_iter().chain(large) {
            let x = values(u.planes * u.input[0] * u.input[1], scalar, 1);
            let taps = values(u.taps[0] * u.taps[1], Scalar::F32, 2);
            let expected = u.expected(&x, &taps);
            let n = expected.len();
            let (x, taps) = (emulator.upload(&x, scalar), emulator.upload(&taps, Scalar::F32));
            let args = |y| vec![x.arg(), taps.arg(), y, count(n), u.arg()];
            emulator.check(&scalar.name("upfirdn"), each(n), scalar, args, &expected);
        }
    }
}

#[test]
fn emul_upfirdn_tile() {
    let Some(emulator) = emulator() else { return };
    for scalar in SCALARS {
        for u in SMALL {
            let x = values(u.planes * u.input[0] * u.input[1], scalar, 3);
            let taps = values(u.taps[0] * u.taps[1], Scalar::F32, 4);
            let expected = u.expected(&x, &taps);
            let [oh, ow] = u.output();
            let (x, taps) = (emulator.upload(&x, scalar), emulator.upload(&taps, Scalar::F32));
            let args = |y| vec![x.arg(), taps.arg(), y, count(u.planes), u.arg()];
            let launch = [u.planes * oh.div_ceil(16) * ow.div_ceil(32), 256];
            emulator.check(&scalar.name("upfirdn_tile"), launch, scalar, args, &expected);
        }
    }
}
