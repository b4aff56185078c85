//! The table as text.

use std::fmt;

/// Rows under a heading.
#[derive(Debug)]
pub struct Section {
    title: String,
    /// Names of the columns after the first.
    columns: &'static [&'static str],
    rows: Vec<(String, Vec<String>)>,
}

impl Section {
    /// Without rows yet.
    pub fn new(title: impl Into<String>, columns: &'static [&'static str]) -> Self {
        Section { title: title.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, name: impl Into<String>, cells: Vec<String>) {
        self.rows.push((name.into(), cells));
    }
}

/// All sections, shown as Markdown with aligned columns.
#[derive(Debug, Default)]
pub struct Table(Vec<Section>);

impl Table {
    /// Adds a section.
    pub fn push(&mut self, section: Section) {
        self.0.push(section);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, section) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            let names = section.rows.iter().map(|(name, _)| name.chars().count());
            let wide = names.chain([section.title.chars().count()]).max().unwrap_or(0);
            let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: &[String]| {
                write!(f, "| {name:wide$} |")?;
                for i in 0..section.columns.len() {
                    write!(f, " {:>15} |", cells.get(i).map_or("", String::as_str))?;
                }
                writeln!(f)
            };
            let columns: Vec<String> = section.columns.iter().map(|&c| c.to_owned()).collect();
            line(f, &section.title, &columns)?;
            writeln!(f, "| {} |{}", "-".repeat(wide), " --------------: |".repeat(columns.len()))?;
            for (name, cells) in &section.rows {
                line(f, name, cells)?;
            }
        }
        Ok(())
    }
}
