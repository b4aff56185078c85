//! What holds for all layouts, and how they are told apart.

use super::*;
use crate::checkpoint::layout::locate;

#[test]
fn constants_need_not_be_square() {
    let data = vec![0.5; 12 * 4 * 2];
    let mut dict = golden_weights(ROSINALITY_R8);
    dict.take("input.input").unwrap();
    dict.insert("input.input", tensor(&[1, 12, 4, 2], &data)).unwrap();
    let out = canonical(dict).unwrap().dict;
    assert_eq!(out.get("synthesis.b4.const"), Some(&tensor(&[12, 4, 2], &data)));

    let mut dict = golden_weights(GENFORCE_R32);
    dict.take("synthesis.early_layer.const").unwrap();
    dict.insert("synthesis.early_layer.const", tensor(&[1, 12, 4, 2], &data)).unwrap();
    let out = canonical(dict).unwrap().dict;
    assert_eq!(out.get("synthesis.b4.const"), Some(&tensor(&[12, 4, 2], &data)));
}

#[test]
fn leftovers_are_named() {
    let cases = [
        (NVIDIA_SKIP, "synthesis.b16.conv2.weight"),
        (NVIDIA_SKIP, "synthesis.b12.conv0.weight"),
        (NVIDIA_SKIP, "synthesis.b08.conv0.weight"),
        (NVIDIA_SKIP, "mapping.fc01.weight"),
        (NVIDIA_SKIP, "mapping.num_batches_tracked"),
        (NVIDIA_SKIP, "optimizer"),
        (ROSINALITY_R8, "convs.1.conv.blur.kernel"),
        (ROSINALITY_R8, "style.0.weight"),
        (ROSINALITY_R8, "convs.99.conv.weight"),
        (ROSINALITY_R8, "noises.noise_-1"),
        (ROSINALITY_R8, "opt"),
        (GENFORCE_R32, "synthesis.layer2.filter.kernel"),
        (GENFORCE_R32, "synthesis.layer.weight"),
        (GENFORCE_R32, "synthesis.output99999999999999999999.weight"),
        (GENFORCE_R32, "synthesis."),
    ];
    for (case, extra) in cases {
        let dict = merge(golden_weights(case), &named(&[extra]));
        let Err(Error::Weights { name, expected, .. }) = canonical(dict) else {
            panic!("{extra} was accepted");
        };
        assert_eq!(name, extra);
        assert!(expected.starts_with("no such tensor in a "), "{expected}");
    }
}

#[test]
fn every_wrong_rank_is_an_error_or_left_to_the_network() {
    for case in [ROSINALITY_R8, GENFORCE_LABEL, NVIDIA_SKIP] {
        let dict = golden_weights(case);
        for name in dict.names() {
            for shape in [&[][..], &[1], &[2, 2], &[1, 1, 1, 1, 1, 1], &[0], &[0, 1 << 60]] {
                let mut changed = dict.clone();
                changed.take(name).unwrap();
                let data = vec![1.0; shape.iter().product()];
                changed.insert(name, tensor(shape, &data)).unwrap();
                let result = canonical(changed);
                assert!(matches!(result, Ok(_) | Err(Error::Weights { .. })), "{name} {shape:?}");
            }
        }
    }
}

#[test]
fn ambiguous_and_unknown_layouts() {
    let message = |dict: &StateDict| match locate(dict, Family::StyleGan2) {
        Err(e @ Error::Layout { .. }) => e.to_string(),
        other => panic!("{other:?}"),
    };
    let (a, b) = (golden_weights(NVIDIA_SKIP), golden_weights(ROSINALITY_R8));
    assert!(
        message(&merge(a.clone(), &b)).contains("both NVIDIA (at the top level) and rosinality")
    );
    let levels = merge(nested(&a, "G_ema."), &nested(&b, "g_ema."));
    assert!(message(&levels).contains("under `g_ema.`"));
    let twice = merge(a.clone(), &nested(&a, "G_ema."));
    assert!(message(&twice).contains("under `G_ema.`"));
    let file = merge(nested(&a, "G_ema."), &nested(&a, "G."));
    assert_eq!(canonical(file).unwrap().dict, a);

    assert!(message(&StateDict::default()).contains("no tensors"));
    let others: [(&[&str], &str); 13] = [
        (&["b4.out.weight", "b16.fromrgb.weight", "mapping.fc0.weight"], "discriminator"),
        (&["convs.0.0.weight", "final_linear.0.weight"], "discriminator"),
        (&["mapping.fc0.weight", "synthesis.input.freqs"], "StyleGAN3"),
        (&["mapping.dense0.weight", "synthesis.layer0.const"], "StyleGAN generator"),
        (&["layer0.weight", "lod", "output2.weight"], "PGGAN"),
        (&["G.synthesis.b4.const", "D.b4.out.weight"], "raw generator"),
        (&["encoder.input_layer.0.weight"], "encoder"),
        (&["visual.proj", "logit_scale"], "CLIP"),
        (&["input_layer.0.weight", "body.0.res_layer.1.weight"], "identity"),
        (&["mapper.course_mapping.mapping.1.weight"], "editing"),
        (&["features.0.weight"], "VGG"),
        (&["lin0.model.1.weight"], "perceptual"),
        (&["other", "a", "b", "c", "d", "e"], "no layout"),
    ];
    for (names, what) in others {
        let text = message(&named(names));
        assert!(text.contains(what), "{text}");
    }
    let pggan = named(&["layer0.weight", "lod", "output2.weight"]);
    assert_eq!(recognise(&pggan).unwrap(), (Family::PgGan, Layout::Genforce));
    let both = recognise(&merge(pggan, &a)).unwrap_err().to_string();
    let expected =
        "both StyleGAN2 (NVIDIA, at the top level) and PGGAN (genforce, at the top level)";
    assert!(both.contains(expected), "{both}");
    assert!(recognise(&named(&["visual"])).unwrap_err().to_string().contains("no layout"));
    let text = message(&named(&["other", "a", "b", "c", "d", "e"]));
    assert!(text.ends_with("first tensors: a, b, c, d, e, ..."), "{text}");
    assert_eq!(Layout::Genforce.to_string(), "genforce");
}
