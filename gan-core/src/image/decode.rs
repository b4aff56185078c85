//! Image files to pixels. Files are not trusted: sizes are limited, and a file must be whole.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::{Image, reserve};
use crate::error::{Error, Result};

const MOST_SIDE: u32 = 16_384;
const MOST_ALLOC: u64 = 1 << 30;
const MOST_FILE: u64 = 1 << 30;

impl Image {
    /// Reads a PNG or JPEG file, recognised by its content whatever its name is.
    ///
    /// Gray becomes RGB, 16 bits a channel are rounded to 8, and a photo is turned upright as its EXIF
    /// orientation asks. Of an animation the first frame is read. Colour profiles are ignored.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it is of another format, damaged or cut
    /// short, has pixels that are not fully opaque, or is beyond 16384 pixels a side or 1 GiB; and
    /// [`Error::TooLarge`] if there is no memory for it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let about = std::fs::metadata(path).map_err(|source| Error::io("read", path, source))?;
        // Reading a pipe would wait for ever; reading a folder says by itself what is wrong.
        if !about.is_file() && !about.is_dir() {
            return Err(Error::format(path, "PNG or JPEG", "it is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MOST_FILE + 1).read_to_end(&mut bytes))
            .map_err(|source| Error::io("read", path, source))?;
        if bytes.len() as u64 > MOST_FILE {
            return Err(Error::format(path, "PNG or JPEG", "it is larger than 1 GiB"));
        }
        decode(path, &bytes)
    }
}

/// The image of a file's bytes; `path` is for messages.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Image> {
    let (format, name, whole) = match ::image::guess_format(bytes) {
        Ok(ImageFormat::Png) => (ImageFormat::Png, "PNG", png_has_end(bytes)),
        Ok(ImageFormat::Jpeg) => (ImageFormat::Jpeg, "JPEG", jpeg_has_end(bytes)),
        Ok(other) => {
            let reason = format!("it is {other:?}; convert it first");
            return Err(Error::format(path, "PNG or JPEG", reason));
        }
        Err(_) => return Err(Error::format(path, "PNG or JPEG", "it begins like neither")),
    };
    let bad = |reason: String| Error::format(path, name, reason);
    // Decoders are lenient: a JPEG that was cut short would come out with a gray rest.
    if !whole {
        return Err(bad("it ends too early".into()));
    }

    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(MOST_ALLOC);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| bad(error.to_string()))?;
    let orientation = decoder.orientation().map_err(|error| bad(error.to_string()))?;
    let (width, height) = decoder.dimensions();
    let colour = decoder.color_type();
    let size = decoder.total_bytes();
    if size > MOST_ALLOC {
        return Err(bad(format!("{width} x {height} {colour:?} is beyond 1 GiB")));
    }
    let mut raw = reserve(size as usize)?;
    raw.resize(size as usize, 0);
    decoder.read_image(&mut raw).map_err(|error| bad(error.to_string()))?;

    let pixels = to_rgb(colour, raw, &bad)?;
    upright(width, height, pixels, orientation)
}

/// Samples of any colour type (16-bit ones in the machine's byte order) to 8-bit RGB.
fn to_rgb(colour: ColorType, raw: Vec<u8>, bad: &dyn Fn(String) -> Error) -> Result<Vec<u8>> {
    let (wide, gray) = match colour {
        ColorType::Rgb8 => return Ok(raw),
        ColorType::L8 | ColorType::La8 => (false, true),
        ColorType::Rgba8 => (false, false),
        ColorType::L16 | ColorType::La16 => (true, true),
        ColorType::Rgb16 | ColorType::Rgba16 => (true, false),
        other => return Err(bad(format!("colour type {other:?} is not supported"))),
    };
    let channels = usize::from(colour.channel_count());
    let depth = if wide { 2 } else { 1 };
    let source = raw.chunks_exact(channels * depth);
    if colour.has_alpha() {
        // Opaque is all ones at either depth.
        let alpha = (channels - 1) * depth;
        if source.clone().any(|pixel| pixel[alpha..].iter().any(|&byte| byte != 0xFF)) {
            return Err(bad("it has transparency; flatten it first".into()));
        }
    }
    let sample = |pixel: &[u8], channel: usize| match wide {
        true => narrow(u16::from_ne_bytes([pixel[channel * 2], pixel[channel * 2 + 1]])),
        false => pixel[channel],
    };
    let mut pixels = reserve(source.len() * 3)?;
    for pixel in source {
        let [r, g, b] = if gray { [0; 3] } else { [0, 1, 2] };
        pixels.extend([sample(pixel, r), sample(pixel, g), sample(pixel, b)]);
    }
    Ok(pixels)
}

/// The nearest of 256 levels.
fn narrow(v: u16) -> u8 {
    ((u32::from(v) * 255 + 32_767) / 65_535) as u8
}

fn upright(width: u32, height: u32, pixels: Vec<u8>, orientation: Orientation) -> Result<Image> {
    let (w, h) = (width as usize, height as usize);
    if orientation == Orientation::NoTransforms {
        return Image::new(w, h, pixels);
    }
    let found = pixels.len();
    let image = RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| Error::shape("Image::open", format!("[{h}, {w}, 3]"), found))?;
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    Image::new(image.width() as usize, image.height() as usize, image.into_raw())
}

/// Whether the chunks of a PNG file reach to the one that ends it.
fn png_has_end(bytes: &[u8]) -> bool {
    let mut at = 8;
    while let Some([a, b, c, d, kind @ ..]) =
        bytes.get(at..).and_then(|rest| rest.first_chunk::<8>())
    {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        // Length, name and checksum are 12 bytes.
        let Some(next) = length.checked_add(12).and_then(|size| at.checked_add(size)) else {
            return false;
        };
        if kind == b"IEND" {
            return next <= bytes.len();
        }
        at = next;
    }
    false
}

/// Whether the segments of a JPEG file reach to the marker that ends it. A search for the marker would not
/// do, as a thumbnail inside has one too.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([first, code]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
        at += match (first, code) {
            (0xFF, 0xD9) => return true,
            // Padding: the second byte may begin a marker.
            (0xFF, 0xFF) => 1,
            // A stuffed 0, and markers without a segment.
            (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => 2,
            (0xFF, _) => match bytes.get(at + 2..).and_then(|rest| rest.first_chunk::<2>()) {
                Some(length) => 2 + usize::from(u16::from_be_bytes(*length)),
                None => return false,
            },
            // Compressed data, up to the next marker.
            _ => 1,
        };
    }
    false
}
