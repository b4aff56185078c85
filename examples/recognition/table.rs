//! A table of labels beside a folder of images.

use std::path::Path;

use gan_core::{Error, Image, Result};

/// A picture of a folder, with its cells of the kept columns.
pub(crate) struct Row {
    pub(crate) image: Image,
    pub(crate) cells: Vec<String>,
}

/// The columns of a table but the first, which names files.
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// Reads a .csv whose first column has the names of files in `folder`; other columns are kept if `wanted`. All images must have `size`
    /// pixels a side, and every one a row.
    pub(crate) fn open(
        folder: &Path,
        labels: &Path,
        size: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let images = crate::training::read_folder(folder, size)?;
        let bad = |reason: String| Error::Format {
            path: labels.to_owned(),
            format: "table of labels",
            reason,
        };
        let open = |source| Error::Io { action: "read", path: labels.to_owned(), source };
        let file = std::fs::File::open(labels).map_err(open)?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let header = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
        let kept: Vec<usize> =
            (1..header.len()).filter(|&i| header.get(i).is_some_and(&wanted)).collect();
        let columns: Vec<String> =
            kept.iter().filter_map(|&i| header.get(i)).map(str::to_owned).collect();
        if columns.is_empty() {
            let found = header.iter().collect::<Vec<_>>().join(", ");
            return Err(bad(format!("none of its columns is wanted: {found}")));
        }
        let mut cells = std::collections::BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(|e| bad(e.to_string()))?;
            let row = kept.iter().map(|&i| record.get(i).unwrap_or("").to_owned()).collect();
            cells.insert(record.get(0).unwrap_or("").to_owned(), row);
        }
        let row = |(name, image): (String, Image)| match cells.remove(&name) {
            Some(cells) => Ok(Row { image, cells }),
            None => Err(bad(format!("it has no row for {name}"))),
        };
        let rows = images.into_iter().map(row).collect::<Result<Vec<_>>>()?;
        if rows.len() < 2 {
            let found = format!("{} in {}", rows.len(), folder.display());
            return Err(super::unusable("--images", "at least 2 images", found));
        }
        Ok(Table { columns, rows })
    }
}
