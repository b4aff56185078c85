//! Small text on a plot, in an 8 x 8 bitmap font.

use font8x8::legacy::BASIC_LEGACY;
use tiny_skia::{Paint, Pixmap, Rect, Transform};

/// Pixels of a character's cell, either way.
pub(super) const CELL: f32 = 8.0;

/// Draws ASCII text with the top left of its first cell at (x, y).
pub(super) fn draw(pixmap: &mut Pixmap, text: &str, [x, y]: [f32; 2], paint: &Paint<'_>) {
    let (x, y) = (x.round(), y.round());
    for (cell, character) in text.chars().enumerate() {
        let glyph = BASIC_LEGACY.get(character as usize).copied().unwrap_or_default();
        for (row, bits) in glyph.into_iter().enumerate() {
            // The lowest bit is the leftmost pixel.
            for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                let left = x + cell as f32 * CELL + column as f32;
                if let Some(pixel) = Rect::from_xywh(left, y + row as f32, 1.0, 1.0) {
                    pixmap.fill_rect(pixel, paint, Transform::identity(), None);
                }
            }
        }
    }
}
