//! How answers and errors appear.

use std::io::Write;
use std::process::ExitCode;

use promptlens::error::{Error, Kind, Result};
use serde::Serialize;

/// What a command has to say.
pub struct Answer {
    json: String,
    text: String,
    notes: String,
    ok: bool,
}

/// An error as scripts see it.
#[derive(Debug, Serialize)]
pub struct Problem {
    code: &'static str,
    message: String,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code(),
            message: error.message().to_owned(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

impl Answer {
    /// `document` for scripts, or `text` (a table) for people; `ok` decides the exit status.
    pub fn new(document: &impl Serialize, text: String, ok: bool) -> Result<Self> {
        let json = serde_json::to_string(document)
            .map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
        Ok(Self {
            json,
            text,
            notes: String::new(),
            ok,
        })
    }

    /// Adds a line for stderr.
    pub fn note(mut self, line: impl AsRef<str>) -> Self {
        self.notes.push_str(&plain(line.as_ref()));
        self.notes.push('\n');
        self
    }

    pub fn from_error(error: &Error) -> Self {
        Self {
            json: error_json(error.code(), error.message()),
            text: String::new(),
            notes: format!("error: {} [{}]\n", plain(error.message()), error.code()),
            ok: false,
        }
    }

    pub fn print(&self, json: bool) -> ExitCode {
        // Nothing is left to be told if stderr is closed.
        let _ = std::io::stderr().write_all(self.notes.as_bytes());
        let written = print(if json { &self.json } else { &self.text });
        if self.ok && written {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Writes `text` and a line end to stdout; false if stdout is closed.
pub fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    write!(out, "{text}{end}")
        .and_then(|()| out.flush())
        .is_ok()
}

/// `{"error":{"code","message"}}`.
pub fn error_json(code: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": message}}).to_string()
}

/// `text` without control characters, which could steer a terminal.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Rows with their columns aligned. The last cell of a row has nothing behind it, so a long one, such
/// as an error, makes no column wider.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let inner = rows.iter().filter(|row| column + 1 < row.len());
        let cells = inner.filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            line.push_str(&format!("{:width$}  ", plain(cell).replace('\n', " ")));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub fn percent(fraction: f64) -> String {
    format!("{:6.2} %", fraction * 100.0)
}
