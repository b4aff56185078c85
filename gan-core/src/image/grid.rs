//! Many images on one sheet, with labels.

use super::Image;
use super::label::{self, CELL};
use crate::error::{Error, Result};

/// Row labels are cut to this many characters, so that a long one does not push the images aside.
const LONGEST_ROW_LABEL: usize = 32;

/// A sheet of equally large images in rows and columns.
///
/// The title stands above, columns have their labels at the top and rows at the left. Text that does not fit
/// is cut. Its size follows the images': characters of 8 pixels below 256 pixels a side, up to 32 from 512.
///
/// ```
/// use gan_core::image::{Grid, Image};
/// let tiles = vec![Image::filled(64, 64, [200, 80, 80])?; 6];
/// let sheet = Grid::new(3)
///     .padding(2)
///     .columns_labelled(["-2", "0", "+2"])
///     .rows_labelled(["seed 0", "seed 1"])
///     .render(&tiles)?;
/// assert!(sheet.width() > 3 * 64 && sheet.height() > 2 * 64);
/// # Ok::<(), gan_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grid {
    columns: usize,
    padding: usize,
    background: [u8; 3],
    title: String,
    column_labels: Vec<String>,
    row_labels: Vec<String>,
}

impl Grid {
    /// A white sheet of `columns` columns without text, with 4 pixels between and around the images.
    pub fn new(columns: usize) -> Self {
        Grid {
            columns,
            padding: 4,
            background: [255; 3],
            title: String::new(),
            column_labels: Vec::new(),
            row_labels: Vec::new(),
        }
    }

    /// Pixels between the images and around them. With 0 and no text, the sheet is the images alone.
    pub fn padding(mut self, pixels: usize) -> Self {
        self.padding = pixels;
        self
    }

    /// The colour behind the images. Text is dark on a light one and light on a dark one.
    pub fn background(mut self, colour: [u8; 3]) -> Self {
        self.background = colour;
        self
    }

    /// A line above everything else.
    pub fn title(mut self, text: impl Into<String>) -> Self {
        self.title = text.into();
        self
    }

    /// A label above each column; as many as there are columns.
    pub fn columns_labelled<T: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = T>,
    ) -> Self {
        self.column_labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// A label at the left of each row; as many as the images fill rows.
    pub fn rows_labelled<T: Into<String>>(mut self, labels: impl IntoIterator<Item = T>) -> Self {
        self.row_labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Draws the sheet: the images row by row from the top left; the last row may be short.
    ///
    /// # Errors
    /// [`Error::Argument`] without images or columns, or with labels of another count than there are rows or
    /// columns; [`Error::Shape`] if the images differ in size; [`Error::TooLarge`] if the sheet does.
    pub fn render(&self, images: &[Image]) -> Result<Image> {
        let layout = self.layout(images)?;
        let mut sheet = Image::filled(layout.width, layout.height, self.background)?;
        let ink = self.ink();
        let Layout { scale, gap, margin, left, top, .. } = layout;
        let em = CELL * scale;
        let [tile_width, tile_height] = layout.tile;

        for (i, image) in images.iter().enumerate() {
            let (row, column) = (i / self.columns, i % self.columns);
            let x = left + column * (tile_width + self.padding);
            let y = top + row * (tile_height + self.padding);
            sheet.paste(image, x, y);
        }
        for (row, text) in self.row_labels.iter().enumerate() {
            let text = label::clipped(text, LONGEST_ROW_LABEL);
            let x = left - gap - text.chars().count() * em;
            // Centred; a text taller than its row begins with it.
            let y = top + row * (tile_height + self.padding) + tile_height.saturating_sub(em) / 2;
            label::draw(&mut sheet, &text, [x, y], scale, ink);
        }
        for (column, text) in self.column_labels.iter().enumerate() {
            let text = label::clipped(text, tile_width / em);
            let x = left + column * (tile_width + self.padding);
            let x = x + (tile_width - text.chars().count() * em) / 2;
            label::draw(&mut sheet, &text, [x, top - gap - em], scale, ink);
        }
        let across = layout.width - margin - left;
        let text = label::clipped(&self.title, across / em);
        let x = left + (across - text.chars().count() * em) / 2;
        label::draw(&mut sheet, &text, [x, margin], scale, ink);
        Ok(sheet)
    }

    fn layout(&self, images: &[Image]) -> Result<Layout> {
        if self.columns == 0 {
            return Err(Error::argument("grid columns", "at least 1", 0));
        }
        let Some(first) = images.first() else {
            return Err(Error::argument("grid images", "at least 1", 0));
        };
        let tile = [first.width, first.height];
        if let Some(other) = images.iter().find(|image| [image.width, image.height] != tile) {
            return Err(Error::shape("Grid::render", format!("{first:?} as the first"), other));
        }
        let rows = images.len().div_ceil(self.columns);
        for (what, labels, wanted) in [
            ("grid row labels", &self.row_labels, rows),
            ("grid column labels", &self.column_labels, self.columns),
        ] {
            if !labels.is_empty() && labels.len() != wanted {
                return Err(Error::argument(what, format!("{wanted} or none"), labels.len()));
            }
        }

        let scale = (tile[0].min(tile[1]) / 128).clamp(1, 4);
        let (em, gap) = (CELL * scale, CELL * scale / 2);
        let has_text =
            !(self.row_labels.is_empty() && self.column_labels.is_empty() && self.title.is_empty());
        let margin = if has_text { self.padding.max(em) } else { self.padding };
        let longest = self.row_labels.iter().map(|label| label.chars().count()).max();
        let longest = longest.map_or(0, |count| count.min(LONGEST_ROW_LABEL) * em + gap);
        // A title stands further off, as it is not about what is next to it.
        let title = if self.title.is_empty() { 0 } else { 2 * em };
        let labels = if self.column_labels.is_empty() { 0 } else { em + gap };

        let place = |before: usize, count: usize, tile: usize| {
            let start = margin.checked_add(before)?;
            let gaps = (count - 1).checked_mul(self.padding)?;
            let tiles = count.checked_mul(tile)?.checked_add(gaps)?;
            Some((start, start.checked_add(tiles)?.checked_add(margin)?))
        };
        let too_large = Error::TooLarge { what: "grid", bytes: usize::MAX };
        let (Some((left, width)), Some((top, height))) =
            (place(longest, self.columns, tile[0]), place(title + labels, rows, tile[1]))
        else {
            return Err(too_large);
        };
        Ok(Layout { tile, scale, gap, margin, left, top, width, height })
    }

    /// Gray that can be read on the background, softer than black or white.
    fn ink(&self) -> [u8; 3] {
        let [r, g, b] = self.background.map(u32::from);
        // Luma by ITU-R BT.601, in thousandths.
        if 299 * r + 587 * g + 114 * b > 127_500 { [50; 3] } else { [225; 3] }
    }
}

/// Where things are on a sheet, in pixels.
struct Layout {
    /// Width and height of each image.
    tile: [usize; 2],
    /// Pixels for each pixel of the font.
    scale: usize,
    /// Between text and what it is about.
    gap: usize,
    /// Between the sheet's border and whatever comes first.
    margin: usize,
    /// Left side of the first column of images.
    left: usize,
    /// Top of the first row of images.
    top: usize,
    width: usize,
    height: usize,
}
