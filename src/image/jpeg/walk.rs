//! The marker segments of a JPEG from start to end, and every scan between them.

use super::bits::{Huffman, find_marker};
use super::frame::Frame;
use super::scan::{Nonzero, Scan, Tables, walk_scan};
use super::{invalid, truncated};
use crate::error::Result;

/// Where a whole JPEG ends.
pub(super) struct Walked {
    /// Bytes that belong to the image.
    pub end: usize,
    /// Whether those bytes end with an end-of-image marker.
    pub has_end_marker: bool,
}

/// The decoder's own bound; a real progressive file has about ten.
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

/// Which bit of each coefficient has been reached: 255 for never sent.
type Reached = Vec<[u8; 64]>;

/// Walks the whole file; an error when anything that it begins is missing.
pub(super) fn walk(bytes: &[u8]) -> Result<Walked> {
    let mut frame: Option<Frame> = None;
    let mut tables = Tables::default();
    let mut restart_interval = 0u32;
    let mut nonzero: Nonzero = Vec::new();
    let mut reached: Reached = Vec::new();
    let mut scans = 0usize;
    let mut at = 2;
    let mut end = at;
    while let Some(segment) = next_after(bytes, at, frame.as_ref(), &reached)? {
        at = segment.end;
        match segment.marker {
            0xd9 => {
                let frame = frame.as_ref().ok_or_else(|| invalid("no frame header"))?;
                if !every_component_sent(frame, &reached) {
                    return Err(truncated());
                }
                return Ok(Walked {
                    end: at,
                    has_end_marker: true,
                });
            }
            0xc4 => read_huffman(segment.payload, &mut tables)?,
            0xdd => {
                let Some(&[a, b]) = segment.payload.get(..2) else {
                    return Err(invalid("a short restart segment"));
                };
                restart_interval = u32::from(u16::from_be_bytes([a, b]));
            }
            0xda => {
                scans += 1;
                let frame = frame.as_ref().ok_or_else(|| invalid("no frame header"))?;
                if scans > MAX_SCANS {
                    return Err(invalid("too many scans"));
                }
                if frame.progressive && nonzero.is_empty() {
                    nonzero = (0..frame.components.len())
                        .map(|c| vec![0; frame.padded_blocks(c)])
                        .collect();
                }
                let scan = Scan::parse(segment.payload, frame)?;
                at = walk_scan(
                    bytes,
                    at,
                    frame,
                    &scan,
                    &tables,
                    restart_interval,
                    &mut nonzero,
                )?;
                end = at;
                for &(component, _, _) in &scan.parts {
                    reached[component][scan.band.0 as usize..=scan.band.1 as usize].fill(scan.low);
                }
            }
            marker if is_frame(marker) => {
                if frame.is_some() {
                    return Err(invalid("two frames"));
                }
                let parsed = Frame::parse(marker, segment.payload)?;
                reached = vec![[255; 64]; parsed.components.len()];
                frame = Some(parsed);
            }
            _ => {}
        }
    }
    let frame = frame.as_ref().ok_or_else(truncated)?;
    if !every_bit_sent(frame, &reached) {
        return Err(truncated());
    }
    Ok(Walked {
        end,
        has_end_marker: false,
    })
}

/// Like [`next_segment`], but a segment cut off behind the last necessary scan is the end.
fn next_after<'a>(
    bytes: &'a [u8],
    at: usize,
    frame: Option<&Frame>,
    reached: &Reached,
) -> Result<Option<Segment<'a>>> {
    match next_segment(bytes, at) {
        Err(_) if frame.is_some_and(|frame| every_bit_sent(frame, reached)) => Ok(None),
        other => other,
    }
}

fn every_component_sent(frame: &Frame, reached: &Reached) -> bool {
    reached.len() == frame.components.len() && reached.iter().all(|bits| bits[0] != 255)
}

fn every_bit_sent(frame: &Frame, reached: &Reached) -> bool {
    reached.len() == frame.components.len()
        && reached.iter().all(|bits| bits.iter().all(|&bit| bit == 0))
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
