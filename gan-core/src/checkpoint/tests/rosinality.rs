//! Conversion of rosinality's layout.

use super::*;

#[test]
fn rosinality_names_and_shapes() {
    let out = canonical(golden_weights(ROSINALITY_R16)).unwrap();
    assert_eq!((out.layout, out.label_norm_joint), (Layout::Rosinality, false));
    assert_eq!(names(&out.dict), canonical_names(16, 2, 0, false));
    let shape = |name: &str| out.dict.get(name).unwrap().shape.clone();
    assert_eq!(shape("synthesis.b4.const"), [12, 4, 4]);
    assert_eq!(shape("synthesis.b16.conv0.weight"), [8, 12, 3, 3]);
    assert_eq!(shape("synthesis.b16.conv1.noise_const"), [16, 16]);
    assert!(shape("synthesis.b16.conv1.noise_strength").is_empty());
    assert_eq!(shape("synthesis.b16.torgb.weight"), [3, 8, 1, 1]);
    assert_eq!(shape("synthesis.b16.torgb.bias"), [3]);
    assert_eq!(shape("synthesis.b16.torgb.affine.weight"), [8, 16]);

    let mlp8 = canonical(golden_weights(ROSINALITY_R8)).unwrap();
    assert_eq!(names(&mlp8.dict), canonical_names(8, 8, 0, false));
}

#[test]
fn rosinality_values() {
    let (file, dict) = (golden(ROSINALITY_R16), golden_weights(ROSINALITY_R16));
    let out = canonical(dict.clone()).unwrap().dict;
    let data = |name: &str| out.get(name).unwrap().data.clone();
    let raw = |name: &str| dict.get(name).unwrap().data.clone();

    let gain = (1.0 / 108f64.sqrt()) as f32;
    let scaled = |name: &str| raw(name).iter().map(|x| x * gain).collect::<Vec<_>>();
    assert_eq!(data("synthesis.b4.conv1.weight"), scaled("conv1.conv.weight"));
    assert_eq!(data("synthesis.b8.conv1.weight"), scaled("convs.1.conv.weight"));
    assert_eq!(data("synthesis.b16.conv0.weight"), scaled("convs.2.conv.weight"));
    assert_eq!(data("synthesis.b16.torgb.weight"), raw("to_rgbs.1.conv.weight"));
    assert_eq!(data("synthesis.b4.torgb.bias"), raw("to_rgb1.bias"));
    assert_eq!(data("synthesis.b16.conv0.noise_const"), raw("noises.noise_3"));
    assert_eq!(data("synthesis.b16.conv1.noise_strength"), raw("convs.3.noise.weight"));
    assert_eq!(data("mapping.fc1.bias"), raw("style.2.bias"));
    for name in ["b4", "b16", "b8.conv0", "b8.conv1", "b4.conv1"] {
        let name = format!("synthesis.{name}.resample_filter");
        assert_eq!(out.get(&name), Some(&default_filter()), "{name}");
    }
    // Style vectors as the original computed them, from the position of each layer.
    let w = &file.get("in.wplus").unwrap().data;
    for (layer, place, position) in [("convs.2", "b16.conv0", 3), ("to_rgbs.1", "b16.torgb", 5)] {
        let expected = &file.get(&format!("out.styles.{layer}")).unwrap().data;
        let ours = affine(&out, &format!("synthesis.{place}.affine"), &w[position * 16..][..16]);
        assert_close(&ours, &expected[..ours.len()], 2e-5);
    }
}

#[test]
fn rosinality_training_file_and_average() {
    let dict = golden_weights(ROSINALITY_R8);
    let average = golden(ROSINALITY_R8).take("in.truncation_latent").unwrap();
    let mut file = nested(&dict, "g_ema.");
    file = merge(file, &nested(&dict, "g."));
    file = merge(file, &named(&["d.final_linear.0.weight", "g_optim.state"]));
    file.insert("latent_avg", average.clone()).unwrap();
    assert_eq!(recognise(&file).unwrap(), (Family::StyleGan2, Layout::Rosinality));
    let out = canonical(file).unwrap().dict;
    assert_eq!(names(&out), canonical_names(8, 8, 0, true));
    assert_eq!(out.get("mapping.w_avg").unwrap(), &tensor(&[10], &average.data));

    // Inside the level, without the dimension of 1.
    let mut inside = dict.clone();
    inside.insert("latent_avg", tensor(&[10], &average.data)).unwrap();
    assert_eq!(canonical(inside.clone()).unwrap().dict, out);
    // In both places: which one?
    let mut both = nested(&inside, "g_ema.");
    both.insert("latent_avg", average).unwrap();
    assert!(matches!(canonical(both), Err(Error::Weights { .. })));
    // One average a layer, as encoders write it, is another thing.
    let mut many = dict;
    many.insert("latent_avg", tensor(&[2, 1], &[0.0, 1.0])).unwrap();
    let message = canonical(many).unwrap_err().to_string();
    assert!(message.contains("latent_avg") && message.contains("[1, _]"), "{message}");
}
