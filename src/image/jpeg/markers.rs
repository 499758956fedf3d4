//! The marker segments of a JPEG from start to end, and every scan between them.

use ::image::metadata::Orientation;

use super::bits::{Huffman, find_marker};
use super::block::ZIGZAG;
use super::color::{Colors, Hints};
use super::components::{Components, QuantTable};
use super::frame::Frame;
use super::reduction::Reduction;
use super::scan::{Scan, Tables, read_scan};
use super::smooth::{Reached, UNKNOWN};
use super::{invalid, truncated};
use crate::error::Result;

/// A file that was read to its end.
pub(super) struct Picture {
    pub frame: Frame,
    pub components: Components,
    pub colors: Colors,
    pub orientation: Orientation,
    /// Of each component.
    pub reached: Vec<Reached>,
}

/// A real progressive file has about ten.
const MAX_SCANS: usize = 100;

/// One marker segment: its code, its payload, and where the next one may begin.
struct Segment<'a> {
    marker: u8,
    payload: &'a [u8],
    end: usize,
}

/// The next segment at or after `at`; `None` at the end of the file.
fn next_segment(bytes: &[u8], at: usize) -> Result<Option<Segment<'_>>> {
    let Some(found) = find_marker(bytes, at) else {
        return Ok(None);
    };
    let marker = bytes[found + 1];
    let body = found + 2;
    // Markers without a payload: TEM, RSTn, SOI, EOI.
    if matches!(marker, 0x01 | 0xd0..=0xd9) {
        return Ok(Some(Segment {
            marker,
            payload: &[],
            end: body,
        }));
    }
    let length = match bytes.get(body..body + 2) {
        Some(pair) => usize::from(u16::from_be_bytes([pair[0], pair[1]])),
        None => return Err(truncated()),
    };
    if length < 2 {
        return Err(invalid("a segment of impossible length"));
    }
    let end = body + length;
    let payload = bytes.get(body + 2..end).ok_or_else(truncated)?;
    Ok(Some(Segment {
        marker,
        payload,
        end,
    }))
}

/// Start-of-frame markers: 0xc0..=0xcf without DHT, JPG and DAC.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

/// The frame header, for its dimensions.
pub(super) fn find_frame(bytes: &[u8]) -> Result<Frame> {
    let mut at = 2;
    while let Some(segment) = next_segment(bytes, at)? {
        if is_frame(segment.marker) {
            return Frame::parse(segment.marker, segment.payload);
        }
        if matches!(segment.marker, 0xd9 | 0xda) {
            return Err(invalid("no frame header"));
        }
        at = segment.end;
    }
    Err(truncated())
}

/// What has been read up to some segment.
struct State {
    reduction: Reduction,
    max_alloc: u64,
    hints: Hints,
    orientation: Option<Orientation>,
    quant: [Option<QuantTable>; 4],
    tables: Tables,
    restart_interval: u32,
    frame: Option<(Frame, Components)>,
    /// Of each component.
    reached: Vec<Reached>,
    scans: usize,
}

/// Reads the whole file; an error when anything that it begins is missing.
pub(super) fn read(bytes: &[u8], reduction: Reduction, max_alloc: u64) -> Result<Picture> {
    let mut state = State {
        reduction,
        max_alloc,
        hints: Hints::default(),
        orientation: None,
        quant: [None; 4],
        tables: Tables::default(),
        restart_interval: 0,
        frame: None,
        reached: Vec::new(),
        scans: 0,
    };
    let mut at = 2;
    let mut ended = false;
    while let Some(segment) = state.next_after(bytes, at)? {
        if segment.marker == 0xd9 {
            ended = true;
            break;
        }
        at = state.take(bytes, &segment)?;
    }
    let Some((frame, components)) = state.frame else {
        return Err(match ended {
            true => invalid("no frame header"),
            false => truncated(),
        });
    };
    let whole = match ended {
        true => every_component_sent(&state.reached),
        false => every_bit_sent(&state.reached),
    };
    if !whole {
        return Err(truncated());
    }
    Ok(Picture {
        colors: Colors::guess(&frame, state.hints)?,
        orientation: state.orientation.unwrap_or(Orientation::NoTransforms),
        frame,
        components,
        reached: state.reached,
    })
}

