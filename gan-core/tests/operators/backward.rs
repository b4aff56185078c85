//! Kernels of primitives that only gradients use, against what they stand for.

use gan_core::backend::{Activation, BiasAct, Prim};
use gan_core::{Device, Order, grad};

use crate::fused::{bias_act, evaluate, random};
use crate::values::distance;

const SHAPES: [[usize; 4]; 4] = [[1, 1, 1, 1], [2, 3, 5, 7], [3, 19, 2, 1], [1, 2, 130, 131]];

#[test]
fn demodulated_act_grad_equals_its_definition() {
    for act in [Activation::Linear, Activation::Relu, Activation::Lrelu] {
        for (clamp, [n, c, h, w]) in SHAPES.iter().flat_map(|&s| [(None, s), (Some(0.5), s)]) {
            let op = BiasAct { clamp, ..BiasAct::new(act) };
            let x = random(&[n, c, h, w], 1).unwrap().var();
            let (g, d) = (random(&[n, c, h, w], 2).unwrap(), random(&[n, c], 3).unwrap());
            let y = bias_act(&op, &x, None).unwrap();
            let demodulated = g.mul(&d.reshape(&[n, c, 1, 1]).unwrap()).unwrap();
            let sum = y.mul(&demodulated).unwrap().sum_all().unwrap();
            let expected = grad(&sum, &[&x], Order::First).unwrap()[0].to_vec::<f64>().unwrap();
            let prim = Prim::DemodulatedActGrad(op);
            let found = evaluate(&Device::cpu(), &prim, &[&g, &y.detach(), &d]).unwrap();
            let distance = distance(&found, &expected);
            assert!(distance < 2e-6, "{op:?} {:?}: {distance:.1e} apart", [n, c, h, w]);
        }
    }
}

#[test]
fn sum_product_equals_its_definition() {
    for [n, c, h, w] in SHAPES {
        for second in [[n, c, h, w], [1, c, h, w], [n, 1, h, w], [1, 1, h, w]] {
            let (a, b) = (random(&[n, c, h, w], 1).unwrap(), random(&second, 2).unwrap());
            let expected = a.mul(&b).unwrap().sum(&[2, 3]).unwrap().to_vec::<f64>().unwrap();
            let found = evaluate(&Device::cpu(), &Prim::SumProduct, &[&a, &b]).unwrap();
            let distance = distance(&found, &expected);
            assert!(distance < 2e-6, "{:?} {second:?}: {distance:.1e} apart", [n, c, h, w]);
        }
    }
}
