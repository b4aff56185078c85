//! The canonical names themselves.

use super::*;

#[test]
fn nvidia_is_canonical_already() {
    let dict = golden_weights(NVIDIA_SKIP);
    let out = canonical(dict.clone()).unwrap();
    assert_eq!((out.layout, out.label_norm_joint), (Layout::Nvidia, false));
    assert_eq!(out.dict, dict);
    assert_eq!(names(&out.dict), canonical_names(16, 2, 0, true));

    let resnet = golden_weights(NVIDIA_RESNET);
    assert_eq!(canonical(resnet.clone()).unwrap().dict, resnet);
}

#[test]
fn nvidia_parts_get_their_prefix() {
    let synthesis = golden_weights(NVIDIA_SYNTHESIS);
    let out = canonical(synthesis.clone()).unwrap();
    assert_eq!(out.dict.subset("synthesis."), synthesis);
    assert_eq!(out.dict.len(), synthesis.len());

    let mapping = golden_weights(NVIDIA_MAPPING);
    let out = canonical(mapping.clone()).unwrap();
    assert_eq!(out.dict.subset("mapping."), mapping);
    assert_eq!(canonical(out.dict.clone()).unwrap().dict, out.dict);
}
