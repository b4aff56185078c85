//! Sweeps on the shipped generator: progress, cancellation and foreign directions.

use std::ops::ControlFlow;

use gan_core::{Device, Direction, Error, Layers, Noise, Seeds, StyleBased, StyleGan2, WPlus};
use gan_edit::{strengths, sweep};

fn generator() -> StyleGan2 {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
    StyleGan2::open(path, &Device::cpu()).expect("the shipped model opens")
}

fn code(g: &StyleGan2) -> WPlus {
    let z = g.sample(&Seeds::from(0..1)).expect("a seed");
    g.broadcast(&g.map(&z, None).expect("a code")).expect("a code")
}

#[test]
fn steps_are_reported_and_zero_changes_nothing() {
    let g = generator();
    let direction = Direction::new(vec![0.1; 64], Layers::All, "test").unwrap();
    let mut seen = Vec::new();
    let mut listen = |step: usize, total: usize| {
        seen.push((step, total));
        ControlFlow::Continue(())
    };
    let strengths = strengths(2.0, 3).unwrap();
    let images = sweep(&g, &code(&g), &direction, &strengths, &mut listen).unwrap();
    assert_eq!(seen, [(1, 3), (2, 3), (3, 3)]);
    let plain = g.synthesize(&code(&g), Noise::Const).unwrap().to_vec::<f32>().unwrap();
    assert!(images[1].to_vec::<f32>().unwrap() == plain);
    assert!(images[2].to_vec::<f32>().unwrap() != plain);
}

#[test]
fn a_listener_can_stop() {
    let g = generator();
    let direction = Direction::new(vec![0.1; 64], Layers::All, "test").unwrap();
    let mut stop = |_: usize, _: usize| ControlFlow::Break(());
    let result = sweep(&g, &code(&g), &direction, &[0.0; 5], &mut stop);
    assert!(matches!(result, Err(gan_edit::Error::Core(Error::Cancelled { step: 1, total: 5 }))));
}

#[test]
fn directions_of_another_model_are_refused() {
    let g = generator();
    let longer = Direction::new(vec![0.1; 65], Layers::All, "test").unwrap();
    let result = sweep(&g, &code(&g), &longer, &[1.0], &mut ());
    assert!(matches!(result, Err(gan_edit::Error::Core(Error::Latent { .. }))));
}