impl State {
    /// Like [`next_segment`], but a segment cut off behind the last necessary scan is the end.
    fn next_after<'a>(&self, bytes: &'a [u8], at: usize) -> Result<Option<Segment<'a>>> {
        match next_segment(bytes, at) {
            Err(_) if self.frame.is_some() && every_bit_sent(&self.reached) => Ok(None),
            other => other,
        }
    }

    /// Takes in one segment and the data behind it; returns where the next may begin.
    fn take(&mut self, bytes: &[u8], segment: &Segment) -> Result<usize> {
        let payload = segment.payload;
        match segment.marker {
            // What describes the picture comes before its data.
            0xe0..=0xef if self.scans == 0 => self.application(segment),
            0xdb => read_quantization(payload, &mut self.quant)?,
            0xc4 => read_huffman(payload, &mut self.tables)?,
            0xdd => {
                let Some(&[a, b]) = payload.get(..2) else {
                    return Err(invalid("a short restart segment"));
                };
                self.restart_interval = u32::from(u16::from_be_bytes([a, b]));
            }
            0xda => return self.scan(bytes, segment),
            marker if is_frame(marker) => {
                if self.frame.is_some() {
                    return Err(invalid("two frames"));
                }
                let frame = Frame::parse(marker, payload)?;
                let components = Components::new(&frame, self.reduction, self.max_alloc)?;
                self.reached = vec![[UNKNOWN; 64]; frame.components.len()];
                self.frame = Some((frame, components));
            }
            _ => {}
        }
        Ok(segment.end)
    }

    fn application(&mut self, segment: &Segment) {
        match (segment.marker, segment.payload) {
            (0xe0, [b'J', b'F', b'I', b'F', 0, rest @ ..]) if rest.len() >= 9 => {
                self.hints.jfif = true;
            }
            (
                0xee,
                [
                    b'A',
                    b'd',
                    b'o',
                    b'b',
                    b'e',
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    transform,
                    ..,
                ],
            ) => {
                self.hints.adobe = Some(*transform);
            }
            (0xe1, [b'E', b'x', b'i', b'f', 0, _, exif @ ..]) if self.orientation.is_none() => {
                self.orientation = Orientation::from_exif_chunk(exif);
            }
            _ => {}
        }
    }

    fn scan(&mut self, bytes: &[u8], segment: &Segment) -> Result<usize> {
        let Some((frame, components)) = &mut self.frame else {
            return Err(invalid("no frame header"));
        };
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(invalid("too many scans"));
        }
        let scan = Scan::parse(segment.payload, frame)?;
        let band = scan.band.0 as usize..=scan.band.1 as usize;
        let before = if scan.high == 0 { UNKNOWN } else { scan.high };
        for part in &scan.parts {
            let reached = &mut self.reached[part.component][band.clone()];
            if reached.iter().any(|&bit| bit != before) {
                return Err(invalid("scans in an impossible order"));
            }
            reached.fill(scan.low);
            let slot = frame.components[part.component].quant;
            let table = self.quant.get(slot).and_then(Option::as_ref);
            components.quantize(part.component, table)?;
        }
        if !frame.progressive {
            self.tables.complete()?;
        }
        let (tables, interval) = (&self.tables, self.restart_interval);
        read_scan(
            bytes,
            segment.end,
            frame,
            &scan,
            tables,
            interval,
            components,
        )
    }
}

fn every_component_sent(reached: &[Reached]) -> bool {
    reached.iter().all(|bits| bits[0] != UNKNOWN)
}

fn every_bit_sent(reached: &[Reached]) -> bool {
    reached.iter().all(|bits| bits.iter().all(|&bit| bit == 0))
}

fn read_quantization(mut payload: &[u8], tables: &mut [Option<QuantTable>; 4]) -> Result<()> {
    while let [precision_and_slot, rest @ ..] = payload {
        let wide = match precision_and_slot >> 4 {
            0 => false,
            1 => true,
            _ => return Err(invalid("an impossible quantisation table")),
        };
        let length = if wide { 128 } else { 64 };
        let values = rest
            .get(..length)
            .ok_or_else(|| invalid("a short quantisation table"))?;
        let mut table = [0; 64];
        for (k, &at) in ZIGZAG.iter().enumerate() {
            table[usize::from(at)] = match wide {
                false => u16::from(values[k]),
                true => u16::from_be_bytes([values[2 * k], values[2 * k + 1]]),
            };
        }
        *tables
            .get_mut(usize::from(precision_and_slot & 15))
            .ok_or_else(|| invalid("an impossible quantisation table slot"))? = Some(table);
        payload = &rest[length..];
    }
    Ok(())
}

fn read_huffman(mut payload: &[u8], tables: &mut Tables) -> Result<()> {
    while let [class_and_slot, rest @ ..] = payload {
        let short = || invalid("a short code table");
        let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
        let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
        let symbols = rest.get(..total).ok_or_else(short)?;
        let table = Huffman::new(counts, symbols)?;
        let slot = usize::from(class_and_slot & 15);
        let class = match class_and_slot >> 4 {
            0 => &mut tables.dc,
            _ => &mut tables.ac,
        };
        *class
            .get_mut(slot)
            .ok_or_else(|| invalid("an impossible code table slot"))? = Some(table);
        payload = &rest[total..];
    }
    Ok(())
}
