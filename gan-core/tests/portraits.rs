//! The shipped generator against the official PyTorch network.

use gan_core::checkpoint::StateDict;
use gan_core::{Device, Noise, StyleBased, StyleGan2, Tensor, Truncation, Z};

#[test]
fn shipped_generator_draws_the_official_pictures() {
    let root = env!("CARGO_MANIFEST_DIR");
    let expected = StateDict::open(format!("{root}/tests/golden/portraits/expected.safetensors"));
    let expected = expected.unwrap();
    for device in [Device::cpu(), Device::reference()] {
        let model = format!("{root}/../examples/models/portraits64.safetensors");
        let g = StyleGan2::open(model, &device).unwrap();
        let z = expected.get("in.z").unwrap();
        let z = Z::new(Tensor::new(&z.data, &z.shape, &device).unwrap()).unwrap();
        let w = g.truncate(&g.map(&z, None).unwrap(), &Truncation::new(0.8)).unwrap();
        let image = g.synthesize(&w, Noise::Const).unwrap();
        for (name, found) in [("out.ws", w.tensor()), ("out.image", &image)] {
            let expected = &expected.get(name).unwrap().data;
            let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            let found = found.to_vec::<f32>().unwrap();
            let worst = found.iter().zip(expected).fold(0.0f32, |m, (f, e)| m.max((f - e).abs()));
            println!("{name}: {}", worst / largest);
            assert!(worst <= 1e-4 * largest, "{name} on {}: {worst}", device.name());
        }
    }
}
