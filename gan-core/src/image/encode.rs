//! Pixels to image files, all or nothing.

use std::fs::create_dir_all;
use std::io::Write;
use std::path::Path;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder};

use super::Image;
use crate::error::{Error, Result};

/// High enough that artefacts in a picture are the network's.
const JPEG_QUALITY: u8 = 95;

impl Image {
    /// Writes a PNG or JPEG file, as the extension asks (.png, .jpg or .jpeg in any case), and creates the
    /// folders of `path` that are missing. A file that was there is replaced in one step: whatever goes
    /// wrong, no half-written file is left.
    ///
    /// # Errors
    /// [`Error::Argument`] for another extension or a JPEG of more than 65535 pixels a side, and
    /// [`Error::Io`] if a folder or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = self.encode(path)?;

        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        create_dir_all(folder).map_err(|source| Error::io("create folder", folder, source))?;
        let mut options = tempfile::Builder::new();
        // Temporary files are the owner's alone; this one is to get the permissions of any new file, which
        // the system cuts down to what the user allows.
        #[cfg(unix)]
        options.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let written = options.tempfile_in(folder).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)
        });
        written.map(drop).map_err(|source| Error::io("write", path, source))
    }

    /// Whether [`Image::save`] knows the format that the name asks for, so that long work need not end in a refusal.
    ///
    /// # Errors
    /// [`Error::Argument`] for names that end in anything but .png, .jpg or .jpeg.
    pub fn check_name(path: impl AsRef<Path>) -> Result<()> {
        is_jpeg(path.as_ref()).map(drop)
    }

    /// The file's bytes, in the format that the extension of `path` asks for.
    fn encode(&self, path: &Path) -> Result<Vec<u8>> {
        let jpeg = is_jpeg(path)?;
        let most = usize::from(u16::MAX);
        if jpeg && self.width.max(self.height) > most {
            let found = format!("{} x {}", self.width, self.height);
            let expected = format!("at most {most} pixels a side for a JPEG");
            return Err(Error::argument("output", expected, found));
        }
        // Neither side exceeds 2^30.
        let (width, height) = (self.width as u32, self.height as u32);
        let colour = ExtendedColorType::Rgb8;
        let mut bytes = Vec::new();
        let encoded = match jpeg {
            true => JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).write_image(
                &self.pixels,
                width,
                height,
                colour,
            ),
            false => PngEncoder::new(&mut bytes).write_image(&self.pixels, width, height, colour),
        };
        match encoded {
            Ok(()) => Ok(bytes),
            Err(error) => Err(Error::io("encode", path, std::io::Error::other(error))),
        }
    }
}

fn is_jpeg(path: &Path) -> Result<bool> {
    let extension = path.extension().and_then(|name| name.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("png") => Ok(false),
        Some("jpg" | "jpeg") => Ok(true),
        _ => {
            let expected = "a name that ends in .png, .jpg or .jpeg";
            Err(Error::argument("output", expected, path.display()))
        }
    }
}
