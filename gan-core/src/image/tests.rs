//! Files, pixels and sheets, through the public interface and with damaged files.

use std::path::Path;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder};
use proptest::prelude::*;

use super::decode::decode;
use super::{Grid, Image, from_u8, to_u8};
use crate::error::{Error, Result};

/// Smooth, so that JPEG keeps it, and without symmetry, so that a wrong orientation shows.
fn picture(width: usize, height: usize) -> Image {
    let pixel = |i: usize| {
        let (x, y) = (i % width, i / width);
        [
            (x * 255 / width) as u8,
            (y * 255 / height) as u8,
            (64 + (x + y) * 128 / (width + height)) as u8,
        ]
    };
    Image::new(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
}

fn png(raw: &[u8], width: u32, height: u32, colour: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(raw, width, height, colour).unwrap();
    bytes
}

fn jpeg(image: &Image) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95)
        .write_image(
            image.pixels(),
            image.width() as u32,
            image.height() as u32,
            ExtendedColorType::Rgb8,
        )
        .unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Image> {
    decode(Path::new("a file"), bytes)
}

/// Samples of 16 bits in the byte order that the encoder takes.
fn wide(samples: &[u16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect()
}

fn largest_difference(a: &Image, b: &Image) -> u8 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    a.pixels().iter().zip(b.pixels()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn reason(result: Result<Image>) -> String {
    match result {
        Err(error @ Error::Format { .. }) => error.to_string(),
        other => panic!("expected Error::Format, found {other:?}"),
    }
}

#[test]
fn sizes_are_checked() {
    assert!(matches!(Image::new(2, 2, vec![0; 11]), Err(Error::Shape { .. })));
    assert!(matches!(Image::new(0, 2, vec![]), Err(Error::Argument { .. })));
    assert!(matches!(Image::filled(3, 0, [0; 3]), Err(Error::Argument { .. })));
    for (width, height) in
        [(1 << 15, 1 << 15), (usize::MAX, 2), (usize::MAX, 1), (1 << 40, 1 << 40)]
    {
        let found = Image::filled(width, height, [0; 3]);
        assert!(matches!(found, Err(Error::TooLarge { what: "image", .. })), "{width} x {height}");
    }
    let image = Image::filled(3, 2, [1, 2, 3]).unwrap();
    assert_eq!(image.pixel(2, 1), Some([1, 2, 3]));
    assert_eq!(image.pixel(3, 0), None);
    assert_eq!(image.pixel(0, 2), None);
    assert_eq!(image.pixel(0, usize::MAX), None);
    assert_eq!(image.into_pixels(), [1, 2, 3].repeat(6));
}

#[test]
fn bytes_are_rounded_as_the_reference_does() {
    for (value, byte) in [
        (-1.0, 0),
        (1.0, 255),
        (0.0, 128),
        (-7.0, 0),
        (7.0, 255),
        (-1.0 / 127.5, 127),
        (0.999 / 127.5, 128),
        (f32::INFINITY, 255),
        (f32::NEG_INFINITY, 0),
        (f32::NAN, 0),
    ] {
        assert_eq!(to_u8(value), byte, "{value}");
    }
    assert!((0..=255).all(|byte| to_u8(from_u8(byte)) == byte));
    assert_eq!((from_u8(0), from_u8(255)), (-1.0, 1.0));
}

#[test]
fn planes_go_there_and_back() {
    let image = picture(5, 3);
    let planes = image.to_planar();
    assert_eq!(planes.len(), 45);
    assert_eq!(planes[15 + 5], from_u8(image.pixel(0, 1).unwrap()[1]));
    assert_eq!(Image::from_planar(&planes, 3, 3, 5).unwrap(), image);

    let gray = Image::from_planar(&[-1.0, 0.0], 1, 2, 1).unwrap();
    assert_eq!(gray.pixels(), [0, 0, 0, 128, 128, 128]);

    assert!(matches!(Image::from_planar(&[0.0; 8], 2, 2, 2), Err(Error::Argument { .. })));
    assert!(matches!(Image::from_planar(&[0.0; 8], 3, 2, 2), Err(Error::Shape { .. })));
    assert!(matches!(Image::from_planar(&[], 3, 0, 2), Err(Error::Argument { .. })));
}

#[test]
fn upscaling_repeats_pixels() {
    let image = Image::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
    let large = image.upscale(2).unwrap();
    assert_eq!(large.pixels(), [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6].repeat(2));
    assert_eq!(image.upscale(1).unwrap(), image);
    assert!(matches!(image.upscale(0), Err(Error::Argument { .. })));
    assert!(matches!(image.upscale(usize::MAX), Err(Error::TooLarge { .. })));
}

#[test]
fn files_go_there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(37, 21);
    // In folders that do not exist yet.
    let path = folder.path().join("a/b/image.PNG");
    image.save(&path).unwrap();
    assert_eq!(Image::open(&path).unwrap(), image);
    // Replaced, and read by its content in spite of its name.
    let jpeg = folder.path().join("a/image.jpg");
    image.save(&jpeg).unwrap();
    std::fs::rename(&jpeg, &path).unwrap();
    assert!(largest_difference(&Image::open(&path).unwrap(), &image) < 16);
    let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[cfg(unix)]
#[test]
fn files_have_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let path = folder.path().join("image.png");
    picture(2, 2).save(&path).unwrap();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(2, 2);
    for name in ["image.gif", "image", ".png", "image.png.txt"] {
        let error = image.save(folder.path().join(name)).unwrap_err();
        assert!(matches!(error, Error::Argument { what: "output", .. }), "{name}: {error}");
    }
    // A file where a folder has to be, and a folder where the file has to be.
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::fs::create_dir(folder.path().join("folder.png")).unwrap();
    for name in ["file/image.png", "folder.png"] {
        let error = image.save(folder.path().join(name)).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{name}: {error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);

    let error = Image::filled(65_536, 1, [0; 3]).unwrap().save(folder.path().join("wide.jpg"));
    assert!(matches!(error, Err(Error::Argument { .. })));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing.png"), folder.path().to_owned()] {
        assert!(matches!(Image::open(path), Err(Error::Io { action: "read", .. })));
    }
    assert!(reason(read(b"")).contains("begins like neither"));
    assert!(reason(read(b"not an image, but text")).contains("begins like neither"));
    assert!(reason(read(b"GIF89a and so on")).contains("Gif"));
}

#[test]
fn gray_becomes_rgb() {
    let image = read(&png(&[0, 100, 255, 7], 2, 2, ExtendedColorType::L8)).unwrap();
    assert_eq!(image.pixels(), [0, 0, 0, 100, 100, 100, 255, 255, 255, 7, 7, 7]);
    let image = read(&png(&[9, 255, 8, 255], 2, 1, ExtendedColorType::La8)).unwrap();
    assert_eq!(image.pixels(), [9, 9, 9, 8, 8, 8]);
}

#[test]
fn sixteen_bits_are_rounded() {
    let samples = [0, 128, 129, 32_767, 32_768, 65_535];
    let image = read(&png(&wide(&samples), 2, 1, ExtendedColorType::Rgb16)).unwrap();
    assert_eq!(image.pixels(), [0, 0, 1, 127, 128, 255]);
    let image = read(&png(&wide(&samples[..2]), 2, 1, ExtendedColorType::L16)).unwrap();
    assert_eq!(image.pixels(), [0; 6]);
    let samples = [1000, 2000, 3000, 65_535];
    let image = read(&png(&wide(&samples), 1, 1, ExtendedColorType::Rgba16)).unwrap();
    assert_eq!(image.pixels(), [4, 8, 12]);
}

#[test]
fn transparency_is_refused() {
    let opaque = read(&png(&[1, 2, 3, 255], 1, 1, ExtendedColorType::Rgba8)).unwrap();
    assert_eq!(opaque.pixels(), [1, 2, 3]);
    let almost = wide(&[1, 2, 3, 65_534]);
    for bytes in [
        png(&[1, 2, 3, 255, 1, 2, 3, 254], 2, 1, ExtendedColorType::Rgba8),
        png(&[1, 0], 1, 1, ExtendedColorType::La8),
        png(&almost, 1, 1, ExtendedColorType::Rgba16),
    ] {
        assert!(reason(read(&bytes)).contains("has transparency; flatten it first"));
    }
}

/// A JPEG with an EXIF segment that holds nothing but an orientation.
fn oriented(image: &Image, orientation: u8) -> Vec<u8> {
    let mut segment = b"\xFF\xE1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    segment.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    let plain = jpeg(image);
    [&plain[..2], &segment, &plain[2..]].concat()
}

#[test]
fn photos_are_turned_upright() {
    let image = picture(24, 16);
    let (w, h) = (image.width(), image.height());
    // Where the pixel at (x, y) of the stored image comes to lie.
    type Place = fn(usize, usize, usize, usize) -> (usize, usize);
    let places: [Place; 8] = [
        |x, y, _, _| (x, y),
        |x, y, w, _| (w - 1 - x, y),
        |x, y, w, h| (w - 1 - x, h - 1 - y),
        |x, y, _, h| (x, h - 1 - y),
        |x, y, _, _| (y, x),
        |x, y, _, h| (h - 1 - y, x),
        |x, y, w, h| (h - 1 - y, w - 1 - x),
        |x, y, w, _| (y, w - 1 - x),
    ];
    let stored = read(&jpeg(&image)).unwrap();
    for (orientation, place) in (1..).zip(places) {
        let turned = read(&oriented(&image, orientation)).unwrap();
        let size = if orientation < 5 { (w, h) } else { (h, w) };
        assert_eq!((turned.width(), turned.height()), size, "orientation {orientation}");
        for (x, y) in (0..w).flat_map(|x| (0..h).map(move |y| (x, y))) {
            let (to_x, to_y) = place(x, y, w, h);
            assert_eq!(turned.pixel(to_x, to_y), stored.pixel(x, y), "orientation {orientation}");
        }
    }
    // No such orientation.
    assert_eq!(read(&oriented(&image, 9)).unwrap(), stored);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let image = picture(19, 11);
    let raw = image.pixels();
    for whole in [png(raw, 19, 11, ExtendedColorType::Rgb8), jpeg(&image), oriented(&image, 6)] {
        assert!(read(&whole).is_ok());
        for length in 0..whole.len() {
            reason(read(&whole[..length]));
        }
        // Cameras append to their files.
        assert!(read(&[&whole[..], &[0; 5]].concat()).is_ok());
    }
}

#[test]
fn sizes_of_files_are_limited() {
    // One gray row of 16385 pixels.
    let bytes = png(&[0; 16_385], 16_385, 1, ExtendedColorType::L8);
    reason(read(&bytes));
    let bytes = png(&[0; 16_384], 16_384, 1, ExtendedColorType::L8);
    assert_eq!(read(&bytes).unwrap().width(), 16_384);
}

proptest! {
    /// Whatever a damaged file gives, it is an image or an error.
    #[test]
    fn damaged_files_do_not_panic(
        kind in 0..3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let image = picture(16, 12);
        let mut bytes = match kind {
            0 => png(image.pixels(), 16, 12, ExtendedColorType::Rgb8),
            1 => jpeg(&image),
            _ => oriented(&image, 6),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        match read(&bytes) {
            Ok(image) => prop_assert_eq!(image.pixels().len(), image.width() * image.height() * 3),
            Err(error) => {
                let expected = matches!(error, Error::Format { .. } | Error::TooLarge { .. });
                prop_assert!(expected, "{}", error);
            }
        }
    }
}

fn tiles(n: usize, width: usize, height: usize) -> Vec<Image> {
    let colour = |i: usize| [(40 + i * 10) as u8, 90, 160];
    (0..n).map(|i| Image::filled(width, height, colour(i)).unwrap()).collect()
}

#[test]
fn a_bare_grid_is_its_images() {
    let images = tiles(5, 4, 3);
    let sheet = Grid::new(2).padding(0).render(&images).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (8, 9));
    for (i, image) in images.iter().enumerate() {
        assert_eq!(sheet.pixel(i % 2 * 4 + 3, i / 2 * 3 + 2), image.pixel(0, 0));
    }
    // The short row ends in background.
    assert_eq!(sheet.pixel(4, 6), Some([255; 3]));

    let sheet = Grid::new(2).padding(2).background([1, 2, 3]).render(&images).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (2 * 4 + 3 * 2, 3 * 3 + 4 * 2));
    assert_eq!(sheet.pixel(1, 1), Some([1, 2, 3]));
    assert_eq!(sheet.pixel(2, 2), images[0].pixel(0, 0));
    assert_eq!(sheet.pixel(6, 2), Some([1, 2, 3]));
    assert_eq!(sheet.pixel(8, 7), images[3].pixel(0, 0));
}

