//! Colours, mixed in sRGB as painters of flat pictures do.

use super::factor::Choice;

/// A colour with opacity, each of 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour {
    /// Red, green and blue, not multiplied by the opacity.
    pub rgb: [f32; 3],
    /// Opacity.
    pub alpha: f32,
}

/// White, for highlights.
pub(super) const WHITE: Colour = Colour::hex(0xff_ff_ff);
/// A warm near-black, for lines.
pub(super) const INK: Colour = Colour::hex(0x2c_23_2b);

impl Colour {
    /// An opaque colour of the usual six digits.
    pub(super) const fn hex(rgb: u32) -> Self {
        let [_, r, g, b] = rgb.to_be_bytes();
        Colour { rgb: [r as f32 / 255.0, g as f32 / 255.0, b as f32 / 255.0], alpha: 1.0 }
    }

    /// The same colour with another opacity.
    pub(super) fn alpha(self, alpha: f32) -> Self {
        Colour { alpha, ..self }
    }

    /// From this colour, at 0, to another, at 1.
    pub(super) fn mix(self, other: Colour, share: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * share;
        let [r, g, b] = self.rgb;
        let [r2, g2, b2] = other.rgb;
        Colour { rgb: [mix(r, r2), mix(g, g2), mix(b, b2)], alpha: mix(self.alpha, other.alpha) }
    }

    /// Towards white.
    pub(super) fn lighter(self, share: f32) -> Self {
        self.mix(WHITE.alpha(self.alpha), share)
    }

    /// Towards the near-black of lines.
    pub(super) fn darker(self, share: f32) -> Self {
        self.mix(INK.alpha(self.alpha), share)
    }
}

/// The colour at `t` of 0 to 1 along a row of at least two colours, smooth but for kinks at the inner ones.
pub(super) fn along(colours: &[Colour], t: f32) -> Colour {
    let last = colours.len() - 1;
    let at = t.clamp(0.0, 1.0) * last as f32;
    let i = (at as usize).min(last - 1);
    colours[i].mix(colours[i + 1], at - i as f32)
}

/// The colours that things may have: named in captions, and chosen to go well with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hue {
    /// Raspberry.
    #[default]
    Red,
    /// Apricot.
    Orange,
    /// Mustard.
    Yellow,
    /// Sage.
    Green,
    /// Denim.
    Blue,
    /// Plum.
    Purple,
}

impl Choice for Hue {
    const NAMED: &'static [(Self, &'static str)] = &[
        (Hue::Red, "red"),
        (Hue::Orange, "orange"),
        (Hue::Yellow, "yellow"),
        (Hue::Green, "green"),
        (Hue::Blue, "blue"),
        (Hue::Purple, "purple"),
    ];
}

/// All hues alike.
pub(super) const ANY_HUE: &[f32] = &[1.0 / 6.0; 6];

impl Hue {
    /// The full colour, of cloth and paint.
    pub(super) fn colour(self) -> Colour {
        Colour::hex(match self {
            Hue::Red => 0xcb_3f_4f,
            Hue::Orange => 0xe8_83_3a,
            Hue::Yellow => 0xee_c0_43,
            Hue::Green => 0x4f_9d_69,
            Hue::Blue => 0x3f_76_b8,
            Hue::Purple => 0x80_57_a8,
        })
    }

    /// A pale one of the same name, for what stands behind.
    pub(super) fn pastel(self) -> Colour {
        Colour::hex(match self {
            Hue::Red => 0xf0_b4_b4,
            Hue::Orange => 0xf7_cd_a8,
            Hue::Yellow => 0xf6_e3_a4,
            Hue::Green => 0xb6_db_b8,
            Hue::Blue => 0xac_cd_ea,
            Hue::Purple => 0xcc_bc_e6,
        })
    }
}
