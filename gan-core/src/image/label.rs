//! One line of text on an image, in an 8 x 8 bitmap font.

use font8x8::legacy::{BASIC_LEGACY, GREEK_LEGACY, LATIN_LEGACY};

use super::Image;

/// Pixels of a character's cell, either way, at scale 1.
pub(super) const CELL: usize = 8;

/// Stands at the end of text that was cut.
const CUT: &str = "..";

/// Cuts text to at most `cells` characters.
pub(super) fn clipped(text: &str, cells: usize) -> String {
    if text.chars().count() <= cells {
        return text.into();
    }
    let kept = cells.saturating_sub(CUT.len());
    text.chars().take(kept).chain(CUT.chars()).take(cells).collect()
}

/// Draws `text` with the top left of its first cell at (x, y); what would lie outside is left out.
pub(super) fn draw(image: &mut Image, text: &str, [x, y]: [usize; 2], scale: usize, ink: [u8; 3]) {
    for (cell, character) in text.chars().enumerate() {
        let left = x + cell * CELL * scale;
        for (row, bits) in glyph(character).into_iter().enumerate() {
            // The lowest bit is the leftmost pixel.
            for column in (0..CELL).filter(|column| bits >> column & 1 == 1) {
                let corner = [left + column * scale, y + row * scale];
                image.fill_rect(corner, [scale, scale], ink);
            }
        }
    }
}

/// The font has ASCII, Latin-1 and most of Greek; anything else is a question mark.
fn glyph(character: char) -> [u8; CELL] {
    let code = match character {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201C}' | '\u{201D}' => '"',
        character if character.is_whitespace() => ' ',
        character => character,
    } as usize;
    let known = match code {
        0x20..0x7F => BASIC_LEGACY.get(code),
        0xA0..0x100 => LATIN_LEGACY.get(code - 0xA0),
        0x390..0x3CA => GREEK_LEGACY.get(code - 0x390),
        _ => None,
    };
    known.copied().unwrap_or(BASIC_LEGACY[usize::from(b'?')])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> Image {
        let mut image = Image::filled(64, 8, [255; 3]).unwrap();
        draw(&mut image, text, [0, 0], 1, [0; 3]);
        image
    }

    #[test]
    fn glyphs_are_upright_and_not_mirrored() {
        let image = drawn("L");
        let row = |y| (0..8).filter(|&x| image.pixel(x, y) == Some([0; 3])).collect::<Vec<_>>();
        // A stem at the left, and a foot that reaches further right.
        assert!(row(1).iter().max() < row(6).iter().max());
        assert!(row(1).iter().max().unwrap() < &4);
    }

    #[test]
    fn every_character_is_drawn() {
        assert_ne!(drawn("a"), drawn("b"));
        assert_ne!(drawn("\u{e9}"), drawn("e"));
        assert_ne!(drawn("\u{3c3}"), drawn("?"));
        assert_eq!(drawn("\u{2212}1"), drawn("-1"));
        assert_eq!(drawn("\u{4e2d}"), drawn("?"));
        assert_eq!(drawn(" \t"), drawn(""));
    }

    #[test]
    fn drawing_stops_at_the_border() {
        let mut image = Image::filled(9, 5, [255; 3]).unwrap();
        draw(&mut image, "WWWW", [3, 2], 2, [0; 3]);
        assert!(image.pixels().contains(&0));
    }

    #[test]
    fn cutting_keeps_to_the_width() {
        assert_eq!(clipped("smiling", 7), "smiling");
        assert_eq!(clipped("smiling", 6), "smil..");
        assert_eq!(clipped("smiling", 2), "..");
        assert_eq!(clipped("smiling", 1), ".");
        assert_eq!(clipped("smiling", 0), "");
        assert_eq!(clipped("\u{e9}\u{e9}\u{e9}", 3), "\u{e9}\u{e9}\u{e9}");
    }
}