#[test]
fn text_is_beside_the_images() {
    let images = tiles(4, 64, 64);
    let sheet = |rows: [&str; 2], columns: [&str; 2], title: &str| {
        let grid = Grid::new(2).rows_labelled(rows).columns_labelled(columns).title(title);
        grid.render(&images).unwrap()
    };
    let plain = sheet(["one", "two"], ["-3", "+3"], "pose");
    assert_ne!(plain, sheet(["one", "twx"], ["-3", "+3"], "pose"));
    assert_ne!(plain, sheet(["one", "two"], ["-3", "+2"], "pose"));
    assert_ne!(plain, sheet(["one", "two"], ["-3", "+3"], "post"));
    // Three characters and a gap at the left, two lines above.
    assert_eq!(plain.width(), 8 + (24 + 4) + 2 * 64 + 4 + 8);
    assert_eq!(plain.height(), 8 + 16 + 12 + 2 * 64 + 4 + 8);
    let (left, top) = (8 + 28, 8 + 28);
    for (i, image) in images.iter().enumerate() {
        for (x, y) in [(0, 0), (63, 0), (0, 63), (63, 63)] {
            let found = plain.pixel(left + i % 2 * 68 + x, top + i / 2 * 68 + y);
            assert_eq!(found, image.pixel(x, y), "text over image {i}");
        }
    }
    // However long a text, the sheet keeps its size or a bounded one.
    let long = "a very long text that fits nowhere at all, on no sheet of this size";
    let cut = sheet(["one", "two"], [long, "+3"], long);
    assert_eq!((cut.width(), cut.height()), (plain.width(), plain.height()));
    assert_eq!(sheet([long, "two"], ["-3", "+3"], "").width(), plain.width() + 29 * 8);
}

