//! The network of the Fréchet distance with a sixteenth of its channels: gradients, sizes and refusals. Its numbers are those of
//! a golden file.

#![allow(clippy::unwrap_used)]

use gan_core::checkpoint::{HostTensor, StateDict};
use gan_core::models::Inception;
use gan_core::nn::resize_bilinear;
use gan_core::{Device, Error, Order, Philox, Tensor, grad};

const FORMULA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../gan-core/tests/golden/metrics/formula_fid_inception.json"
);

/// Names and shapes of the published network, with fewer channels and values at random.
fn small() -> StateDict {
    let text = std::fs::read_to_string(FORMULA).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut random = Philox::new(1);
    let mut dict = StateDict::default();
    for entry in file["params"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        let sides = entry["shape"].as_array().unwrap().iter();
        let sides = sides.map(|side| side.as_u64().unwrap() as usize);
        // Channels are multiples of 16, kernels and colours are not.
        let shape: Vec<usize> =
            sides.map(|side| if side.is_multiple_of(16) { side / 16 } else { side }).collect();
        let mut data = vec![0.0f32; shape.iter().product()];
        random.fill_normal(&mut data);
        let fan_in: usize = shape[1..].iter().product();
        for value in &mut data {
            *value *= (2.0 / fan_in as f32).sqrt();
            if name.ends_with("bn.weight") || name.ends_with("running_var") {
                *value = 1.0 + 0.1 * value.abs();
            }
        }
        dict.insert(name, HostTensor { shape, data }).unwrap();
    }
    dict
}

fn image(size: [usize; 2], device: &Device) -> Tensor {
    let mut values = vec![0.0f32; 3 * size[0] * size[1]];
    Philox::new(2).fill_normal(&mut values);
    Tensor::from_vec(values, &[1, 3, size[0], size[1]], device).unwrap()
}

#[test]
fn gradients_reach_the_image() {
    let device = Device::reference();
    let network = Inception::from_state_dict(small(), &device).unwrap();
    let loss = |image: &Tensor| {
        let features = network.pooled(image, &mut |_, _| Ok(())).unwrap();
        features.square().unwrap().sum_all().unwrap()
    };
    let x = image([75, 79], &device);
    let variable = x.var();
    let slope = grad(&loss(&variable), &[&variable], Order::First).unwrap().remove(0);
    let slope = slope.to_vec::<f64>().unwrap();
    let values = x.to_vec::<f64>().unwrap();
    let largest = slope.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    for place in [5, 4000, 9321] {
        let moved = |by: f64| {
            let mut values = values.clone();
            values[place] += by;
            loss(&Tensor::from_vec(values, x.shape(), &device).unwrap()).item().unwrap()
        };
        // So small a step that hardly a maximum changes hands.
        let expected = (moved(1e-7) - moved(-1e-7)) / 2e-7;
        let found = slope[place];
        assert!((found - expected).abs() < 1e-4 * largest, "{found} for {expected}");
    }
    assert!(largest > 0.0);
}

#[test]
fn images_of_any_size_are_stretched() {
    let device = Device::cpu();
    let network = Inception::from_state_dict(small(), &device).unwrap();
    let x = image([40, 100], &device);
    let features = network.features(&x).unwrap();
    assert_eq!(features.shape(), [1, 128]);
    let stretched = resize_bilinear(&x, [299, 299]).unwrap();
    let mut names = Vec::new();
    let visited = network.pooled(&stretched, &mut |name, features| {
        names.push((name.to_owned(), features.shape()[1]));
        Ok(())
    });
    assert_eq!(visited.unwrap().to_vec::<f32>().unwrap(), features.to_vec::<f32>().unwrap());
    assert_eq!(names.len(), 13);
    assert_eq!([&names[0], &names[12]], [&("pool1".into(), 4), &("Mixed_7c".into(), 128)]);
    let [with, without] = [true, false].map(|bias| network.logits(&features, bias).unwrap());
    assert_eq!(with.shape(), [1, 63]);
    assert_ne!(with.to_vec::<f32>().unwrap(), without.to_vec::<f32>().unwrap());
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::cpu();
    let network = Inception::from_state_dict(small(), &device).unwrap();
    for shape in [[1, 3, 74, 80], [1, 3, 80, 74], [1, 1, 80, 80]] {
        let images = Tensor::zeros(&shape, &device).unwrap();
        let error = network.pooled(&images, &mut |_, _| Ok(())).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    let refused = |change: &dyn Fn(&mut StateDict), what: &str| {
        let mut dict = small();
        change(&mut dict);
        let message = Inception::from_state_dict(dict, &device).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    };
    let swap = |dict: &mut StateDict, name: &str, shape: &[usize]| {
        dict.take(name).unwrap();
        let data = vec![1.0; shape.iter().product()];
        dict.insert(name, HostTensor { shape: shape.to_vec(), data }).unwrap();
    };
    refused(&|d| drop(d.take("Mixed_5b.branch1x1.bn.bias")), "`Mixed_5b.branch1x1.bn.bias`");
    refused(&|d| swap(d, "Mixed_6b.branch7x7_2.conv.weight", &[8, 8, 7, 1]), "branch7x7_2");
    refused(&|d| swap(d, "fc.weight", &[63, 127]), "`fc.weight`");
    refused(
        &|d| {
            let extra = HostTensor { shape: vec![1], data: vec![0.0] };
            d.insert("AuxLogits.fc.bias", extra).unwrap();
        },
        "`AuxLogits.fc.bias`",
    );
    // What torchvision counts in training is no part of the network.
    let mut dict = small();
    let counter = HostTensor { shape: vec![], data: vec![7.0] };
    dict.insert("Conv2d_1a_3x3.bn.num_batches_tracked", counter).unwrap();
    Inception::from_state_dict(dict, &device).unwrap();
}
