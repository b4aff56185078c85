//! What holds for every geometry: adjoints of linear operators, errors instead of panics, and results that
//! depend neither on the rest of the batch nor on the number of threads.

#![allow(clippy::unwrap_used)]

#[path = "operators/values.rs"]
mod values;

use gan_core::backend::{
    Activation, AffineGains, Arg, BiasAct, Binary, Conv, Filter, HostData, Prim, StyledConv, Unary,
    UpFirDn,
};
use gan_core::{Device, Error, Order, Result, Tensor, grad};
use proptest::prelude::*;
use proptest::{array, collection::vec, sample::Index};
use values::signed;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn random(shape: &[usize], seed: u64, device: &Device) -> Result<Tensor> {
    Tensor::from_vec(signed(shape.iter().product(), seed), shape, device)
}

/// `<A x, y> = <x, A' y>` for random `x` of this shape and random `y`, on both devices.
fn adjoint_identity(
    shape: &[usize],
    forward: impl Fn(&Tensor) -> Result<Tensor>,
    adjoint: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(), TestCaseError> {
    for (device, tolerance) in [(Device::reference(), 1e-10), (Device::cpu(), 1e-4)] {
        let sides = || -> Result<[Tensor; 4]> {
            let x = random(shape, 1, &device)?;
            let ax = forward(&x)?;
            let y = random(ax.shape(), 2, &device)?;
            let ay = adjoint(&y)?;
            Ok([ax, y, x, ay])
        };
        let [ax, y, x, ay] = sides().map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(ay.shape(), x.shape());
        let dot = |a: &Tensor, b: &Tensor| -> [f64; 2] {
            let (a, b) = (a.to_vec::<f64>().unwrap(), b.to_vec::<f64>().unwrap());
            let product = |(a, b): (&f64, &f64)| a * b;
            let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
            [a.iter().zip(&b).map(product).sum(), norm(&a) * norm(&b)]
        };
        let ([left, scale], [right, _]) = (dot(&ax, &y), dot(&x, &ay));
        prop_assert!(
            (left - right).abs() <= tolerance * scale,
            "{device:?}: <Ax, y> = {left}, <x, A'y> = {right}"
        );
    }
    Ok(())
}

/// The adjoint of the linear `f` as the gradient rules have it: for operators that have no method.
fn by_rule(shape: &[usize], y: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let x = Tensor::zeros(shape, y.device())?.var();
    Ok(grad(&f(&x)?.mul(y)?.sum_all()?, &[&x], Order::First)?.remove(0))
}

/// Shapes of `x`, `w` and `y` of a convolution.
type Convolution = (Conv, [usize; 4], [usize; 4], [usize; 4]);

fn convolution(channels: usize, pixels: usize) -> impl Strategy<Value = Convolution> {
    let channels = (1..3usize, 1..4usize, 1..=channels, 1..=channels);
    let axis = || (1..=pixels, 1..6usize, 1..4usize, 0..4usize);
    (channels, axis(), axis()).prop_filter_map(
        "a kernel larger than its input",
        |((n, groups, ci, co), (h, kh, sy, py), (w, kw, sx, px))| {
            let conv = Conv { stride: [sy, sx], padding: [py, px], groups };
            let oh = (h + 2 * py).checked_sub(kh)? / sy + 1;
            let ow = (w + 2 * px).checked_sub(kw)? / sx + 1;
            let co = co * groups;
            Some((conv, [n, ci * groups, h, w], [co, ci, kh, kw], [n, co, oh, ow]))
        },
    )
}

fn resampling() -> impl Strategy<Value = (UpFirDn, [usize; 4])> {
    let axis = || (1..8usize, 1..6usize, 1..4usize, 1..4usize, array::uniform2(-3..7isize));
    (axis(), axis(), 1..3usize, any::<bool>(), any::<bool>()).prop_filter_map(
        "nothing is left",
        |((h, th, uy, dy, py), (w, tw, ux, dx, px), n, flip, separable)| {
            let (column, row) = (signed(th, 3), signed(tw, 4));
            let taps = match separable {
                true => column.iter().flat_map(|c| row.iter().map(move |r| c * r)).collect(),
                false => signed(th * tw, 5),
            };
            let filter = Filter::new(th, tw, taps).unwrap();
            let (up, down, padding) = ([uy, ux], [dy, dx], [py, px]);
            let op = UpFirDn { filter, up, down, padding, flip, gain: 1.5 };
            op.output_len(0, h).and(op.output_len(1, w)).map(|_| (op, [n, 2, h, w]))
        },
    )
}

/// A shape of up to five axes with up to `largest` entries each.
fn shape(largest: usize) -> impl Strategy<Value = Vec<usize>> {
    vec(1..=largest, 0..6)
}

/// A shape with at least one axis, and one of its axes.
fn shape_and_axis() -> impl Strategy<Value = (Vec<usize>, usize)> {
    (vec(1..6usize, 1..5), any::<Index>()).prop_map(|(s, i)| {
        let axis = i.index(s.len());
        (s, axis)
    })
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn conv2d_and_its_adjoints((conv, x, w, _) in convolution(3, 8)) {
        let size = [x[2], x[3]];
        let at = |shape: &[usize], like: &Tensor| random(shape, 9, like.device());
        adjoint_identity(
            &x,
            |x| x.conv2d(&at(&w, x)?, conv),
            |y| y.conv_transpose2d(&at(&w, y)?, conv, size),
        )?;
        let in_w = |w: &Tensor| at(&x, w)?.conv2d(w, conv);
        adjoint_identity(&w, in_w, |y| by_rule(&w, y, in_w))?;
    }

    #[test]
    fn conv_transpose2d_and_its_adjoints((conv, x, w, y) in convolution(3, 8)) {
        let size = [x[2], x[3]];
        let at = |shape: &[usize], like: &Tensor| random(shape, 9, like.device());
        adjoint_identity(
            &y,
            |y| y.conv_transpose2d(&at(&w, y)?, conv, size),
            |x| x.conv2d(&at(&w, x)?, conv),
        )?;
        let in_w = |w: &Tensor| at(&y, w)?.conv_transpose2d(w, conv, size);
        adjoint_identity(&w, in_w, |x| by_rule(&w, x, in_w))?;
    }

    #[test]
    fn upfirdn2d_and_its_adjoint((op, x) in resampling()) {
        let adjoint = op.adjoint([x[2], x[3]]);
        adjoint_identity(&x, |x| x.upfirdn2d(&op), |y| y.upfirdn2d(&adjoint))?;
    }

    #[test]
    fn matmul_and_its_adjoints(b in 1..4usize, m in 1..9usize, k in 1..9usize, n in 1..9usize) {
        let at = |shape: [usize; 3], like: &Tensor| random(&shape, 9, like.device());
        let transpose = |x: &Tensor| x.permute(&[0, 2, 1]);
        adjoint_identity(
            &[b, m, k],
            |x| x.matmul(&at([b, k, n], x)?),
            |y| y.matmul_t(&at([b, k, n], y)?),
        )?;
        adjoint_identity(
            &[b, k, n],
            |x| at([b, m, k], x)?.matmul(x),
            |y| transpose(&at([b, m, k], y)?)?.matmul(y),
        )?;
        adjoint_identity(
            &[b, n, k],
            |x| at([b, m, k], x)?.matmul_t(x),
            |y| transpose(y)?.matmul(&at([b, m, k], y)?),
        )?;
        // The same by the rules, which transpose arguments instead of copying them.
        let left = |x: &Tensor| x.matmul_t(&at([b, n, k], x)?);
        adjoint_identity(&[b, m, k], left, |y| by_rule(&[b, m, k], y, left))?;
        let right = |x: &Tensor| at([b, m, k], x)?.matmul(x);
        adjoint_identity(&[b, k, n], right, |y| by_rule(&[b, k, n], y, right))?;
    }

    #[test]
    fn pad_and_slice((x, axis) in shape_and_axis(), before in 0..4usize, after in 0..4usize) {
        adjoint_identity(
            &x,
            |x| x.pad(axis, before, after),
            |y| y.slice(axis, before, x[axis]),
        )?;
    }

    #[test]
    fn concat_and_slice((x, axis) in shape_and_axis(), extra in 1..4usize) {
        let mut other = x.clone();
        other[axis] = extra;
        adjoint_identity(
            &x,
            |x| Tensor::concat(&[&Tensor::zeros(&other, x.device())?, x], axis),
            |y| y.slice(axis, extra, x[axis]),
        )?;
    }

    #[test]
    fn gather_and_scatter_add(
        (x, axis) in shape_and_axis(),
        index in vec(any::<Index>(), 1..9),
    ) {
        let index: Vec<usize> = index.iter().map(|i| i.index(x[axis])).collect();
        let gather = |x: &Tensor| x.gather(axis, &index);
        adjoint_identity(&x, gather, |y| by_rule(&x, y, gather))?;
    }

    #[test]
    fn sum_and_expand(x in shape(4), mask in array::uniform5(any::<bool>())) {
        let axes: Vec<usize> = (0..x.len()).filter(|&d| mask[d]).collect();
        adjoint_identity(&x, |x| x.sum(&axes), |y| y.expand(&x))?;
        let mut summed = x.clone();
        axes.iter().for_each(|&d| summed[d] = 1);
        adjoint_identity(&summed, |y| y.expand(&x), |x| x.sum(&axes))?;
    }

    #[test]
    fn permute_and_its_inverse(
        (x, axes) in shape(4).prop_flat_map(|x| {
            let axes = Just((0..x.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(x), axes)
        }),
    ) {
        let mut inverse = vec![0; axes.len()];
        axes.iter().enumerate().for_each(|(i, &a)| inverse[a] = i);
        adjoint_identity(&x, |x| x.permute(&axes), |y| y.permute(&inverse))?;
    }

    #[test]
    fn a_convolution_does_not_see_the_rest_of_the_batch((conv, x, w, _) in convolution(20, 24)) {
        let device = Device::cpu();
        let shape = [5, x[1], x[2], x[3]];
        let (x, w) = (random(&shape, 1, &device).unwrap(), random(&w, 2, &device).unwrap());
        let together = x.conv2d(&w, conv).unwrap();
        for n in 0..5 {
            let alone = x.slice(0, n, 1).unwrap().conv2d(&w, conv).unwrap();
            let together = together.slice(0, n, 1).unwrap();
            prop_assert_eq!(bits(&alone), bits(&together), "sample {}", n);
        }
    }

    #[test]
    fn a_matrix_product_does_not_see_the_rest_of_the_batch(
        m in 1..40usize,
        k in 1..400usize,
        n in 1..70usize,
        row in any::<Index>(),
    ) {
        let device = Device::cpu();
        let row = row.index(m);
        let (a, b) = (random(&[m, k], 1, &device).unwrap(), random(&[n, k], 2, &device).unwrap());
        let together = a.matmul_t(&b).unwrap().slice(0, row, 1).unwrap();
        let alone = a.slice(0, row, 1).unwrap().matmul_t(&b).unwrap();
        prop_assert_eq!(bits(&alone), bits(&together));
    }

    #[test]
    fn a_convolution_does_not_see_the_number_of_threads((conv, x, w, y) in convolution(20, 24)) {
        let device = Device::cpu();
        let all = || -> Result<Vec<Vec<u32>>> {
            let [x, w, y] = [x, w, y].map(|s| random(&s, 1, &device));
            let (x, w, y) = (x?.var(), w?.var(), y?);
            let forward = x.conv2d(&w, conv)?;
            let gradients = grad(&forward.mul(&y)?.sum_all()?, &[&x, &w], Order::First)?;
            Ok([&forward, &gradients[0], &gradients[1]].map(bits).to_vec())
        };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(all).unwrap()
        };
        prop_assert_eq!(with(1), with(3));
    }
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// Sizes that fit, sizes that do not, and sizes whose products or sums overflow.
fn hostile_size() -> impl Strategy<Value = usize> {
    prop_oneof![
        12 => 0..6usize,
        1 => prop::sample::select(vec![1 << 33, usize::MAX / 2, usize::MAX - 1, usize::MAX]),
    ]
}

fn hostile_shapes() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop_oneof![
        vec(vec(hostile_size(), 0..6), 0..5),
        vec(vec(hostile_size(), 3), 1..4),
        vec(vec(hostile_size(), 4), 1..4),
        vec(hostile_size(), 0..5).prop_map(|s| vec![s; 2]),
        // Those of a styled convolution.
        (vec(hostile_size(), 6), array::uniform3(any::<bool>())).prop_map(|(s, present)| {
            let mut shapes =
                vec![vec![s[0], s[1], s[2], s[3]], vec![s[4], s[1], s[5], s[5]], vec![s[0], s[1]]];
            let optional = [vec![s[0], s[4]], vec![s[0], 1, s[2], s[3]], vec![s[4]]];
            shapes.extend(optional.into_iter().zip(present).filter(|(_, p)| *p).map(|(s, _)| s));
            shapes
        }),
    ]
}

fn hostile_prim() -> impl Strategy<Value = Prim> {
    let axes = || vec(0..6usize, 0..5);
    let axis = || 0..6usize;
    let size = hostile_size;
    let pair = || array::uniform2(hostile_size());
    let conv = || {
        (pair(), pair(), size()).prop_map(|(stride, padding, groups)| Conv {
            stride,
            padding,
            groups,
        })
    };
    let padding = || {
        prop_oneof![
            12 => -6..6isize,
            1 => prop::sample::select(vec![isize::MIN, isize::MIN + 1, isize::MAX]),
        ]
    };
    let filter = |(h, w)| Filter::new(h, w, signed(h * w, 6)).unwrap();
    let resample = (
        (1..5usize, 1..5usize).prop_map(filter),
        pair(),
        pair(),
        array::uniform2(array::uniform2(padding())),
    );
    let act = || axis().prop_map(|axis| BiasAct { axis, ..BiasAct::new(Activation::Lrelu) });
    let styled = (
        prop::option::of((1..5usize, 1..5usize).prop_map(filter)),
        array::uniform3(any::<bool>()),
        act(),
    );
    prop_oneof![
        Just(Prim::Unary(Unary::Exp)),
        Just(Prim::Binary(Binary::Add)),
        Just(Prim::Select),
        axes().prop_map(Prim::Sum),
        axes().prop_map(Prim::Max),
        vec(size(), 0..5).prop_map(Prim::Expand),
        vec(size(), 0..5).prop_map(Prim::Reshape),
        axes().prop_map(Prim::Permute),
        (axis(), size(), size()).prop_map(|(axis, start, len)| Prim::Slice { axis, start, len }),
        (axis(), size(), size()).prop_map(|(axis, before, after)| Prim::Pad {
            axis,
            before,
            after
        }),
        axis().prop_map(Prim::Concat),
        (axis(), vec(size(), 0..5))
            .prop_map(|(axis, index)| Prim::Gather { axis, index: index.into() }),
        (axis(), vec(size(), 0..5), size()).prop_map(|(axis, index, len)| Prim::ScatterAdd {
            axis,
            index: index.into(),
            len
        }),
        any::<[bool; 2]>().prop_map(|[trans_a, trans_b]| Prim::MatMul { trans_a, trans_b }),
        conv().prop_map(Prim::Conv2d),
        (conv(), pair()).prop_map(|(conv, size)| Prim::ConvInput(conv, size)),
        (conv(), pair()).prop_map(|(conv, size)| Prim::ConvWeight(conv, size)),
        resample.prop_map(|(filter, up, down, padding)| {
            Prim::UpFirDn(UpFirDn { filter, up, down, padding, flip: false, gain: 1.0 })
        }),
        act().prop_map(Prim::BiasAct),
        act().prop_map(Prim::BiasActGrad),
        act().prop_map(Prim::DemodulatedActGrad),
        Just(Prim::SumProduct),
        styled.prop_map(|(up, [demodulate, noise, bias], act)| {
            Prim::StyledConv(StyledConv { up, demodulate, noise, bias, act })
        }),
        size().prop_map(|n| Prim::Affines(vec![AffineGains { weight: 1.0, bias: 1.0 }; n.min(3)])),
        Just(Prim::Demodulations),
    ]
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn shape_rules_do_not_panic(prim in hostile_prim(), shapes in hostile_shapes()) {
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let _ = prim.output_shape(&shapes);
    }
}

/// Every method of a tensor, with arguments that may or may not fit.
fn methods(a: &Tensor, b: &Tensor, p: [usize; 4], other: &[usize]) -> Vec<Result<Tensor>> {
    let conv = Conv { stride: [p[0], p[1]], padding: [p[2], p[3]], groups: p[1] };
    let filter = || Filter::new(p[0].max(1), p[1].max(1), signed(p[0].max(1) * p[1].max(1), 8));
    let [before, after] = [p[0] as isize - 2, p[1] as isize - 2];
    let upfirdn = filter().map(|filter| UpFirDn {
        filter,
        up: [p[2], p[3]],
        down: [p[3], p[1]],
        padding: [[before, after], [after, before]],
        flip: false,
        gain: 1.0,
    });
    vec![
        a.add(b),
        a.div(b),
        a.equal(b),
        a.select(b, a),
        a.clamp_symmetric(1.0),
        a.sum(other),
        a.mean(other),
        a.max(&p),
        a.sum_all(),
        a.reshape(other),
        a.expand(other),
        a.expand(b.shape()),
        a.permute(other),
        a.permute(&p),
        a.slice(p[0], p[1], p[2]),
        a.pad(p[0], p[1], p[2]),
        Tensor::concat(&[a, b, a], p[0]),
        Tensor::concat(&[a], p[0]),
        Tensor::concat(&[], p[0]),
        a.gather(p[0], &p[1..]),
        a.gather(p[0], &[]),
        a.flip(p[0]),
        a.matmul(b),
        a.matmul_t(b),
        a.conv2d(b, conv),
        a.conv_transpose2d(b, conv, [p[2], p[3]]),
        upfirdn.and_then(|op| a.upfirdn2d(&op)),
        Tensor::new(&[1.0f32], other, a.device()),
        Tensor::zeros(other, a.device()),
    ]
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn wrong_shapes_are_errors(
        shapes in prop_oneof![
            array::uniform2(shape(4)),
            shape(4).prop_map(|s| [s.clone(), s]),
            array::uniform2(vec(1..5usize, 3)),
            array::uniform2(vec(1..5usize, 4)),
        ],
        p in array::uniform4(0..4usize),
        other in vec(0..5usize, 0..5),
    ) {
        let results = [Device::reference(), Device::cpu()].map(|device| {
            let [a, b] = [0, 1].map(|i| random(&shapes[i], i as u64, &device).unwrap());
            methods(&a, &b, p, &other)
        });
        for (i, (expected, found)) in results[0].iter().zip(&results[1]).enumerate() {
            match (expected, found) {
                (Ok(expected), Ok(found)) => {
                    prop_assert_eq!(expected.shape(), found.shape());
                    prop_assert_eq!(expected.to_vec::<f64>().unwrap().len(), expected.numel());
                    prop_assert_eq!(found.to_vec::<f32>().unwrap().len(), found.numel());
                }
                (Err(expected), Err(found)) => {
                    prop_assert_eq!(expected.to_string(), found.to_string());
                }
                _ => prop_assert!(false, "method {}: {:?} but {:?}", i, expected, found),
            }
        }
    }
}

#[test]
fn sizes_beyond_memory_are_errors() {
    for device in [Device::reference(), Device::cpu()] {
        let one = Tensor::new(&[1.0f32], &[1, 1], &device).unwrap();
        for shape in [[1 << 58, 1], [1 << 40, 1 << 40], [usize::MAX, 2]] {
            assert!(one.expand(&shape).is_err(), "{shape:?}");
            assert!(Tensor::zeros(&shape, &device).is_err(), "{shape:?}");
        }
        assert!(one.pad(0, usize::MAX, 0).is_err());
        assert!(one.pad(0, usize::MAX - 1, 0).is_err());
    }
}

#[test]
fn devices_do_not_mix() {
    let a = Tensor::zeros(&[2], &Device::cpu()).unwrap();
    let b = Tensor::zeros(&[2], &Device::reference()).unwrap();
    assert!(matches!(a.add(&b), Err(Error::Device { .. })));
    for [ours, theirs] in
        [[Device::cpu(), Device::reference()], [Device::reference(), Device::cpu()]]
    {
        let storage = theirs.backend().upload(HostData::F32(vec![1.0])).unwrap();
        let arg = Arg { storage: &storage, shape: &[1] };
        let negated = ours.backend().eval(&Prim::Unary(Unary::Neg), &[arg], &[1]);
        assert!(matches!(negated, Err(Error::Device { .. })));
        assert!(matches!(ours.backend().download(&storage), Err(Error::Device { .. })));
    }
}

/// Gradients with respect to a tensor and to one that was computed from it.
#[test]
fn a_gradient_flows_through_what_is_asked_for_as_well() {
    let x = Tensor::new(&[0.5f64], &[1], &Device::reference()).unwrap().var();
    let between = x.scale(3.0).unwrap();
    let y = between.square().unwrap();
    let z = y.scale(2.0).unwrap().sum_all().unwrap();
    for order in [Order::First, Order::Second] {
        let found = grad(&z, &[&x, &y], order).unwrap();
        // z = 2 y, y = 9 x^2.
        assert_eq!(found[0].item().unwrap(), 18.0);
        assert_eq!(found[1].item().unwrap(), 2.0);
    }
}

/// Finite differences cannot see it: the maximum has a kink where two entries tie.
#[test]
fn the_gradient_of_a_maximum_is_shared_by_all_maxima() {
    for device in [Device::reference(), Device::cpu()] {
        let x =
            Tensor::new(&[1.0f32, 3.0, 3.0, -2.0, -2.0, -2.0, 0.0, -1.0, 2.0], &[3, 3], &device);
        let x = x.unwrap().var();
        let of = |axes: &[usize]| -> Result<Vec<f64>> {
            grad(&x.max(axes)?.sum_all()?, &[&x], Order::First)?[0].to_vec::<f64>()
        };
        let third = f64::from(1.0f32 / 3.0);
        let rows = of(&[1]).unwrap();
        assert!(
            values::distance(&rows, &[0.0, 0.5, 0.5, third, third, third, 0.0, 0.0, 1.0]) < 1e-7
        );
        assert_eq!(of(&[0, 1]).unwrap(), [0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
