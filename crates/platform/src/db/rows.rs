//! Many rows in few statements.

use sqlx::AssertSqlSafe;

/// A statement with `values` for each of a few numbers of rows, made once: the text is what finds the prepared statement
/// again.
pub struct Statements {
    chunks: &'static [usize],
    sqlite: Vec<String>,
    postgres: Vec<String>,
}

impl Statements {
    /// `before` and `after` stand around the rows of so many columns; `chunks`: numbers of rows, the largest first, the
    /// last of them 1. A statement has at most 32,766 parameters.
    #[must_use]
    pub fn new(before: &str, columns: usize, after: &str, chunks: &'static [usize]) -> Self {
        let statement = |rows: usize, parameter: &dyn Fn(usize) -> String| {
            let row = |row: usize| {
                let parameters: Vec<String> = (1..=columns).map(|column| parameter(row * columns + column)).collect();
                format!("({})", parameters.join(","))
            };
            let rows: Vec<String> = (0..rows).map(row).collect();
            format!("{before} values {}{after}", rows.join(","))
        };
        // Bare `?`: SQLite takes `$1` for a name, and looking up the names of a statement's parameters one after the other
        // costs the square of their number (it was four fifths of all time spent on ingest).
        let sqlite = chunks.iter().map(|rows| statement(*rows, &|_| "?".to_owned())).collect();
        let postgres = chunks.iter().map(|rows| statement(*rows, &|number| format!("${number}"))).collect();
        Self { chunks, sqlite, postgres }
    }

    /// Cuts the rows into pieces of the sizes there are statements for.
    pub fn pieces<'r, R>(
        &'static self,
        is_postgres: bool,
        mut rows: &'r [R],
    ) -> impl Iterator<Item = (AssertSqlSafe<&'static str>, &'r [R])> + use<'r, R> {
        let statements = if is_postgres { &self.postgres } else { &self.sqlite };
        let mut size = 0;
        std::iter::from_fn(move || {
            while rows.len() < *self.chunks.get(size)? {
                size += 1;
            }
            let (piece, rest) = rows.split_at(self.chunks[size]);
            rows = rest;
            // The text holds only what is written in the program and parameter numbers.
            Some((AssertSqlSafe(statements[size].as_str()), piece))
        })
    }
}
