//! What a file was found to hold.

use std::fmt;

use super::container::Container;
use super::layout::{Family, Layout, generator_names, recognise};
use super::shown;
use super::state_dict::StateDict;
use super::tensorflow::most_doublings;

/// An opened file.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The kind of file.
    pub container: Container,
    /// Its tensors.
    pub tensors: StateDict,
}

/// What an opened file holds, in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The kind of file.
    pub container: Container,
    /// Family and layout of the generator, if there is one that this crate reads.
    pub generator: Option<(Family, Layout)>,
    /// Pixels of the generator's images along a side, as far as the names tell.
    pub resolution: Option<usize>,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of values in all tensors, of all networks in the file.
    pub parameters: usize,
    /// How what the file says about its licence or copyright begins, if it says anything.
    pub licence: Option<String>,
}

impl Checkpoint {
    /// What it holds, from names and shapes; nothing is decoded.
    pub fn summary(&self) -> Summary {
        let dict = &self.tensors;
        let generator = recognise(dict).ok();
        let values = |name| dict.shape(name).map_or(0, |s| s.iter().product::<usize>());
        let licence = ["licence", "license", "LICENSE"];
        Summary {
            container: self.container,
            generator,
            resolution: generator.and_then(|(_, layout)| resolution(dict, layout)),
            tensors: dict.len(),
            parameters: dict.names().map(values).sum(),
            licence: licence
                .iter()
                .find_map(|key| dict.metadata().get(*key))
                .map(|text| shown(text)),
        }
    }
}

/// The line that [`Summary`] makes.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.container)?;
        match self.generator {
            Some((family, layout)) => write!(f, "{family} generator of {layout}, ")?,
            None => f.write_str("no known generator, ")?,
        }
        if let Some(pixels) = self.resolution {
            write!(f, "{pixels} pixels, ")?;
        }
        write!(f, "{} tensors of {} values", self.tensors, self.parameters)?;
        match &self.licence {
            Some(licence) => write!(f, ", {licence}"),
            None => Ok(()),
        }
    }
}

/// The largest side in the generator's names, or as many doublings as they number.
fn resolution(dict: &StateDict, layout: Layout) -> Option<usize> {
    let names = generator_names(dict);
    // The largest number after a mark, up to the next dot.
    let largest = |mark: &str| {
        let number = |name: &&str| name.split_once(mark)?.1.split('.').next()?.parse().ok();
        names.iter().filter_map(number).max()
    };
    let doublings = match layout {
        Layout::Nvidia => return largest("b").filter(|side| *side <= 4 << 16),
        Layout::TensorFlow => most_doublings(names.iter().copied()),
        Layout::Rosinality => largest("to_rgbs.")?.checked_add(1)?,
        Layout::Genforce | Layout::InterfaceGan | Layout::MganPrior => largest("output")?,
        // Every second block doubles; attention has no normalisation.
        Layout::HuggingFace => {
            names.iter().filter(|name| name.ends_with("bn_0.running_means")).count() / 2
        }
    };
    (doublings < 16).then(|| 4 << doublings)
}
