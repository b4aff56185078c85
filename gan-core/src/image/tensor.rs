//! Between images and tensors.

use crate::backend::Device;
use crate::error::Result;
use crate::image::Image;
use crate::tensor::Tensor;

impl Image {
    /// The images of a batch `[n, 3, h, w]` or `[n, 1, h, w]`, values in [-1, 1].
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for another rank, [`Error::Argument`](crate::Error::Argument) for other numbers
    /// of channels.
    pub fn from_tensor(batch: &Tensor) -> Result<Vec<Image>> {
        let [_, c, h, w] = batch.dims4("images")?;
        let values = batch.to_vec::<f32>()?;
        values.chunks_exact(c * h * w).map(|planes| Image::from_planar(planes, c, h, w)).collect()
    }

    /// The image as a batch of one, `[1, 3, h, w]`, values in [-1, 1].
    ///
    /// # Errors
    /// When the device's memory runs out.
    pub fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        Tensor::from_vec(self.to_planar(), &[1, 3, self.height(), self.width()], device)
    }
}
