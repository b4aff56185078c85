//! Outlines, in units of a 64th of the picture's side.

use tiny_skia::{Path, PathBuilder, Rect};

/// A point, x to the right and y downwards.
pub(super) type Point = [f32; 2];

/// An outline or a line; one without extent is drawn as nothing.
#[derive(Clone, Debug)]
pub(super) struct Shape(pub(super) Option<Path>);

/// An ellipse of a centre and two radii.
pub(super) fn ellipse([x, y]: Point, [rx, ry]: [f32; 2]) -> Shape {
    let rect = Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry);
    Shape(rect.and_then(PathBuilder::from_oval))
}

/// A rectangle of its left, top, right and bottom.
pub(super) fn rectangle([left, top, right, bottom]: [f32; 4]) -> Shape {
    Shape(Rect::from_ltrb(left, top, right, bottom).map(PathBuilder::from_rect))
}

/// Straight lines through the points and back to the first.
pub(super) fn polygon(points: &[Point]) -> Shape {
    trace(points, |pen, [x, y]| pen.line_to(x, y)).closed()
}

/// Straight lines through the points.
pub(super) fn lines(points: &[Point]) -> Shape {
    trace(points, |pen, [x, y]| pen.line_to(x, y)).open()
}

/// A smooth closed curve through the points (Catmull-Rom).
pub(super) fn blob(points: &[Point]) -> Shape {
    let n = points.len();
    let at = |i: usize| points[i % n];
    let mut pen = Pen::from(at(0));
    for i in 0..n {
        pen = pen.through([at(i + n - 1), at(i), at(i + 1), at(i + 2)]);
    }
    pen.closed()
}

/// A smooth open curve through the points (Catmull-Rom).
pub(super) fn curve(points: &[Point]) -> Shape {
    let last = points.len() - 1;
    let mut pen = Pen::from(points[0]);
    for i in 0..last {
        let neighbours = [i.saturating_sub(1), i, i + 1, (i + 2).min(last)];
        pen = pen.through(neighbours.map(|i| points[i]));
    }
    pen.open()
}

fn trace(points: &[Point], mut step: impl FnMut(&mut PathBuilder, Point)) -> Pen {
    let mut pen = Pen::from(points[0]);
    for &point in &points[1..] {
        step(&mut pen.0, point);
    }
    pen
}

/// Draws an outline piece by piece.
pub(super) struct Pen(PathBuilder);

impl Pen {
    /// Puts the pen down.
    pub(super) fn from([x, y]: Point) -> Self {
        let mut path = PathBuilder::new();
        path.move_to(x, y);
        Pen(path)
    }

    /// A straight line.
    pub(super) fn line(mut self, [x, y]: Point) -> Self {
        self.0.line_to(x, y);
        self
    }

    /// A curve with two control points.
    pub(super) fn bend(mut self, [x1, y1]: Point, [x2, y2]: Point, [x, y]: Point) -> Self {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
        self
    }

    /// The curve from the second to the third of four points that a Catmull-Rom spline draws.
    fn through(self, [before, from, to, after]: [Point; 4]) -> Self {
        let lead = |at: Point, a: Point, b: Point, sign: f32| {
            [at[0] + sign * (b[0] - a[0]) / 6.0, at[1] + sign * (b[1] - a[1]) / 6.0]
        };
        self.bend(lead(from, before, to, 1.0), lead(to, from, after, -1.0), to)
    }

    /// The outline, back at its start.
    pub(super) fn closed(mut self) -> Shape {
        self.0.close();
        Shape(self.0.finish())
    }

    /// The line as drawn.
    pub(super) fn open(self) -> Shape {
        Shape(self.0.finish())
    }
}
