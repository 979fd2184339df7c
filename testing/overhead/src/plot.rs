//! The figures as pictures.

use crate::contenders::{Name, Work};
use crate::report::Row;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use ron_bare::Result;
use std::path::Path;

/// One kind of work, in pixels.
const PANEL: (u32, u32) = (420, 330);
/// The SDK's bars, the others', and the line of the floor.
const SDK: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const PEER: RGBColor = RGBColor(0xb0, 0xb7, 0xbf);
const FLOOR: RGBColor = RGBColor(0xc0, 0x39, 0x2b);

/// What a picture shows of each client.
struct Figure {
    name: &'static str,
    title: &'static str,
    value: fn(&Row) -> f64,
}

const FIGURES: [Figure; 2] = [
    Figure {
        name: "latency",
        title: "median of a call, µs",
        value: |row| row.p50_us,
    },
    Figure {
        name: "throughput",
        title: "thousand calls a second",
        value: |row| row.ops_s / 1e3,
    },
];

/// Draws, beside the JSON file, a picture of each work's medians and throughputs: a column for each payload, a row
/// for each number of callers.
pub(crate) fn draw(rows: &[Row], json: &Path) -> Result<()> {
    for work in Work::ALL {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.work == work).collect();
        if rows.is_empty() {
            continue;
        }
        for figure in &FIGURES {
            let path = json.with_file_name(format!("{}-{}.svg", work.name(), figure.name));
            draw_figure(&rows, figure, &path)?;
        }
    }
    Ok(())
}

fn draw_figure(rows: &[&Row], figure: &Figure, path: &Path) -> Result<()> {
    let payloads = distinct(rows.iter().map(|row| row.payload));
    let callers = distinct(rows.iter().map(|row| row.clients));
    let size = (
        PANEL.0 * payloads.len() as u32,
        PANEL.1 * callers.len() as u32,
    );
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    let panels = area.split_evenly((callers.len(), payloads.len()));
    for (index, panel) in panels.iter().enumerate() {
        let (callers, payload) = (
            callers[index / payloads.len()],
            payloads[index % payloads.len()],
        );
        let rows: Vec<&Row> = rows
            .iter()
            .copied()
            .filter(|row| row.payload == payload && row.clients == callers)
            .collect();
        draw_panel(panel, &rows, figure)?;
    }
    Ok(area.present()?)
}

/// Horizontal bars, one for each client.
fn draw_panel(
    panel: &DrawingArea<SVGBackend<'_>, Shift>,
    rows: &[&Row],
    figure: &Figure,
) -> std::result::Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let most = rows
        .iter()
        .map(|row| (figure.value)(row))
        .fold(0.0, f64::max);
    let count = rows.len();
    let caption = format!(
        "{} of {} bytes, {}: {}",
        first.work.name(),
        first.payload,
        first.callers(),
        figure.title
    );
    let mut chart = ChartBuilder::on(panel)
        .caption(caption, ("sans-serif", 13))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(110)
        .build_cartesian_2d(0.0..1.15 * most, (0..count - 1).into_segmented())?;
    // The first one stands on top.
    let row_of = |value: &SegmentValue<usize>| match value {
        SegmentValue::CenterOf(index) => rows.get(count - 1 - index.min(&(count - 1))),
        _ => None,
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(5)
        .y_labels(count)
        .y_label_formatter(&|value| row_of(value).map_or_else(String::new, |r| r.client.text()))
        .draw()?;
    let edge = |index| match index {
        _ if index == count => SegmentValue::Last,
        index => SegmentValue::Exact(index),
    };
    let beside = Pos::new(HPos::Left, VPos::Center);
    let label_style = TextStyle::from(("sans-serif", 10)).pos(beside);
    for (index, row) in rows.iter().rev().enumerate() {
        let value = (figure.value)(row);
        let color = if row.client.is_sdk() { SDK } else { PEER };
        let mut bar = Rectangle::new(
            [(0.0, edge(index)), (value, edge(index + 1))],
            color.filled(),
        );
        bar.set_margin(2, 2, 0, 0);
        chart.draw_series([bar])?;
        let place = (value, SegmentValue::CenterOf(index));
        let digits = if value < 100.0 { 1 } else { 0 };
        let label = format!(" {value:.digits$}");
        chart.draw_series([Text::new(label, place, label_style.clone())])?;
    }
    if let Some(floor) = rows.iter().find(|row| row.client == Name::Floor) {
        let value = (figure.value)(floor);
        let ends = [(value, edge(0)), (value, edge(count))];
        chart.draw_series([PathElement::new(ends, FLOOR)])?;
    }
    Ok(())
}

fn distinct(values: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}
