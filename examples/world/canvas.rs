//! What pictures are painted on, and their masks with the same strokes.

use gan_core::{Error, Image};
use tiny_skia::{
    FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Pixmap, RadialGradient,
    Shader, SpreadMode, Stroke, Transform,
};

use super::colour::Colour;
use super::shape::{Point, Shape};

/// The unit of all coordinates: a picture is this wide and high, at any resolution.
pub(super) const SIDE: f32 = 64.0;

/// The largest side in pixels; beyond it the rasteriser's fixed-point coordinates end.
const MOST_PIXELS: usize = 4096;

/// Colours of an area.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ink {
    /// One colour.
    Flat(Colour),
    /// From a colour at a point to another at a point.
    Linear([(Point, Colour); 2]),
    /// From a colour at a centre to another at a radius.
    Radial(Point, f32, [Colour; 2]),
}

impl Ink {
    /// From top to bottom, between two heights.
    pub(super) fn down(from: f32, to: f32, [top, bottom]: [Colour; 2]) -> Self {
        Ink::Linear([([0.0, from], top), ([0.0, to], bottom)])
    }

    /// A spot of a colour that fades out.
    pub(super) fn glow(centre: Point, radius: f32, colour: Colour) -> Self {
        Ink::Radial(centre, radius, [colour, colour.alpha(0.0)])
    }

    fn shader(self) -> Shader<'static> {
        let skia = |c: Colour| {
            let [r, g, b] = c.rgb.map(|v| v.clamp(0.0, 1.0));
            tiny_skia::Color::from_rgba(r, g, b, c.alpha.clamp(0.0, 1.0))
                .unwrap_or(tiny_skia::Color::TRANSPARENT)
        };
        let point = |[x, y]: Point| tiny_skia::Point::from_xy(x, y);
        let stops = |[a, b]: [Colour; 2]| {
            vec![GradientStop::new(0.0, skia(a)), GradientStop::new(1.0, skia(b))]
        };
        let (pad, identity) = (SpreadMode::Pad, Transform::identity());
        let (shader, plain) = match self {
            Ink::Flat(colour) => (None, colour),
            Ink::Linear([(from, a), (to, b)]) => {
                (LinearGradient::new(point(from), point(to), stops([a, b]), pad, identity), b)
            }
            Ink::Radial(centre, radius, [a, b]) => {
                let centre = point(centre);
                let gradient =
                    RadialGradient::new(centre, 0.0, centre, radius, stops([a, b]), pad, identity);
                (gradient, b)
            }
        };
        shader.unwrap_or(Shader::SolidColor(skia(plain)))
    }
}

/// An area that paint is kept to.
pub(super) struct Clip(Mask);

/// A square picture, or its mask: one painting, `World::paint`, gives both.
///
/// In a picture, shapes have soft edges and all their colours. In a mask, a shape with a class gives its pixels that class,
/// without soft edges, and a shape without a class (light, shadow, lines of a face) is not there.
pub struct Canvas {
    pixmap: Pixmap,
    scale: Transform,
    mask: bool,
}

impl Canvas {
    /// An empty canvas of `side` x `side` pixels.
    ///
    /// # Errors
    /// [`Error::Argument`] unless `side` is of 8 to 4096.
    pub(super) fn new(side: usize, mask: bool) -> Result<Self, Error> {
        let pixmap = (8..=MOST_PIXELS)
            .contains(&side)
            .then(|| Pixmap::new(side as u32, side as u32))
            .flatten();
        let pixmap = pixmap.ok_or_else(|| Error::Argument {
            what: "side of a picture",
            expected: format!("8 to {MOST_PIXELS} pixels"),
            found: side.to_string(),
        })?;
        let scale = side as f32 / SIDE;
        Ok(Canvas { pixmap, scale: Transform::from_scale(scale, scale), mask })
    }

    /// Paints an area that belongs to a class.
    pub(super) fn area(&mut self, class: impl Into<u8>, shape: &Shape, ink: Ink) {
        self.fill(Some(class.into()), shape, ink, None);
    }

    /// Paints over what is there, without a change of what it is.
    pub(super) fn tint(&mut self, shape: &Shape, ink: Ink) {
        self.fill(None, shape, ink, None);
    }

    /// Paints over what is there within `clip`.
    pub(super) fn tint_in(&mut self, clip: &Clip, shape: &Shape, ink: Ink) {
        self.fill(None, shape, ink, Some(clip));
    }

    /// Draws a line over what is there.
    pub(super) fn line(&mut self, shape: &Shape, width: f32, ink: Ink) {
        self.stroke(None, shape, width, ink, None);
    }

    /// Draws a line over what is there within `clip`.
    pub(super) fn line_in(&mut self, clip: &Clip, shape: &Shape, width: f32, ink: Ink) {
        self.stroke(None, shape, width, ink, Some(clip));
    }

    /// Draws a line that belongs to a class.
    pub(super) fn wire(&mut self, class: impl Into<u8>, shape: &Shape, width: f32, ink: Ink) {
        self.stroke(Some(class.into()), shape, width, ink, None);
    }

    /// What lies within a shape.
    pub(super) fn clip(&self, shape: &Shape) -> Option<Clip> {
        let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
        mask.fill_path(shape.0.as_ref()?, FillRule::Winding, !self.mask, self.scale);
        Some(Clip(mask))
    }

    fn fill(&mut self, class: Option<u8>, shape: &Shape, ink: Ink, clip: Option<&Clip>) {
        if let (Some(path), Some(paint)) = (&shape.0, self.paint(class, ink)) {
            let mask = clip.map(|clip| &clip.0);
            self.pixmap.fill_path(path, &paint, FillRule::Winding, self.scale, mask);
        }
    }

    fn stroke(
        &mut self,
        class: Option<u8>,
        shape: &Shape,
        width: f32,
        ink: Ink,
        clip: Option<&Clip>,
    ) {
        if let (Some(path), Some(paint)) = (&shape.0, self.paint(class, ink)) {
            let (line_cap, line_join) = (LineCap::Round, LineJoin::Round);
            let stroke = Stroke { width, line_cap, line_join, ..Stroke::default() };
            self.pixmap.stroke_path(path, &paint, &stroke, self.scale, clip.map(|clip| &clip.0));
        }
    }

    /// What to paint with; nothing where a mask has no use for it.
    fn paint(&self, class: Option<u8>, ink: Ink) -> Option<Paint<'static>> {
        let shader = match (self.mask, class) {
            (false, _) => ink.shader(),
            (true, Some(class)) => {
                Shader::SolidColor(tiny_skia::Color::from_rgba8(class, class, class, 255))
            }
            (true, None) => return None,
        };
        Some(Paint { shader, anti_alias: !self.mask, ..Paint::default() })
    }

    /// The picture.
    ///
    /// # Errors
    /// Never: [`Canvas::new`] has seen to the size.
    pub(super) fn into_image(self) -> Result<Image, Error> {
        let side = self.pixmap.width() as usize;
        // The background is opaque, so that nothing is multiplied by an opacity.
        let rgb = self.pixmap.data().as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]);
        Image::new(side, side, rgb.collect())
    }

    /// The class of each pixel, `[side, side]`.
    pub(super) fn into_classes(self) -> Vec<u8> {
        self.pixmap.data().as_chunks::<4>().0.iter().map(|pixel| pixel[0]).collect()
    }
}
