//! A backend of another crate: nothing fused, so that every layer runs as its composite.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use gan_core::backend::cpu::Cpu;
use gan_core::backend::{Arg, Backend, Conv, DType, HostData, Prim, Storage};
use gan_core::{Device, Noise, Result, Seeds, StyleBased, StyleGan2};

struct Plain(Cpu);

impl Backend for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    fn dtype(&self) -> DType {
        self.0.dtype()
    }

    fn upload(&self, data: HostData) -> Result<Arc<dyn Storage>> {
        self.0.upload(data)
    }

    fn download(&self, storage: &Arc<dyn Storage>) -> Result<HostData> {
        self.0.download(storage)
    }

    fn eval(&self, prim: &Prim, args: &[Arg<'_>], out: &[usize]) -> Result<Arc<dyn Storage>> {
        assert!(!prim.is_fused(), "{} is fused", prim.name());
        self.0.eval(prim, args, out)
    }

    fn fuses(&self, _prim: &Prim) -> bool {
        false
    }
}

#[test]
fn composites_draw_what_fused_layers_draw() {
    let draw = |device: Device| {
        let model =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
        let g = StyleGan2::open(model, &device).unwrap();
        let w = g.map(&g.sample(&Seeds::from(0..2)).unwrap(), None).unwrap();
        let image = g.synthesize(&g.broadcast(&w).unwrap(), Noise::Const).unwrap();
        image.to_vec::<f32>().unwrap()
    };
    let fused = draw(Device::cpu());
    let plain = draw(Device::from_backend(Arc::new(Plain(Cpu::new()))));
    let worst = fused.iter().zip(&plain).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn shapes_that_lie_are_refused() {
    let cpu = Cpu::new();
    let storage = cpu.upload(HostData::F32(vec![0.0; 6])).unwrap();
    let arg = |shape| Arg { storage: &storage, shape };
    let sum = Prim::Sum(vec![0]);
    assert!(cpu.eval(&sum, &[arg(&[2, 3])], &[1, 3]).is_ok());
    assert!(cpu.eval(&sum, &[arg(&[2, 3])], &[1, 4]).is_err());
    assert!(cpu.eval(&sum, &[arg(&[2, 4])], &[1, 4]).is_err());
    assert!(cpu.eval(&sum, &[], &[1, 3]).is_err());
}

/// No tensor has a size of zero, but a caller of a backend can say so.
#[test]
fn empty_operands_are_refused() {
    type Shape = &'static [usize];
    let cpu = Cpu::new();
    let (none, some) = (HostData::F32(vec![]), HostData::F32(vec![1.0; 9]));
    let [none, some] = [none, some].map(|data| cpu.upload(data).unwrap());
    let arg = |shape: Shape| {
        let storage = if shape.contains(&0) { &none } else { &some };
        Arg { storage, shape }
    };
    let conv = Conv { padding: [1, 1], ..Conv::default() };
    let product = Prim::MatMul { trans_a: false, trans_b: false };
    let scalar = Prim::MatMul { trans_a: false, trans_b: true };
    let cases: [(Prim, [Shape; 2], Shape); 5] = [
        (product.clone(), [&[0, 3, 3], &[0, 3, 3]], &[0, 3, 3]),
        (product, [&[1, 3, 0], &[1, 0, 3]], &[1, 3, 3]),
        (scalar, [&[1, 0, 9], &[1, 1, 9]], &[1, 0, 1]),
        (Prim::Conv2d(conv), [&[0, 1, 3, 3], &[1, 1, 3, 3]], &[0, 1, 3, 3]),
        (Prim::Conv2d(conv), [&[1, 1, 3, 3], &[0, 1, 3, 3]], &[1, 0, 3, 3]),
    ];
    for (prim, shapes, out) in cases {
        assert!(cpu.eval(&prim, &shapes.map(arg), out).is_err(), "{prim:?}");
    }
}
