//! Charts as SVG.
//!
//! The colours are told apart by people who see few of them (after Okabe and Ito), and every line has a mark of its own.
//! A style sheet of the page replaces them where the background is dark: see [`COLOURS`].

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;

/// The colours as drawn, and on a dark background.
pub(super) const COLOURS: [(&str, &str); 6] = [
    ("#0072B2", "#56B4E9"),
    ("#D55E00", "#F0883E"),
    ("#009E73", "#2FCF9F"),
    ("#AA4499", "#E29CCB"),
    ("#7A6A00", "#F0E442"),
    ("#444444", "#CCCCCC"),
];

/// Text and axes, and the lines behind the data: as drawn, and on a dark background.
pub(super) const INK: (&str, &str) = ("#1B1F24", "#E6E8EB");
pub(super) const GRID: (&str, &str) = ("#D8DCE2", "#3A414B");

const WIDTH: u32 = 560;
const HEIGHT: u32 = 340;
const LEGEND: u32 = 26;

/// What a chart is about, for those who see it and those who do not.
pub(super) struct Caption {
    /// Unique in the page.
    pub(super) id: String,
    pub(super) title: String,
    /// The values in words.
    pub(super) description: String,
    pub(super) x: String,
    pub(super) y: String,
}

/// One line, or the bars of one colour.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// A value with its quartiles.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Lines, with a mark and the quartiles at the first of every `step` points.
pub(super) fn lines(
    caption: &Caption,
    x: &Axis,
    y: &Axis,
    series: &[Series],
    step: usize,
) -> String {
    draw(caption, series, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_right(26)
            .margin_top(6)
            .margin_left(8)
            .margin_bottom(8)
            .x_label_area_size(46)
            .y_label_area_size(66)
            .build_cartesian_2d(x.clone(), y.clone())?;
        mesh(&mut chart, caption, x, y)?;
        for (at, series) in series.iter().enumerate() {
            let style = colour(at);
            let place = |point: &Point| (x.position(point.x), y.position(point.y));
            let path = series.points.iter().map(place);
            chart.draw_series(LineSeries::new(path, style.stroke_width(2)))?;
            for point in series.points.iter().step_by(step) {
                let across = x.position(point.x);
                let ends = [point.low, point.high].map(|value| (across, y.position(value)));
                let range = PathElement::new(ends.to_vec(), style.stroke_width(1));
                chart.draw_series([range])?;
                let mark = EmptyElement::at(place(point)) + mark(at);
                chart.draw_series([mark])?;
            }
        }
        Ok(())
    })
}

/// Bars beside each other, one group for each name on the axis. The x of a point is the number of its group.
pub(super) fn bars(caption: &Caption, x: &Axis, y: &Axis, series: &[Series]) -> String {
    draw(caption, series, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_right(26)
            .margin_top(6)
            .margin_left(8)
            .margin_bottom(8)
            .x_label_area_size(46)
            .y_label_area_size(66)
            .build_cartesian_2d(x.clone(), y.clone())?;
        mesh(&mut chart, caption, x, y)?;
        let width = 0.72 / series.len().max(1) as f64;
        for (at, series) in series.iter().enumerate() {
            for point in &series.points {
                let left = point.x + 0.14 + at as f64 * width;
                let corners = [(left, 0.0), (left + width * 0.92, point.y)];
                chart.draw_series([Rectangle::new(corners, colour(at).filled())])?;
                let middle = left + width * 0.46;
                let ends = vec![(middle, point.low), (middle, point.high)];
                let range = PathElement::new(ends, hex(INK.0).stroke_width(1));
                chart.draw_series([range])?;
            }
        }
        Ok(())
    })
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

fn mesh(chart: &mut Chart<'_, '_>, caption: &Caption, x: &Axis, y: &Axis) -> Drawn {
    chart
        .configure_mesh()
        .x_desc(caption.x.as_str())
        .y_desc(caption.y.as_str())
        .x_label_formatter(&|place| x.label(*place))
        .y_label_formatter(&|place| y.label(*place))
        .bold_line_style(hex(GRID.0))
        .light_line_style(hex(GRID.0).mix(0.0))
        .axis_style(hex(INK.0))
        .label_style(text(13))
        .axis_desc_style(text(14))
        .draw()
}

fn draw(caption: &Caption, series: &[Series], body: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let (top, bottom) = root.split_vertically(LEGEND);
        let drawn = legend(&top, series)
            .and_then(|()| body(&bottom))
            .and_then(|()| root.present());
        if let Err(error) = drawn {
            // It draws into memory: nothing but a defect can make it fail.
            return format!("<p>This chart could not be drawn: {error}</p>");
        }
    }
    accessible(&svg, caption)
}

fn legend(area: &Area<'_>, series: &[Series]) -> Drawn {
    let mut left = 70;
    let middle = LEGEND as i32 / 2;
    for (at, series) in series.iter().enumerate() {
        let line = PathElement::new(
            vec![(left, middle), (left + 24, middle)],
            colour(at).stroke_width(2),
        );
        area.draw(&line)?;
        area.draw(&(EmptyElement::at((left + 12, middle)) + mark(at)))?;
        let style = text(13).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(series.name.as_str(), (left + 30, middle), style))?;
        left += 46 + 8 * series.name.chars().count() as i32;
    }
    Ok(())
}

/// The mark of a line around its point, in pixels: nearly round, triangle, square, diamond, and again.
fn mark(at: usize) -> Polygon<(i32, i32)> {
    let corners: &[(i32, i32)] = match at % 4 {
        0 => &[
            (-4, -2),
            (-2, -4),
            (2, -4),
            (4, -2),
            (4, 2),
            (2, 4),
            (-2, 4),
            (-4, 2),
        ],
        1 => &[(0, -5), (5, 4), (-5, 4)],
        2 => &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
        _ => &[(0, -6), (6, 0), (0, 6), (-6, 0)],
    };
    Polygon::new(corners, colour(at).filled())
}

fn colour(at: usize) -> RGBColor {
    hex(COLOURS[at % COLOURS.len()].0)
}

/// The colour of `#RRGGBB`.
fn hex(code: &str) -> RGBColor {
    let part = |at: usize| u8::from_str_radix(&code[at..at + 2], 16).unwrap_or(0);
    RGBColor(part(1), part(3), part(5))
}

fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&hex(INK.0))
}

/// Gives a drawing its name and description, and no size of its own.
fn accessible(svg: &str, caption: &Caption) -> String {
    let Some((_, rest)) = svg.split_once("<svg ") else {
        return svg.to_owned();
    };
    let Some((_, content)) = rest.split_once('>') else {
        return svg.to_owned();
    };
    let Caption {
        id,
        title,
        description,
        ..
    } = caption;
    let (title, description) = (
        super::html::escaped(title),
        super::html::escaped(description),
    );
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-title {id}-text\">\
         <title id=\"{id}-title\">{title}</title><desc id=\"{id}-text\">{description}</desc>{content}"
    )
}
