//! One table of operators for every test of them; adding an operator means adding a row.

#[path = "many.rs"]
mod many;
#[path = "unfused.rs"]
mod unfused;

use gan_core::backend::{Activation, BiasAct, Conv, Filter, StyledConv, UpFirDn};
use gan_core::{Device, Order, Result, Tensor, grad, nn};

use crate::values::{signed, uniform};

pub(crate) type Operator = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// An operator with shapes for its inputs.
pub(crate) struct Row {
    pub(crate) name: String,
    shapes: Vec<Vec<usize>>,
    domain: Domain,
    pub(crate) scope: Scope,
    pub(crate) f: Operator,
}

/// Where the inputs lie.
#[derive(Clone, Copy)]
pub(crate) enum Domain {
    /// Both signs, away from zero.
    Signed,
    /// From 0.5 to 2, for roots, logarithms and divisors.
    Positive,
    /// These.
    Given(&'static [f64]),
}

/// Which tests a row takes part in.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Scope {
    /// Values only: there is no gradient.
    Forward,
    /// Also gradients of the CPU against those of the reference: too large, or with kinks at these inputs, for
    /// finite differences.
    Compared,
    /// Also finite differences of first and second order.
    Differentiated,
}

fn row<S: AsRef<[usize]>>(
    name: impl Into<String>,
    shapes: &[S],
    f: impl Fn(&[Tensor]) -> Result<Tensor> + 'static,
) -> Row {
    Row {
        name: name.into(),
        shapes: shapes.iter().map(|s| s.as_ref().to_vec()).collect(),
        domain: Domain::Signed,
        scope: Scope::Differentiated,
        f: Box::new(f),
    }
}

impl Row {
    fn positive(self) -> Self {
        Row { domain: Domain::Positive, ..self }
    }

    fn at(self, values: &'static [f64]) -> Self {
        Row { domain: Domain::Given(values), ..self }
    }

    fn forward(self) -> Self {
        Row { scope: Scope::Forward, ..self }
    }

    fn compared(self) -> Self {
        Row { scope: Scope::Compared, ..self }
    }

