//! The course of a training run as a picture.

use gan_core::Image;
use tiny_skia::{Color, Paint, PathBuilder, Pixmap, Stroke, Transform};

use super::log::Log;
use super::text::{self, CELL};
use crate::program::Result;

const WIDTH: u32 = 960;
const PANEL: u32 = 220;
/// Room for numbers at the left and below each panel, for a legend above.
const MARGINS: [f32; 4] = [72.0, 24.0, 24.0, 28.0];
const INK: [u8; 3] = [60, 60, 60];
const GRID: [u8; 3] = [225, 225, 225];

/// Colours of a panel's curves, one after the other.
const COLOURS: [[u8; 3]; 6] =
    [[31, 119, 180], [214, 39, 40], [44, 160, 44], [148, 103, 189], [227, 119, 194], [127; 3]];

/// Draws the curves of a log over the number of images seen: a panel has those of the columns that it names.
///
/// # Errors
/// Without the memory for the picture.
pub fn plot(log: &Log, panels: &[&[&'static str]]) -> Result<Image> {
    let height = PANEL * panels.len().max(1) as u32;
    let mut pixmap = Pixmap::new(WIDTH, height).ok_or("no memory for a plot")?;
    pixmap.fill(Color::WHITE);
    for (i, curves) in panels.iter().enumerate() {
        Panel::new(log, curves, (i as u32 * PANEL) as f32).draw(&mut pixmap);
    }
    let pixels = pixmap.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    Ok(Image::new(WIDTH as usize, height as usize, pixels)?)
}

struct Curve {
    name: &'static str,
    colour: [u8; 3],
    points: Vec<[f64; 2]>,
}

struct Panel {
    curves: Vec<Curve>,
    /// Least and greatest value of both axes.
    range: [[f64; 2]; 2],
    top: f32,
}

impl Panel {
    fn new(log: &Log, names: &[&'static str], top: f32) -> Self {
        let points = |name: &str| {
            let column = log.columns.iter().position(|column| *column == name);
            let value = |values: &[f64]| column.and_then(|c| values.get(c)).copied();
            let points = log.rows.iter().filter_map(|row| {
                Some([row.images / 1000.0, value(&row.values).filter(|v| v.is_finite())?])
            });
            points.collect()
        };
        let colours = COLOURS.into_iter().cycle();
        let curve = |(&name, colour)| Curve { name, colour, points: points(name) };
        let curves: Vec<Curve> = names.iter().zip(colours).map(curve).collect();
        let values = |axis: usize| {
            curves.iter().flat_map(move |curve| curve.points.iter().map(move |point| point[axis]))
        };
        let x = [0.0, values(0).fold(1.0, f64::max)];
        let mut y: Vec<f64> = values(1).collect();
        y.sort_unstable_by(f64::total_cmp);
        // A few wild values, as the first of a run, would press everything else flat.
        let high = y.get(y.len().saturating_sub(1 + y.len() / 100)).copied().unwrap_or(1.0);
        let low = y.get(y.len() / 100).copied().unwrap_or(0.0).min(0.0);
        Panel { curves, range: [x, [low, high.max(low + 1e-6)]], top }
    }

    fn draw(&self, pixmap: &mut Pixmap) {
        for value in ticks(self.range[1]) {
            self.line(pixmap, &[[self.range[0][0], value], [self.range[0][1], value]], GRID, 1.0);
            let label = number(value);
            let [x, y] = self.place([self.range[0][0], value]);
            let left = x - CELL * label.len() as f32 - 6.0;
            text::draw(pixmap, &label, [left, y - CELL / 2.0], &paint(INK));
        }
        for value in ticks(self.range[0]) {
            self.line(pixmap, &[[value, self.range[1][0]], [value, self.range[1][1]]], GRID, 1.0);
            let label = format!("{}k", number(value));
            let [x, y] = self.place([value, self.range[1][0]]);
            text::draw(pixmap, &label, [x - CELL * label.len() as f32 / 2.0, y + 6.0], &paint(INK));
        }
        let [x, y] = self.range;
        self.line(pixmap, &[[x[0], y[1]], [x[0], y[0]], [x[1], y[0]]], INK, 1.0);
        let mut left = MARGINS[0];
        for Curve { name, colour, points } in &self.curves {
            self.line(pixmap, points, *colour, 1.5);
            text::draw(pixmap, name, [left, self.top + 8.0], &paint(*colour));
            left += CELL * (name.len() + 3) as f32;
        }
    }

    /// Where a point is on the picture; beyond the range it is on the border.
    fn place(&self, point: [f64; 2]) -> [f32; 2] {
        let share = |axis: usize| {
            let [low, high] = self.range[axis];
            ((point[axis] - low) / (high - low)).clamp(0.0, 1.0) as f32
        };
        let [left, above, right, below] = MARGINS;
        let (width, height) = (WIDTH as f32 - left - right, PANEL as f32 - above - below);
        [left + share(0) * width, self.top + above + (1.0 - share(1)) * height]
    }

    fn line(&self, pixmap: &mut Pixmap, points: &[[f64; 2]], colour: [u8; 3], width: f32) {
        let mut path = PathBuilder::new();
        for (i, point) in points.iter().enumerate() {
            let [x, y] = self.place(*point);
            if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        // A single point is to be seen, too.
        if let [point] = points {
            let [x, y] = self.place(*point);
            path.line_to(x + width, y);
        }
        let Some(path) = path.finish() else { return };
        let stroke = Stroke { width, ..Stroke::default() };
        pixmap.stroke_path(&path, &paint(colour), &stroke, Transform::identity(), None);
    }
}

/// Round numbers inside of a range, three to seven of them: steps of 1, 2 or 5 times a power of ten.
fn ticks([low, high]: [f64; 2]) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|k| power * k >= rough).unwrap_or(10.0);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A tick's number without the tail of binary fractions.
fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn paint([r, g, b]: [u8; 3]) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks([0.0, 10.0]), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks([-1.2, 0.9]), [-1.0, -0.5, 0.0, 0.5]);
        let labels: Vec<String> = ticks([0.0, 0.07]).into_iter().map(number).collect();
        assert_eq!(labels, ["0", "0.02", "0.04", "0.06"]);
    }

    #[test]
    fn a_log_of_any_length_is_drawn() {
        let mut log = Log::new(&["loss", "score"]);
        let panels: [&[&str]; 2] = [&["loss"], &["score", "unknown"]];
        let blank = plot(&log, &panels).unwrap();
        for step in 1..=3 {
            log.push(32 * step, step, &[Some(step as f64), None]);
            assert_ne!(plot(&log, &panels).unwrap().pixels(), blank.pixels());
        }
    }
}
