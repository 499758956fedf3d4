//! The runtime's log goes to the console, and its errors to the device's health: in a browser that
//! is the only trace of a kernel that was skipped.

use gloo::console;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::device::health;

struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        if record.level() == Level::Error {
            if record.target().starts_with("cubecl") || record.target().starts_with("wgpu") {
                health::fail(&text);
            }
            console::error!(text);
        } else {
            console::warn!(text);
        }
    }

    fn flush(&self) {}
}

/// Installs the log and the panic hook, once.
pub fn install() {
    console_error_panic_hook::set_once();
    if log::set_logger(&Console).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}
