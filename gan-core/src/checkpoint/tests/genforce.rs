//! Conversion of genforce's layout.

use super::*;
use crate::checkpoint::layout::locate;

#[test]
fn genforce_names_and_shapes() {
    let out = canonical(golden_weights(GENFORCE_R32)).unwrap();
    assert_eq!((out.layout, out.label_norm_joint), (Layout::Genforce, false));
    assert_eq!(names(&out.dict), canonical_names(32, 8, 0, true));
    let shape = |name: &str| out.dict.get(name).unwrap().shape.clone();
    assert_eq!(shape("synthesis.b4.const"), [12, 4, 4]);
    assert_eq!(shape("synthesis.b32.conv0.weight"), [4, 8, 3, 3]);
    assert_eq!(shape("synthesis.b32.conv1.noise_const"), [32, 32]);
    assert_eq!(shape("synthesis.b32.torgb.weight"), [3, 4, 1, 1]);
    assert_eq!(shape("synthesis.b32.resample_filter"), [4, 4]);
    assert_eq!(shape("mapping.fc7.weight"), [16, 20]);

    let label = canonical(golden_weights(GENFORCE_LABEL)).unwrap();
    assert!(label.label_norm_joint);
    assert_eq!(names(&label.dict), canonical_names(16, 4, 4, true));
}

#[test]
fn genforce_values() {
    let (file, dict) = (golden(GENFORCE_R32), golden_weights(GENFORCE_R32));
    let out = canonical(dict.clone()).unwrap().dict;
    let data = |name: &str| out.get(name).unwrap().data.clone();
    let raw = |name: &str| dict.get(&format!("synthesis.{name}")).unwrap().data.clone();

    let gain = (1.0 / 108f64.sqrt()) as f32;
    let (up, kernel) = (data("synthesis.b16.conv0.weight"), raw("layer3.weight"));
    assert_eq!(up.len(), 8 * 12 * 9);
    for (i, x) in up.iter().enumerate() {
        let (plane, tap) = (i / 9, i % 9);
        assert_eq!(*x, kernel[plane * 9 + 8 - tap] * gain);
    }
    let plain: Vec<_> = raw("layer2.weight").iter().map(|x| x * gain).collect();
    assert_eq!(data("synthesis.b8.conv1.weight"), plain);
    assert_eq!(data("synthesis.b16.torgb.weight"), raw("output2.weight"));
    let bias: Vec<_> = raw("output2.style.bias").iter().map(|x| x + 1.0).collect();
    assert_eq!(data("synthesis.b16.torgb.affine.bias"), bias);
    assert_eq!(data("synthesis.b16.conv1.noise_const"), raw("layer4.noise"));
    assert_eq!(data("synthesis.b16.conv1.noise_strength"), raw("layer4.noise_strength"));
    assert_eq!(data("mapping.w_avg"), dict.get("truncation.w_avg").unwrap().data);
    for name in ["b4", "b32", "b8.conv0", "b8.conv1", "b4.conv1"] {
        let name = format!("synthesis.{name}.resample_filter");
        assert_eq!(out.get(&name), Some(&default_filter()), "{name}");
    }
    // Style vectors as the original computed them, from the position of each layer.
    let wp = &file.get("out.wp").unwrap().data;
    let layers = [
        ("style00", "b4.conv1", 0),
        ("style05", "b32.conv0", 5),
        ("output_style3", "b32.torgb", 7),
    ];
    for (name, place, position) in layers {
        let expected = &file.get(&format!("out.{name}")).unwrap().data;
        let ours = affine(&out, &format!("synthesis.{place}.affine"), &wp[position * 16..][..16]);
        assert_close(&ours, &expected[..ours.len()], 2e-5);
    }
}

#[test]
fn genforce_label_embedding() {
    let file = golden(GENFORCE_LABEL);
    let out = canonical(file.subset("weights.")).unwrap().dict;
    assert_eq!(out.get("mapping.embed.weight").unwrap().shape, [10, 4]);
    let labels = file.names().find(|n| n.starts_with("in.l")).unwrap();
    let label = &file.get(labels).unwrap().data[..4];
    let ours = affine(&out, "mapping.embed", label);
    assert_close(&ours, &file.get("out.embedding").unwrap().data[..10], 2e-5);
}

#[test]
fn genforce_training_file() {
    let dict = golden_weights(GENFORCE_LABEL);
    let smooth = nested(&dict, "generator_smooth.");
    let mut raw = StateDict::default();
    for (name, t) in dict.iter() {
        raw.insert(format!("generator.{name}"), t.clone().scale(2.0)).unwrap();
    }
    let file = merge(merge(smooth, &raw), &named(&["discriminator.input0.weight"]));
    assert_eq!(locate(&file, Family::StyleGan2).unwrap(), (Layout::Genforce, "generator_smooth."));
    let out = canonical(file).unwrap().dict;
    let mut buffers = merge(dict, &named(&["truncation.truncation", "synthesis.lod", "lod"]));
    assert_eq!(canonical(buffers.clone()).unwrap().dict, out);
    assert_eq!(locate(&raw, Family::StyleGan2).unwrap(), (Layout::Genforce, "generator."));
    assert_ne!(canonical(raw).unwrap().dict, out);

    // An average of another shape, and an embedding that could ask for all memory.
    buffers.take("mapping.label_weight").unwrap();
    buffers.insert("mapping.label_weight", tensor(&[0, 1 << 60], &[])).unwrap();
    assert!(matches!(canonical(buffers), Err(Error::Weights { .. })));
}

#[test]
fn genforce_asymmetric_filter_becomes_a_convolutions() {
    let mut dict = golden_weights(GENFORCE_LABEL);
    let taps: Vec<f32> = (0..16).map(|x| x as f32).collect();
    dict.take("synthesis.upsample.kernel").unwrap();
    dict.insert("synthesis.upsample.kernel", tensor(&[1, 1, 4, 4], &taps)).unwrap();
    let out = canonical(dict).unwrap().dict;
    let expected: Vec<f32> = (0..16).rev().map(|x| x as f32 / 4.0).collect();
    assert_eq!(out.get("synthesis.b8.resample_filter").unwrap().data, expected);
    assert_eq!(out.get("synthesis.b8.conv0.resample_filter"), Some(&default_filter()));
}
