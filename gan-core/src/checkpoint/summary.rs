//! What a file was found to hold.

use std::fmt;

use super::container::Container;
use super::layout::{Family, Layout, recognise};
use super::state_dict::StateDict;

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
    /// What the file says about its licence or copyright, if anything.
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
            resolution: generator.and_then(|_| resolution(dict)),
            tensors: dict.len(),
            parameters: dict.names().map(values).sum(),
            licence: licence.iter().find_map(|key| dict.metadata().get(*key).cloned()),
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
fn resolution(dict: &StateDict) -> Option<usize> {
    let (_, layout) = recognise(dict).ok()?;
    let names = super::layout::generator_names(dict);
    let number = |text: &str| text.parse::<usize>().ok().filter(|n| *n <= 1 << 16);
    let largest = |numbers: &mut dyn Iterator<Item = usize>| numbers.max();
    // Numbers after a mark, up to the next dot or cross.
    let after = |mark: &'static str| {
        names.iter().filter_map(move |name| {
            let rest = name.split(mark).nth(1)?;
            number(rest.split(['.', 'x', '/']).next()?)
        })
    };
    let doublings = |n: usize| (n < 16).then(|| 4 << n);
    match layout {
        Layout::Nvidia => largest(&mut after("b")),
        Layout::TensorFlow => doublings(
            super::tensorflow::most_doublings(&dict.subset("Gs."))
                .max(super::tensorflow::most_doublings(dict)),
        ),
        Layout::Rosinality => doublings(largest(&mut after("to_rgbs."))? + 1),
        Layout::Genforce | Layout::InterfaceGan | Layout::MganPrior => {
            doublings(largest(&mut after("output"))?)
        }
        Layout::HuggingFace => {
            // Every second block doubles; attention has no normalisation.
            let blocks = names.iter().filter(|n| n.ends_with("bn_0.running_means")).count();
            doublings(blocks / 2)
        }
    }
}