#[test]
fn text_is_readable_on_any_background() {
    let grid = Grid::new(1).title("title");
    let tiles = tiles(1, 64, 64);
    let light = grid.clone().render(&tiles).unwrap();
    let dark = grid.background([20; 3]).render(&tiles).unwrap();
    assert!(light.pixels().contains(&50) && dark.pixels().contains(&225));
}

#[test]
fn tiny_images_do_not_break_a_labelled_grid() {
    let grid = Grid::new(2).padding(0).title("a title").columns_labelled(["x", "y"]);
    for side in [1, 2, 7, 8, 9] {
        grid.clone().rows_labelled(["row"]).render(&tiles(2, side, side)).unwrap();
    }
}

#[test]
fn grids_that_do_not_fit_are_refused() {
    let images = tiles(3, 4, 4);
    let argument = |result| matches!(result, Err(Error::Argument { .. }));
    assert!(argument(Grid::new(2).render(&[])));
    assert!(argument(Grid::new(0).render(&images)));
    assert!(argument(Grid::new(2).rows_labelled(["a"]).render(&images)));
    assert!(argument(Grid::new(2).columns_labelled(["a"; 3]).render(&images)));
    let mixed = [tiles(1, 4, 4), tiles(1, 4, 5)].concat();
    assert!(matches!(Grid::new(2).render(&mixed), Err(Error::Shape { .. })));
    for grid in [Grid::new(usize::MAX), Grid::new(1 << 30), Grid::new(2).padding(usize::MAX)] {
        let found = grid.render(&images);
        assert!(matches!(found, Err(Error::TooLarge { .. })), "{grid:?}");
    }
}
