//! The shipped generator against the official PyTorch network.

#![allow(clippy::unwrap_used)]

use gan_core::checkpoint::StateDict;
use gan_core::{
    Device, Generator, Noise, Order, Seeds, StyleBased, StyleGan2, Tensor, Truncation, WPlus, Z,
    grad,
};
use safetensors::{Dtype, View};

fn model() -> String {
    format!("{}/../examples/models/portraits64.safetensors", env!("CARGO_MANIFEST_DIR"))
}

fn codes(g: &StyleGan2, seeds: std::ops::Range<u32>) -> WPlus {
    let w = g.map(&g.sample(&Seeds::from(seeds)).unwrap(), None).unwrap();
    g.truncate(&w, &Truncation::new(0.7)).unwrap()
}

fn draw(g: &StyleGan2, w: &WPlus) -> Vec<f32> {
    g.synthesize(w, Noise::Const).unwrap().to_vec().unwrap()
}

#[test]
fn bits_do_not_depend_on_threads_or_batch() {
    let g = StyleGan2::open(model(), &Device::cpu()).unwrap();
    let w = codes(&g, 0..3);
    let run = || {
        let vars = WPlus::new(w.tensor().var()).unwrap();
        let image = g.synthesize(&vars, Noise::Const).unwrap();
        let loss = image.square().unwrap().mean_all().unwrap();
        let slope = grad(&loss, &[vars.tensor()], Order::First).unwrap().remove(0);
        (draw(&g, &w), slope.to_vec::<f32>().unwrap())
    };
    let with_threads =
        |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(run);
    let (image, slope) = with_threads(1);
    for n in [2, 3] {
        assert!((&image, &slope) == (&with_threads(n).0, &with_threads(n).1), "{n} threads");
    }
    for (i, expected) in image.chunks(3 * 64 * 64).enumerate() {
        assert!(draw(&g, &w.row(i).unwrap()) == expected, "row {i} alone");
    }
}

/// A tensor of the shipped model in half precision.
struct Half {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Half {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.bytes.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[test]
fn half_precision_files_draw_nearly_the_same() {
    let dict = StateDict::open(model()).unwrap();
    let halves: Vec<(String, Half)> = dict
        .iter()
        .map(|(name, t)| {
            let bytes = t.data.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect();
            (name.to_owned(), Half { shape: t.shape.clone(), bytes })
        })
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let views = halves.iter().map(|(name, half)| (name.as_str(), half));
    safetensors::serialize_to_file(views, None, file.path()).unwrap();
    let [full, half] = [model(), file.path().display().to_string()]
        .map(|path| StyleGan2::open(path, &Device::cpu()).unwrap());
    assert_eq!(half.image_shape(), [3, 64, 64]);
    let (a, b) = (draw(&full, &codes(&full, 0..2)), draw(&half, &codes(&half, 0..2)));
    let worst = a.iter().zip(&b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst > 0.0 && worst < 0.05, "{worst}");
}

#[test]
fn shipped_generator_draws_the_official_pictures() {
    let root = env!("CARGO_MANIFEST_DIR");
    let expected = StateDict::open(format!("{root}/tests/golden/portraits/expected.safetensors"));
    let expected = expected.unwrap();
    for device in [Device::cpu(), Device::reference()] {
        let g = StyleGan2::open(model(), &device).unwrap();
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
