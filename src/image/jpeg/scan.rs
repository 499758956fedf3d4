//! One scan of a JPEG: its header, and the order of its blocks (ITU-T T.81, A.2 and B.2.3).

use super::bits::{Bits, Huffman};
use super::block::{Running, progressive_ac, progressive_dc, refine_ac, sequential};
use super::components::Components;
use super::frame::Frame;
use super::idct::Block;
use super::invalid;
use super::standard::STANDARD;
use crate::error::Result;

/// What a start-of-scan segment declares.
pub(super) struct Scan {
    pub parts: Vec<Part>,
    /// First and last coefficient in zigzag order.
    pub band: (u32, u32),
    /// Bit position before this scan, 0 for a first scan.
    pub high: u8,
    /// Bit position that this scan reaches.
    pub low: u8,
}

/// One component of a scan.
pub(super) struct Part {
    /// Index in the frame.
    pub component: usize,
    /// Slots of its Huffman tables.
    dc: usize,
    ac: usize,
}

impl Scan {
    pub fn parse(segment: &[u8], frame: &Frame) -> Result<Self> {
        let (&count, rest) = segment
            .split_first()
            .ok_or_else(|| invalid("a short scan header"))?;
        let (pairs, _) = rest.as_chunks::<2>();
        let count = usize::from(count);
        let tail = rest.get(count * 2..).unwrap_or(&[]);
        let (true, [first, last, approx, ..]) = ((1..=4).contains(&count), tail) else {
            return Err(invalid("a short scan header"));
        };
        let mut parts: Vec<Part> = Vec::with_capacity(count);
        for &[id, tables] in &pairs[..count] {
            let of_that_id = |&at: &usize| frame.components[at].id == id;
            let named: Vec<usize> = (0..frame.components.len()).filter(of_that_id).collect();
            // Some cameras give all components one id: it stands for the next one not yet named.
            let component = named
                .iter()
                .copied()
                .find(|&at| parts.iter().all(|part| part.component != at));
            let component = component.ok_or_else(|| match named.is_empty() {
                true => invalid("a scan of an undeclared component"),
                false => invalid("a scan that names a component twice"),
            })?;
            parts.push(Part {
                component,
                dc: usize::from(tables >> 4),
                ac: usize::from(tables & 15),
            });
        }
        if !frame.progressive {
            return Ok(Self {
                parts,
                band: (0, 63),
                high: 0,
                low: 0,
            });
        }
        let (first, last) = (u32::from(*first), u32::from(*last));
        let whole = if first == 0 { last == 0 } else { count == 1 };
        let (high, low) = (approx >> 4, approx & 15);
        if last > 63 || first > last || !whole || low > 13 || high > 0 && high != low + 1 {
            return Err(invalid("impossible progressive parameters"));
        }
        Ok(Self {
            parts,
            band: (first, last),
            high,
            low,
        })
    }
}

/// The Huffman tables in force.
#[derive(Default)]
pub(super) struct Tables {
    pub dc: [Option<Huffman>; 4],
    pub ac: [Option<Huffman>; 4],
}

impl Tables {
    /// Puts the tables of the standard (T.81, K.3) if a file brings none, as stills of webcams
    /// do: slot 0 is for luminance, slot 1 for color.
    pub fn complete(&mut self) -> Result<()> {
        for (slot, [dc, ac]) in STANDARD.iter().enumerate() {
            for (place, (counts, symbols)) in [(&mut self.dc[slot], dc), (&mut self.ac[slot], ac)] {
                if place.is_none() {
                    *place = Some(Huffman::new(counts, symbols)?);
                }
            }
        }
        Ok(())
    }
}

fn table(tables: &[Option<Huffman>; 4], slot: usize) -> Result<&Huffman> {
    tables
        .get(slot)
        .and_then(Option::as_ref)
        .ok_or_else(|| invalid("a code table is missing"))
}

/// Reads the data of `scan` from `at` into `components`; returns where it ends.
pub(super) fn read_scan(
    bytes: &[u8],
    at: usize,
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    restart_interval: u32,
    components: &mut Components,
) -> Result<usize> {
    let mut bits = Bits::new(bytes, at);
    let mut running = Running::default();
    let single = scan.parts.len() == 1;
    let (across, down) = if single {
        frame.own_blocks(scan.parts[0].component)
    } else {
        frame.mcus()
    };
    let mut until_restart = restart_interval;
    for y in 0..down {
        for x in 0..across {
            if restart_interval > 0 {
                if until_restart == 0 {
                    bits.restart()?;
                    running = Running::default();
                    until_restart = restart_interval;
                }
                until_restart -= 1;
            }
            for part in &scan.parts {
                let (h, v) = match single {
                    true => (1, 1),
                    false => {
                        let c = &frame.components[part.component];
                        (c.h, c.v)
                    }
                };
                for row in 0..v {
                    for column in 0..h {
                        let place = ((x * h + column) as usize, (y * v + row) as usize);
                        components.update(part.component, place, |block| {
                            read_block(&mut bits, frame, scan, part, tables, &mut running, block)
                        })?;
                    }
                }
            }
        }
    }
    Ok(bits.position())
}

fn read_block(
    bits: &mut Bits,
    frame: &Frame,
    scan: &Scan,
    part: &Part,
    tables: &Tables,
    running: &mut Running,
    block: &mut Block,
) -> Result<()> {
    let last_dc = &mut running.dc[part.component];
    if !frame.progressive {
        let pair = (table(&tables.dc, part.dc)?, table(&tables.ac, part.ac)?);
        return sequential(bits, pair, last_dc, block);
    }
    if scan.band.0 == 0 {
        let dc = match scan.high {
            0 => Some(table(&tables.dc, part.dc)?),
            _ => None,
        };
        return progressive_dc(bits, scan, dc, last_dc, block);
    }
    let ac = table(&tables.ac, part.ac)?;
    match scan.high {
        0 => progressive_ac(bits, scan, ac, &mut running.ended, block),
        _ => refine_ac(bits, scan, ac, &mut running.ended, block),
    }
}
