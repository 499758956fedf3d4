//! One scan of a JPEG, block by block, counting bits and forgetting values (ITU-T T.81, F.2, G.2).

use super::bits::{Bits, Huffman};
use super::frame::Frame;
use super::{invalid, truncated};
use crate::error::Result;

/// What a start-of-scan segment declares.
pub(super) struct Scan {
    /// `(component index, DC table, AC table)`.
    pub parts: Vec<(usize, usize, usize)>,
    /// First and last coefficient in zigzag order.
    pub band: (u32, u32),
    /// Bit position before this scan, 0 for a first scan.
    pub high: u8,
    /// Bit position that this scan reaches.
    pub low: u8,
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
        let mut parts = Vec::with_capacity(count);
        for &[id, tables] in &pairs[..count] {
            let index = frame
                .components
                .iter()
                .position(|c| c.id == id)
                .ok_or_else(|| invalid("a scan of an undeclared component"))?;
            if parts.iter().any(|&(seen, _, _)| seen == index) {
                return Err(invalid("a scan that names a component twice"));
            }
            parts.push((index, usize::from(tables >> 4), usize::from(tables & 15)));
        }
        // The decoder misplaces the blocks of such scans without a word.
        if !frame.progressive && count < frame.components.len() && frame.is_subsampled() {
            return Err(invalid("subsampled colour in scans of its own"));
        }
        let scan = if frame.progressive {
            let (first, last) = (u32::from(*first), u32::from(*last));
            let whole = if first == 0 { last == 0 } else { count == 1 };
            if last > 63 || first > last || !whole || approx >> 4 > 13 || approx & 15 > 13 {
                return Err(invalid("impossible progressive parameters"));
            }
            Self {
                parts,
                band: (first, last),
                high: approx >> 4,
                low: approx & 15,
            }
        } else {
            Self {
                parts,
                band: (0, 63),
                high: 0,
                low: 0,
            }
        };
        Ok(scan)
    }
}

/// The Huffman tables in force.
#[derive(Default)]
pub(super) struct Tables {
    pub dc: [Option<Huffman>; 4],
    pub ac: [Option<Huffman>; 4],
}

fn table(tables: &[Option<Huffman>; 4], index: usize) -> Result<&Huffman> {
    tables
        .get(index)
        .and_then(Option::as_ref)
        .ok_or_else(|| invalid("a code table is missing"))
}

/// For each component of a progressive frame, which coefficients of each block are not zero: a
/// refinement scan spends one bit on each of them.
pub(super) type Nonzero = Vec<Vec<u64>>;

/// Walks the data of `scan` from `at`; returns where it ends.
pub(super) fn walk_scan(
    bytes: &[u8],
    at: usize,
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    restart_interval: u32,
    nonzero: &mut Nonzero,
) -> Result<usize> {
    let mut bits = Bits::new(bytes, at);
    let mut eob_run = 0u32;
    let single = scan.parts.len() == 1;
    let (across, down) = if single {
        frame.own_blocks(scan.parts[0].0)
    } else {
        frame.mcus()
    };
    let mut until_restart = restart_interval;
    for y in 0..down {
        for x in 0..across {
            if restart_interval > 0 {
                if until_restart == 0 {
                    bits.restart()?;
                    eob_run = 0;
                    until_restart = restart_interval;
                }
                until_restart -= 1;
            }
            for &(component, dc, ac) in &scan.parts {
                let (h, v) = match single {
                    true => (1, 1),
                    false => (frame.components[component].h, frame.components[component].v),
                };
                for row in 0..v {
                    for column in 0..h {
                        if !frame.progressive {
                            sequential(&mut bits, table(&tables.dc, dc)?, table(&tables.ac, ac)?)?;
                        } else if scan.band.0 == 0 {
                            progressive_dc(&mut bits, scan, tables, dc)?;
                        } else {
                            let block = (y * v + row) as usize * frame.stride(component)
                                + (x * h + column) as usize;
                            let mask = nonzero
                                .get_mut(component)
                                .and_then(|blocks| blocks.get_mut(block))
                                .ok_or_else(truncated)?;
                            let ac = table(&tables.ac, ac)?;
                            progressive_ac(&mut bits, scan, ac, mask, &mut eob_run)?;
                        }
                    }
                }
            }
        }
    }
    Ok(bits.position())
}

/// A whole 8 x 8 block: one DC difference, then run and size pairs up to 63 AC values.
fn sequential(bits: &mut Bits, dc: &Huffman, ac: &Huffman) -> Result<()> {
    let size = bits.symbol(dc)?;
    skip_value(bits, size)?;
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(ac)?;
        match (symbol >> 4, symbol & 15) {
            (15, 0) => k += 16,
            (_, 0) => break,
            (run, size) => {
                skip_value(bits, size)?;
                k += u32::from(run) + 1;
            }
        }
    }
    Ok(())
}

fn skip_value(bits: &mut Bits, size: u8) -> Result<()> {
    if size > 16 {
        return Err(invalid("a value of too many bits"));
    }
    bits.take(u32::from(size)).map(drop)
}

fn progressive_dc(bits: &mut Bits, scan: &Scan, tables: &Tables, dc: usize) -> Result<()> {
    if scan.high > 0 {
        return bits.take(1).map(drop);
    }
    let size = bits.symbol(table(&tables.dc, dc)?)?;
    skip_value(bits, size)
}

/// A band of AC coefficients of one block, first scan or refinement.
fn progressive_ac(
    bits: &mut Bits,
    scan: &Scan,
    ac: &Huffman,
    mask: &mut u64,
    eob_run: &mut u32,
) -> Result<()> {
    let refining = scan.high > 0;
    let mut k = scan.band.0;
    while *eob_run == 0 && k <= scan.band.1 {
        let symbol = bits.symbol(ac)?;
        let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
        if size == 0 && run < 15 {
            *eob_run = (1 << run) + bits.take(run)?;
            break;
        }
        if size > 0 {
            skip_value(bits, size)?;
        }
        if refining {
            while k <= scan.band.1 {
                if *mask >> k & 1 == 1 {
                    bits.take(1)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
        } else {
            k += run;
        }
        if size > 0 && k <= scan.band.1 {
            *mask |= 1 << k;
        }
        k += 1;
    }
    if *eob_run > 0 {
        if refining {
            let band = u64::MAX >> (63 - scan.band.1);
            let left = if k > 63 {
                0
            } else {
                *mask & band & (u64::MAX << k)
            };
            for _ in 0..left.count_ones() {
                bits.take(1)?;
            }
        }
        *eob_run -= 1;
    }
    Ok(())
}
