//! Cutting a generator between two layers.

use crate::error::{Error, Result};
use crate::generator::Generator;
use crate::latent::{Labels, Z};
use crate::tensor::Tensor;

/// A generator that can be cut between two layers: codes to features, and features to an image.
///
/// mGANprior composes features there (section 3.1 of Gu et al. 2020), GANSpace looks at them (section 2.2 of Harkonen et
/// al. 2020), and a head that many images share need run only once.
///
/// ```
/// use gan_core::{Device, Seeds, Staged, StyleGan2};
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/models/portraits64.safetensors");
/// let g = StyleGan2::open(path, &Device::cpu())?;
/// let codes = g.codes(&g.sample(&Seeds::from(0..1))?, None)?;
/// let stage = g.stage("b16.conv1")?;
/// let features = g.head(&codes, stage)?;
/// let darker = features.with_maps(features.maps().scale(0.9)?)?;
/// assert_eq!(g.tail(&darker, &codes)?.shape(), [1, 3, 64, 64]);
/// # Ok::<(), gan_core::Error>(())
/// ```
pub trait Staged: Generator {
    /// What steers the layers.
    type Codes;

    /// What a code of the prior means for the layers, without truncation.
    ///
    /// # Errors
    /// As [`Generator::generate`].
    fn codes(&self, z: &Z, labels: Option<&Labels>) -> Result<Self::Codes>;

    /// Where it can be cut, in order: before the first layer, after each, and after the image is made.
    fn stages(&self) -> Vec<Stage>;

    /// The index of the stage of that name.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none.
    fn stage(&self, name: &str) -> Result<usize> {
        let stages = self.stages();
        stages.iter().position(|s| s.name == name).ok_or_else(|| {
            let names: Vec<&str> = stages.iter().map(|s| s.name.as_str()).collect();
            Error::argument("stage", format!("one of {}", names.join(", ")), name)
        })
    }

    /// The features of codes at a stage, an index into [`Staged::stages`]. Noise is that stored with the network.
    ///
    /// # Errors
    /// [`Error::Argument`] for a stage outside the network, [`Error::Latent`] for codes of another geometry.
    fn head(&self, codes: &Self::Codes, stage: usize) -> Result<Features>;

    /// The images `[n, c, h, w]` of features; the layers that are left are steered by `codes`, one for each sample.
    ///
    /// # Errors
    /// [`Error::Shape`] for features of another shape or number than that stage has, [`Error::Argument`] for a stage
    /// outside the network, [`Error::Latent`] for codes of another geometry.
    fn tail(&self, features: &Features, codes: &Self::Codes) -> Result<Tensor>;

    /// The images `[n, c, h, w]` of codes.
    ///
    /// # Errors
    /// As [`Staged::head`].
    fn image(&self, codes: &Self::Codes) -> Result<Tensor> {
        Ok(self.head(codes, self.stages().len() - 1)?.maps)
    }
}

/// A place between two layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Name of the layer in front of it, such as `b8.conv0`; of the first stage, what the first layer sees; of the last,
    /// `image`.
    pub name: String,
    /// Channels, height and width of the features.
    pub maps: [usize; 3],
    /// Colours, height and width of the image so far, where one runs beside the features: in networks of the architecture
    /// `skip`, and in those whose last block is still fading in.
    pub image: Option<[usize; 3]>,
    /// Channels, height and width of what is added after the block's second layer, between the layers of a residual block.
    pub around: Option<[usize; 3]>,
}

impl Stage {
    /// With features alone.
    pub(crate) fn new(name: impl Into<String>, maps: [usize; 3]) -> Self {
        Stage { name: name.into(), maps, image: None, around: None }
    }
}

/// What a generator has computed up to a stage.
#[derive(Clone, Debug)]
pub struct Features {
    pub(crate) stage: usize,
    pub(crate) maps: Tensor,
    pub(crate) image: Option<Tensor>,
    pub(crate) around: Option<Tensor>,
}

impl Features {
    /// Features `[n, c, h, w]` at a stage where nothing runs beside them.
    ///
    /// # Errors
    /// [`Error::Shape`] for another rank.
    pub fn new(stage: usize, maps: Tensor) -> Result<Self> {
        maps.dims4("features")?;
        Ok(Features { stage, maps, image: None, around: None })
    }

    /// The stage, an index into [`Staged::stages`].
    pub fn stage(&self) -> usize {
        self.stage
    }

    /// What the next layer sees, `[n, c, h, w]`.
    pub fn maps(&self) -> &Tensor {
        &self.maps
    }

    /// The image so far, `[n, colours, h, w]`, without what these features add to it; see [`Stage::image`].
    pub fn image(&self) -> Option<&Tensor> {
        self.image.as_ref()
    }

    /// With other features; what runs beside them stays.
    ///
    /// # Errors
    /// [`Error::Shape`] for another shape.
    pub fn with_maps(&self, maps: Tensor) -> Result<Self> {
        if maps.shape() != self.maps.shape() {
            return Err(Error::shape("features", format!("{:?}", self.maps.shape()), maps.shape()));
        }
        Ok(Features { maps, ..self.clone() })
    }

    /// The last stage: the image is what is left.
    pub(crate) fn finished(self) -> Result<Self> {
        let image = self
            .image
            .ok_or_else(|| Error::shape("image", "a layer that makes colours", "none"))?;
        Features::new(self.stage + 1, image)
    }

    /// An error unless they are what a network with these stages has at theirs, for `n` samples.
    pub(crate) fn check(&self, stages: &[Stage], n: usize) -> Result<()> {
        let stage = &stages[check_stage(stages, self.stage)?];
        let shape = |s: [usize; 3]| [n, s[0], s[1], s[2]];
        if self.maps.shape() != shape(stage.maps) {
            let expected = format!("{:?} at stage `{}`", shape(stage.maps), stage.name);
            return Err(Error::shape("features", expected, self.maps.shape()));
        }
        let beside = [
            ("image beside the features", &self.image, stage.image),
            ("path around the block", &self.around, stage.around),
        ];
        for (what, found, expected) in beside {
            if found.as_ref().map(Tensor::shape) != expected.map(shape).as_ref().map(|s| &s[..]) {
                let text = match expected {
                    Some(expected) => format!(
                        "{:?} at stage `{}`; start from features that the network made",
                        shape(expected),
                        stage.name
                    ),
                    None => format!("none at stage `{}`", stage.name),
                };
                let found =
                    found.as_ref().map_or("none".to_owned(), |t| format!("{:?}", t.shape()));
                return Err(Error::argument(what, text, found));
            }
        }
        Ok(())
    }
}

/// The index, if there is such a stage.
pub(crate) fn check_stage(stages: &[Stage], stage: usize) -> Result<usize> {
    match stages.get(stage) {
        Some(_) => Ok(stage),
        None => {
            let name = |s: Option<&Stage>| s.map_or("none", |s| s.name.as_str()).to_owned();
            let (first, last) = (name(stages.first()), name(stages.last()));
            let expected =
                format!("0 (`{first}`) to {} (`{last}`)", stages.len().saturating_sub(1));
            Err(Error::argument("stage", expected, stage))
        }
    }
}