    pub(crate) fn inputs(&self, device: &Device) -> Vec<Tensor> {
        let seed = |i: usize| {
            self.name
                .bytes()
                .fold(i as u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
        };
        let values = |i: usize, n: usize| match self.domain {
            Domain::Signed => signed(n, seed(i)),
            Domain::Positive => uniform(n, seed(i)).iter().map(|u| 0.5 + 1.5 * u).collect(),
            Domain::Given(values) => values.to_vec(),
        };
        let input = |(i, shape): (usize, &Vec<usize>)| {
            tensor(&values(i, shape.iter().product()), shape, device)
        };
        self.shapes.iter().enumerate().map(input).collect::<Result<_>>().unwrap()
    }
}

fn tensor(values: &[f64], shape: &[usize], device: &Device) -> Result<Tensor> {
    Tensor::new(values, shape, device)
}

/// All rows.
pub(crate) fn table() -> Vec<Row> {
    let mut rows = elementwise();
    rows.extend(reductions());
    rows.extend(shapes());
    rows.extend(products());
    rows.extend(convolutions());
    rows.extend(resampling());
    rows.extend(layers());
    rows.extend(many::rows());
    rows.extend(unfused::rows());
    rows
}

fn elementwise() -> Vec<Row> {
    type Unary = fn(&Tensor) -> Result<Tensor>;
    let mut rows = Vec::new();

    let signed: [(&str, Unary); 10] = [
        ("neg", Tensor::neg),
        ("recip", Tensor::recip),
        ("exp", Tensor::exp),
        ("tanh", Tensor::tanh),
        ("sigmoid", Tensor::sigmoid),
        ("softplus", Tensor::softplus),
        ("square", Tensor::square),
        ("affine", |x| x.affine(-1.5, 0.25)),
        ("scale", |x| x.scale(3.0)),
        ("constant affine", |x| x.affine(0.0, 2.0)),
    ];
    for (name, f) in signed {
        for shape in SHAPES {
            rows.push(row(format!("{name} {shape:?}"), &[shape], move |x| f(&x[0])));
        }
    }
    let positive: [(&str, Unary); 3] =
        [("ln", Tensor::ln), ("sqrt", Tensor::sqrt), ("rsqrt", Tensor::rsqrt)];
    for (name, f) in positive {
        for shape in SHAPES {
            rows.push(row(format!("{name} {shape:?}"), &[shape], move |x| f(&x[0])).positive());
        }
    }
    let saturating: [(&str, Unary); 3] =
        [("tanh", Tensor::tanh), ("sigmoid", Tensor::sigmoid), ("softplus", Tensor::softplus)];
    for (name, f) in saturating {
        let far = &[-90.0, -30.0, -12.0, -5.0, -0.5, 0.0, 0.5, 5.0, 12.0, 30.0, 90.0];
        rows.push(row(format!("{name} far out"), &[[11]], move |x| f(&x[0])).at(far));
    }
    rows.push(
        row("exp far out", &[[4]], |x| x[0].exp()).at(&[-80.0, -20.0, 20.0, 80.0]).compared(),
    );
    for shape in SHAPES {
        rows.push(row(format!("step {shape:?}"), &[shape], |x| x[0].step()).forward());
        rows.push(row(format!("clamp {shape:?}"), &[shape], |x| x[0].clamp_symmetric(1.0)));
        rows.push(row(format!("select {shape:?}"), &[shape, shape], |x| {
            let mask = signed_like(&x[0], 5)?.step()?;
            x[0].select(&mask, &x[1])
        }));
    }
    rows.push(row("step at zero", &[[3]], |x| x[0].step()).at(&[-0.0, 0.0, 1e-30]).forward());
    rows.push(
        row("select large", &[[40_009]; 2], |x| x[0].select(&x[1].step()?, &x[1])).compared(),
    );
    rows.push(
        row("long chain", &[[40_009]], |x| x[0].tanh()?.exp()?.softplus()?.sqrt()).compared(),
    );

    type BinaryOp = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let binary: [(&str, BinaryOp); 3] =
        [("add", Tensor::add), ("sub", Tensor::sub), ("mul", Tensor::mul)];
    for (a, b) in BROADCASTS {
        for (x, y) in [(a, b), (b, a)] {
            for (name, f) in binary {
                rows.push(row(format!("{name} {x:?} {y:?}"), &[x, y], move |x| f(&x[0], &x[1])));
            }
            rows.push(row(format!("div {x:?} {y:?}"), &[x, y], |x| x[0].div(&x[1])).positive());
            let equal = |x: &[Tensor]| x[0].step()?.equal(&x[1].step()?);
            rows.push(row(format!("equal {x:?} {y:?}"), &[x, y], equal).forward());
        }
    }
    let large: [[&[usize]; 2]; 8] = [
        [&[40_009], &[40_009]],
        [&[2, 20_011], &[20_011]],
        [&[2, 20_011], &[2, 1]],
        [&[2, 19, 23, 29], &[2, 19, 23, 29]],
        [&[2, 19, 23, 29], &[19, 1, 1]],
        [&[2, 19, 23, 29], &[2, 19, 1, 1]],
        [&[2, 1, 23, 29], &[2, 19, 23, 1]],
        [&[67, 131], &[131]],
    ];
    for shapes in large {
        rows.push(row(format!("mul {shapes:?}"), &shapes, |x| x[0].mul(&x[1])).compared());
    }
    rows.push(row("mul with itself", &[[2, 3]], |x| x[0].mul(&x[0])));
    rows.push(row("div by itself", &[[2, 3]], |x| x[0].div(&x[0])));
    rows.push(row("sub from itself", &[[2, 3]], |x| x[0].sub(&x[0])));
    rows
}

const SHAPES: [&[usize]; 6] = [&[], &[1], &[37], &[3, 7], &[2, 1, 3, 5], &[1, 2, 3, 1, 2]];

const BROADCASTS: [(&[usize], &[usize]); 12] = [
    (&[], &[]),
    (&[], &[2, 3]),
    (&[1], &[5]),
    (&[2, 3, 5], &[2, 3, 5]),
    (&[2, 3, 5], &[5]),
    (&[2, 3, 5], &[3, 1]),
    (&[2, 1, 5], &[3, 1]),
    (&[2, 3, 2, 3], &[3, 1, 1]),
    (&[2, 3, 2, 3], &[2, 3, 1, 1]),
    (&[2, 3, 2, 3], &[2, 1, 2, 3]),
    (&[2, 1, 3, 1], &[1, 2, 1, 5]),
    (&[2, 1, 2, 1, 3], &[3, 1, 2, 1]),
];

fn reductions() -> Vec<Row> {
    let mut rows = Vec::new();
    let cases: [(&[usize], &[usize]); 17] = [
        (&[], &[]),
        (&[1], &[0]),
        (&[37], &[0]),
        (&[3, 7], &[]),
        (&[3, 7], &[0]),
        (&[3, 7], &[1]),
        (&[3, 7], &[1, 0]),
        (&[3, 7], &[1, 1]),
        (&[1, 5, 1], &[0, 2]),
        (&[2, 3, 5], &[1]),
        (&[2, 3, 2, 5], &[2, 3]),
        (&[2, 3, 2, 5], &[0, 2, 3]),
        (&[2, 3, 2, 5], &[0, 2]),
        (&[2, 3, 2, 5], &[1, 3]),
        (&[2, 3, 2, 5], &[1]),
        (&[2, 3, 2, 5], &[0, 1, 2, 3]),
        (&[2, 1, 3, 2, 2], &[1, 2, 4]),
    ];
    for (shape, axes) in cases {
        let name = |op: &str| format!("{op} {shape:?} over {axes:?}");
        rows.push(row(name("sum"), &[shape], move |x| x[0].sum(axes)));
        rows.push(row(name("mean"), &[shape], move |x| x[0].mean(axes)));
        rows.push(row(name("max"), &[shape], move |x| x[0].max(axes)));
        rows.push(row(name("sum of squares"), &[shape], move |x| x[0].square()?.sum(axes)));
    }
    let large: [(&[usize], &[usize]); 7] = [
        (&[3, 20_011], &[0]),
        (&[3, 5, 4001], &[1]),
        (&[2, 19, 23, 29], &[2, 3]),
        (&[2, 19, 23, 29], &[0, 2, 3]),
        (&[2, 19, 23, 29], &[1]),
        (&[67, 131], &[0]),
        (&[40_009], &[0]),
    ];
    for (shape, axes) in large {
        // Positive: a sum that cancels has no relative accuracy.
        let name = |op: &str| format!("{op} {shape:?} over {axes:?}");
        rows.push(row(name("sum"), &[shape], move |x| x[0].sum(axes)).positive().compared());
        rows.push(row(name("max"), &[shape], move |x| x[0].max(axes)).compared());
    }
    rows.push(row("sum_all", &[[2, 3, 5]], |x| x[0].sum_all()));
    rows.push(row("mean_all", &[[2, 3, 5]], |x| x[0].mean_all()));
    let ties = &[1.0, 3.0, 3.0, -2.0, -2.0, -2.0, 0.0, -1.0, 0.0];
    rows.push(row("max with ties", &[[3, 3]], |x| x[0].max(&[1])).at(ties).compared());
    rows
}

fn shapes() -> Vec<Row> {
    let mut rows = Vec::new();
    let reshapes: [(&[usize], &[usize]); 5] = [
        (&[], &[1, 1]),
        (&[1, 1], &[]),
        (&[2, 3, 5], &[6, 5]),
        (&[6], &[1, 2, 1, 3]),
        (&[5, 3], &[3, 5]),
    ];
    for (from, to) in reshapes {
        // A factor, so that the second derivative is not that of a constant.
        rows.push(row(format!("reshape {from:?} {to:?}"), &[from], move |x| {
            x[0].square()?.reshape(to)
        }));
    }
    let expands: [(&[usize], &[usize]); 8] = [
        (&[], &[]),
        (&[1], &[7]),
        (&[1, 1], &[3, 5]),
        (&[3, 1], &[3, 5]),
        (&[1, 5], &[3, 5]),
        (&[2, 1, 3], &[2, 5, 3]),
        (&[1, 3, 1, 1], &[2, 3, 2, 5]),
        (&[1, 2, 1, 3, 1], &[2, 2, 3, 3, 2]),
    ];
    for (from, to) in expands {
        rows.push(row(format!("expand {from:?} {to:?}"), &[from], move |x| x[0].expand(to)));
    }
    rows.push(row("expand large", &[[1]], |x| x[0].expand(&[40_009])).compared());
    rows.push(row("expand large", &[[2, 19, 1, 1]], |x| x[0].expand(&[2, 19, 23, 29])).compared());
    rows.push(row("expand large", &[[2, 1, 23, 1]], |x| x[0].expand(&[2, 19, 23, 29])).compared());
    let permutes: [(&[usize], &[usize]); 11] = [
        (&[], &[]),
        (&[7], &[0]),
        (&[3, 7], &[0, 1]),
        (&[3, 7], &[1, 0]),
        (&[2, 3, 5], &[0, 2, 1]),
        (&[2, 3, 5], &[2, 0, 1]),
        (&[2, 3, 5], &[1, 2, 0]),
        (&[2, 3, 1, 5], &[0, 2, 3, 1]),
        (&[2, 3, 1, 5], &[1, 0, 2, 3]),
        (&[2, 3, 2, 5], &[3, 1, 2, 0]),
        (&[2, 1, 3, 2, 2], &[4, 2, 0, 1, 3]),
    ];
    for (shape, axes) in permutes {
        rows.push(row(format!("permute {shape:?} {axes:?}"), &[shape], move |x| {
            x[0].permute(axes)
        }));
    }
    rows.push(row("permute large", &[[67, 131]], |x| x[0].permute(&[1, 0])).compared());
    rows.push(row("permute large", &[[2, 19, 23, 29]], |x| x[0].permute(&[0, 2, 3, 1])).compared());

    for (axis, start, len) in [(0, 1, 1), (1, 0, 2), (1, 2, 1), (2, 1, 3), (2, 4, 1), (2, 0, 5)] {
        let name = |op: &str| format!("{op} axis {axis} {start} {len}");
        rows.push(row(name("slice"), &[[2, 3, 5]], move |x| x[0].slice(axis, start, len)));
        rows.push(row(name("pad"), &[[2, 3, 5]], move |x| x[0].pad(axis, start, len)));
    }
    rows.push(row("pad by nothing", &[[3]], |x| x[0].pad(0, 0, 0)));
    for axis in 0..3 {
        let name = |op: &str| format!("{op} axis {axis}");
        let mut parts = [[2, 3, 5]; 3];
        (parts[1][axis], parts[2][axis]) = (1, 4);
        rows.push(row(name("concat"), &parts, move |x| {
            Tensor::concat(&[&x[0], &x[1], &x[2]], axis)
        }));
        let twice = move |x: &[Tensor]| Tensor::concat(&[&x[0], &x[0]], axis);
        rows.push(row(name("concat with itself"), &[[2, 3, 5]], twice));
        rows.push(row(name("concat of one"), &[[2, 3, 5]], move |x| {
            Tensor::concat(&[&x[0]], axis)
        }));
        rows.push(row(name("flip"), &[[2, 3, 5]], move |x| x[0].flip(axis)));
        let index = [1, 0, 0, 1, 1, 1, 0];
        rows.push(row(name("gather"), &[[2, 3, 5]], move |x| x[0].gather(axis, &index)));
        let mut scattered = [2, 3, 5];
        scattered[axis] = index.len();
        rows.push(row(name("scatter_add"), &[scattered], move |x| {
            let mut shape = x[0].shape().to_vec();
            shape[axis] = 3;
            adjoint(&shape, &x[0], &|y| y.gather(axis, &index))
        }));
    }
    rows.push(row("gather of a vector", &[[5]], |x| x[0].gather(0, &[4, 4, 0])));
    rows
}

fn products() -> Vec<Row> {
    let mut rows = Vec::new();
    let sizes = [[1, 1, 1], [1, 5, 1], [3, 1, 2], [1, 3, 7], [2, 7, 1], [3, 5, 7], [5, 2, 3]];
    let large = [[67, 131, 97], [1, 513, 37], [129, 17, 1], [13, 300, 64]];
    for ([m, k, n], scope) in sizes
        .map(|s| (s, Scope::Differentiated))
        .into_iter()
        .chain(large.map(|s| (s, Scope::Compared)))
    {
        let name = |op: &str| format!("{op} {m} {k} {n}");
        let cases = [
            row(name("matmul"), &[[m, k], [k, n]], |x| x[0].matmul(&x[1])),
            row(name("matmul_t"), &[[m, k], [n, k]], |x| x[0].matmul_t(&x[1])),
            row(name("batched matmul"), &[[3, m, k], [3, k, n]], |x| x[0].matmul(&x[1])),
            row(name("batched matmul_t"), &[[2, m, k], [2, n, k]], |x| x[0].matmul_t(&x[1])),
            // The product whose first argument is transposed has no method; it is a gradient.
            row(name("transposed matmul"), &[[k, m], [k, n]], move |x| {
                adjoint(&[m, n], &x[1], &|y| x[0].matmul(y))
            }),
        ];
        rows.extend(cases.map(|r| Row { scope, ..r }));
    }
    rows.push(row("matmul with itself", &[[3, 3]], |x| x[0].matmul(&x[0])));
    rows.push(row("gram matrix", &[[3, 5]], |x| x[0].matmul_t(&x[0])));
    rows
}

/// `x [n, ci, h, w]`, `w [co, ci/groups, kh, kw]`, stride, padding, groups.
type Geometry = ([usize; 4], [usize; 4], [usize; 2], [usize; 2], usize);

const SMALL_CONVS: [Geometry; 18] = [
    ([1, 1, 1, 1], [1, 1, 1, 1], [1, 1], [0, 0], 1),
    ([2, 3, 2, 3], [4, 3, 1, 1], [1, 1], [0, 0], 1),
    ([2, 3, 4, 5], [2, 3, 3, 3], [1, 1], [1, 1], 1),
    ([1, 2, 5, 3], [3, 2, 3, 3], [1, 1], [0, 0], 1),
    ([1, 1, 7, 5], [1, 1, 3, 1], [1, 1], [1, 0], 1),
    ([2, 2, 3, 6], [3, 2, 1, 3], [1, 2], [0, 1], 1),
    ([1, 2, 5, 7], [2, 2, 3, 3], [2, 2], [1, 1], 1),
    ([1, 2, 6, 6], [2, 2, 3, 3], [2, 2], [0, 0], 1),
    ([1, 2, 7, 8], [2, 2, 2, 3], [3, 2], [1, 2], 1),
    ([2, 2, 5, 5], [3, 2, 1, 1], [2, 3], [0, 0], 1),
    ([1, 1, 5, 5], [2, 1, 5, 5], [1, 1], [0, 0], 1),
    ([1, 1, 4, 3], [1, 1, 5, 7], [1, 1], [2, 3], 1),
    ([1, 1, 2, 2], [1, 1, 2, 2], [1, 1], [3, 2], 1),
    ([1, 1, 2, 3], [2, 1, 2, 1], [3, 3], [4, 5], 1),
    ([2, 4, 3, 3], [6, 2, 3, 3], [1, 1], [1, 1], 2),
    ([1, 3, 4, 5], [3, 1, 3, 3], [1, 1], [1, 1], 3),
    ([1, 3, 5, 4], [6, 1, 2, 3], [2, 1], [0, 1], 3),
    ([1, 4, 2, 3], [4, 1, 1, 1], [1, 1], [0, 0], 4),
];

const LARGE_CONVS: [Geometry; 19] = [
    ([1, 1, 67, 71], [1, 1, 3, 3], [1, 1], [1, 1], 1),
    ([1, 5, 3, 40], [530, 5, 1, 1], [1, 1], [0, 0], 1),
    ([1, 3, 4, 521], [5, 3, 3, 3], [1, 1], [1, 1], 1),
    ([1, 2, 3, 1100], [3, 2, 1, 3], [1, 1], [0, 1], 1),
    ([2, 5, 41, 43], [6, 5, 3, 3], [1, 1], [1, 1], 1),
    ([2, 19, 23, 29], [33, 19, 3, 3], [1, 1], [1, 1], 1),
    ([3, 17, 16, 16], [16, 17, 3, 3], [1, 1], [1, 1], 1),
    ([1, 37, 19, 21], [41, 37, 1, 1], [1, 1], [0, 0], 1),
    ([1, 16, 33, 31], [24, 16, 3, 3], [2, 2], [0, 0], 1),
    ([2, 16, 33, 31], [24, 16, 3, 3], [2, 2], [1, 1], 1),
    ([1, 3, 40, 43], [17, 3, 7, 7], [2, 2], [3, 3], 1),
    ([1, 32, 17, 19], [32, 8, 3, 3], [1, 1], [1, 1], 4),
    ([2, 33, 20, 13], [33, 1, 3, 3], [1, 1], [1, 1], 33),
    ([1, 65, 4, 4], [70, 65, 3, 3], [1, 1], [1, 1], 1),
    ([1, 9, 13, 150], [3, 9, 5, 3], [1, 1], [2, 1], 1),
    ([41, 5, 9, 8], [7, 5, 3, 3], [1, 1], [1, 1], 1),
    ([37, 3, 9, 9], [5, 3, 3, 3], [2, 2], [0, 0], 1),
    ([2, 34, 5, 6], [134, 17, 3, 3], [1, 1], [1, 1], 2),
    ([1, 2, 4, 2100], [3, 2, 3, 3], [1, 1], [1, 1], 1),
];

fn convolutions() -> Vec<Row> {
    let mut rows = Vec::new();
    let cases = SMALL_CONVS.map(|g| (g, Scope::Differentiated));
    for (geometry, scope) in cases.into_iter().chain(LARGE_CONVS.map(|g| (g, Scope::Compared))) {
        let (x, w, stride, padding, groups) = geometry;
        let conv = Conv { stride, padding, groups };
        let size = |axis: usize| (x[2 + axis] + 2 * padding[axis] - w[2 + axis]) / stride[axis] + 1;
        let y = [x[0], w[0], size(0), size(1)];
        let name = |op: &str| format!("{op} {geometry:?}");
        let cases = [
            row(name("conv2d"), &[x, w], move |x| x[0].conv2d(&x[1], conv)),
            row(name("conv_transpose2d"), &[y, w], move |a| {
                a[0].conv_transpose2d(&a[1], conv, [x[2], x[3]])
            }),
            row(name("conv2d_weight"), &[x, y], move |a| {
                adjoint(&w, &a[1], &|w| a[0].conv2d(w, conv))
            }),
        ];
        rows.extend(cases.map(|r| Row { scope, ..r }));
    }
    // A backend may keep packed copies of a weight: each use must find its own.
    rows.push(row("one weight, many uses", &[[1, 4, 5, 5], [4, 4, 3, 3]], |x| {
        let uses =
            [([1, 1], [1, 1], 1), ([2, 2], [1, 1], 1), ([1, 2], [0, 2], 1), ([1, 1], [1, 1], 2)];
        let mut sums = Vec::new();
        for (stride, padding, groups) in uses {
            let conv = Conv { stride, padding, groups };
            let weight = match groups {
                1 => x[1].clone(),
                _ => x[1].reshape(&[8, 2, 3, 3])?,
            };
            let y = x[0].conv2d(&weight, conv)?;
            let back = y.conv_transpose2d(&weight, conv, [5, 5])?;
            sums.push(y.sum(&[0, 2, 3])?.reshape(&[weight.shape()[0]])?);
            sums.push(back.square()?.sum(&[0, 2, 3])?.reshape(&[4])?);
        }
        Tensor::concat(&sums.iter().collect::<Vec<_>>(), 0)
    }));
    rows
}

fn resampling() -> Vec<Row> {
    let taps = |h: usize, w: usize| Filter::new(h, w, signed(h * w, (10 * h + w) as u64)).unwrap();
    let network = || Filter::outer(&[0.125, 0.375, 0.375, 0.125]).unwrap();
    let long: Vec<f64> = signed(12, 3);
    // Filter, up, down, padding, gain.
    let small = [
        (taps(1, 1), [1, 1], [1, 1], [[0, 0], [0, 0]], 1.0),
        (network(), [2, 2], [1, 1], [[2, 1], [2, 1]], 4.0),
        (network(), [1, 1], [2, 2], [[1, 1], [1, 1]], 1.0),
        (network(), [1, 1], [1, 1], [[2, 1], [2, 1]], 1.0),
        (taps(3, 2), [1, 1], [1, 1], [[1, 1], [0, 1]], 1.0),
        (taps(3, 2), [3, 2], [2, 3], [[1, 2], [3, 0]], -0.5),
        (taps(2, 3), [2, 1], [1, 2], [[-1, 2], [3, -2]], 2.0),
        (taps(1, 5), [1, 2], [1, 1], [[0, 0], [2, 2]], 1.0),
        (taps(5, 1), [2, 1], [3, 1], [[4, 3], [0, 0]], 1.0),
        (taps(1, 2), [1, 1], [1, 1], [[-1, -1], [-2, -1]], 1.0),
        (taps(2, 2), [3, 3], [3, 3], [[-2, -1], [5, -3]], 1.0),
        (taps(2, 2), [1, 1], [3, 2], [[0, 0], [7, 6]], 1.0),
        (Filter::outer(&long).unwrap(), [2, 2], [2, 2], [[6, 5], [6, 6]], 1.0),
        (Filter::new(1, 12, long).unwrap(), [1, 2], [1, 1], [[0, 0], [6, 5]], 1.0),
    ];
    let mut rows = Vec::new();
    for (up, down) in [([2, 2], [1, 1]), ([1, 1], [2, 2])] {
        let padding = [[2, 1]; 2];
        let op = UpFirDn { filter: network(), up, down, padding, flip: false, gain: 1.0 };
        let name = format!("upfirdn2d of a pixel, up {up:?} down {down:?}");
        rows.push(row(name, &[[1, 1, 1, 1]], move |x| x[0].upfirdn2d(&op)));
    }
    for (case, (filter, up, down, padding, gain)) in small.into_iter().enumerate() {
        for flip in [false, true] {
            let op = UpFirDn { filter: filter.clone(), up, down, padding, flip, gain };
            let again = op.clone();
            let name = format!("upfirdn2d {case} flip {flip}");
            rows.push(row(&name, &[[2, 1, 4, 5]], move |x| x[0].upfirdn2d(&op)));
            rows.push(
                row(name + " large", &[[2, 5, 37, 41]], move |x| x[0].upfirdn2d(&again)).compared(),
            );
        }
    }
    rows
}

/// Layers with fused kernels, whose gradients of first order are fused as well.
fn layers() -> Vec<Row> {
    let mut rows = Vec::new();
    let activations =
        ["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"];
    for name in activations {
        let plain = BiasAct::new(Activation::parse(name).unwrap());
        let variants = [
            plain,
            BiasAct { gain: -0.75, axis: 0, ..plain },
            BiasAct { gain: 0.75, clamp: Some(0.5), alpha: 0.3, ..plain },
            BiasAct { alpha: -0.2, ..plain },
        ];
        for (i, op) in variants.into_iter().enumerate() {
            let name = |what: &str| format!("bias_act {name} {i} {what}");
            let (x, large) = ([3, 3, 2], [2, 19, 23, 29]);
            let biased = move |x: &[Tensor]| nn::bias_act(&x[0], Some(&x[1]), &op);
            let alone = move |x: &[Tensor]| nn::bias_act(&x[0], None, &op);
            rows.push(row(name("alone"), &[x], alone));
            rows.push(row(name("biased"), &[&x[..], &[3]], biased));
            rows.push(row(name("large"), &[&large[..], &large[op.axis..][..1]], biased).compared());
        }
    }

    let network = || Filter::outer(&[0.125, 0.375, 0.375, 0.125]).ok();
    let skew = || Filter::new(3, 2, signed(6, 4)).ok();
    // Filter, up, size of the kernel.
    let kinds = [(None, 1, 1), (None, 1, 3), (network(), 2, 3), (skew(), 2, 3), (network(), 2, 1)];
    for (kind, (filter, up, k)) in kinds.into_iter().enumerate() {
        for (demodulate, noise) in [(false, 0), (true, 0), (false, 1), (true, 2)] {
            let pad = k as isize / 2;
            let op = nn::ModulatedConv {
                demodulate,
                resample: nn::Resample {
                    filter: filter.clone(),
                    up,
                    padding: [[pad; 2]; 2],
                    flip_weight: up == 1,
                    ..nn::Resample::default()
                },
            };
            let f = |op: nn::ModulatedConv| {
                move |x: &[Tensor]| nn::modulated_conv2d(&x[0], &x[1], &x[2], x.get(3), &op)
            };
            let shapes = |[n, ci, co, h, w]: [usize; 5]| {
                let mut shapes = vec![
                    vec![n, ci, h, w],
                    vec![co, ci, k, k],
                    vec![n, ci],
                    vec![1, 1, up * h, up * w],
                ];
                shapes[3][0] = if noise == 2 { n } else { 1 };
                shapes.truncate(if noise > 0 { 4 } else { 3 });
                shapes
            };
            let name = format!("modulated_conv2d {kind} {demodulate} {noise}");
            rows.push(row(&name, &shapes([2, 2, 3, 2, 3]), f(op.clone())));
            rows.push(row(name + " large", &shapes([2, 19, 67, 17, 35]), f(op)).compared());
        }
    }

    // Whole layers: x, weight, style, then demodulation, noise and bias as far as present.
    for (kind, (up, k)) in [(None, 1), (None, 3), (network(), 3)].into_iter().enumerate() {
        for (demodulate, noise, bias) in
            [(true, true, true), (true, false, true), (false, true, false)]
        {
            for act in [
                BiasAct::new(Activation::Lrelu),
                BiasAct { clamp: Some(2.0), ..BiasAct::new(Activation::Lrelu) },
                BiasAct::new(Activation::Relu),
                BiasAct::new(Activation::Swish),
            ] {
                let op = StyledConv { up: up.clone(), demodulate, noise, bias, act };
                let scale = if up.is_some() { 2 } else { 1 };
                let shapes = |[n, ci, co, h, w]: [usize; 5]| {
                    let weight = if scale == 2 { vec![ci, co, k, k] } else { vec![co, ci, k, k] };
                    let mut shapes = vec![vec![n, ci, h, w], weight, vec![n, ci]];
                    shapes.extend(demodulate.then(|| vec![n, co]));
                    shapes.extend(noise.then(|| vec![1, 1, scale * h, scale * w]));
                    shapes.extend(bias.then(|| vec![co]));
                    shapes
                };
                let f = |op: StyledConv| {
                    move |x: &[Tensor]| {
                        let refs: Vec<&Tensor> = x.iter().collect();
                        let a = op.unpack(&refs);
                        nn::styled_conv(&op, a.x, a.weight, a.style, a.demod, a.noise, a.bias)
                    }
                };
                let name = format!("styled_conv {kind} {demodulate} {noise} {bias} {act:?}");
                rows.push(row(&name, &shapes([2, 2, 3, 2, 3]), f(op.clone())));
                // A clamp far below the sums would be too small a scale for their error.
                let act = BiasAct { clamp: act.clamp.map(|c| 10.0 * c), ..act };
                let op = StyledConv { act, ..op };
                rows.push(row(name + " large", &shapes([2, 9, 67, 9, 35]), f(op)).compared());
            }
        }
    }
    rows
}

/// What takes `cotangent` back through the linear `f` to inputs of `shape`: operators that are gradients only.
fn adjoint(
    shape: &[usize],
    cotangent: &Tensor,
    f: &dyn Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let x = Tensor::zeros(shape, cotangent.device())?.var();
    let y = f(&x)?.mul(cotangent)?.sum_all()?;
    Ok(grad(&y, &[&x], Order::Second)?.remove(0))
}

/// Values of either sign in the shape of `x`.
pub(crate) fn signed_like(x: &Tensor, seed: u64) -> Result<Tensor> {
    tensor(&signed(x.numel(), seed), x.shape(), x.device())
}
