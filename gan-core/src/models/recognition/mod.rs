//! Small networks that look at images: they tell [attributes](AttributeNet), [mark](Segmenter) what each pixel shows, and
//! [recognise](IdentityNet) who is depicted.
//!
//! The three share their first layers, a pyramid of features like that of a StyleGAN2 discriminator of the kind `resnet`: without
//! a normalisation, with the equalised learning rate and leaky ReLU, and without minibatch statistics, so that images do not see each
//! other. It starts at half of the resolution, which makes it small enough to be trained on one core of a processor in minutes. They were designed
//! for this library, and no other program has weights for them.

mod attributes;
mod config;
mod identity;
mod layer;
mod pyramid;
mod segmenter;

pub use attributes::AttributeNet;
pub use config::Config;
pub use identity::IdentityNet;
pub use segmenter::Segmenter;

use crate::error::{Error, Result};

/// Whether a file's metadata, one a line and parted by tabs, can carry names.
fn check_names<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<()> {
    match names.into_iter().find(|name| name.is_empty() || name.contains(char::is_control)) {
        None => Ok(()),
        Some(name) => {
            let expected = "some characters, no line breaks or tabs among them";
            Err(Error::argument("name", expected, format!("{name:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attribute, AttributeKind, Device, Philox};

    #[test]
    fn names_that_no_file_can_carry_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network");
        let config = Config { resolution: 8, channels: vec![4, 4], width: 4 };
        let (device, random) = (Device::cpu(), || Philox::new(0));
        let classes = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        let [good, broken, empty] = [["a b", "c"], ["a\nb", "c"], ["a", ""]].map(classes);

        let params = config.segmenter(2, &mut random(), &device).unwrap();
        Segmenter::to_state_dict(&params, &good).unwrap().save(&path).unwrap();
        assert_eq!(Segmenter::open(&path, &device).unwrap().classes(), good);
        for bad in [&broken, &empty] {
            assert!(Segmenter::to_state_dict(&params, bad).is_err(), "{bad:?}");
        }
        assert!(Segmenter::from_params(params, vec!["c".into(); 257]).is_err());

        let attribute = |names: &[String]| {
            vec![Attribute { name: "hat".into(), kind: AttributeKind::Choice(names.to_vec()) }]
        };
        let params = config.attributes(&attribute(&good), &mut random(), &device).unwrap();
        AttributeNet::to_state_dict(&params, &attribute(&good)).unwrap().save(&path).unwrap();
        assert_eq!(
            crate::Classifier::attributes(&AttributeNet::open(&path, &device).unwrap()),
            attribute(&good)
        );
        for bad in [&broken, &empty, &classes(["a\tb", "c"])] {
            assert!(AttributeNet::to_state_dict(&params, &attribute(bad)).is_err(), "{bad:?}");
        }
    }
}
