//! The coefficients of one block from the entropy-coded data (ITU-T T.81, F.2 and G.2).

use super::bits::{Bits, Huffman};
use super::idct::Block;
use super::invalid;
use super::scan::Scan;
use crate::error::Result;

/// Where the k-th coefficient of the coded order lies in a block.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

fn at(k: u32) -> Result<usize> {
    match ZIGZAG.get(k as usize) {
        Some(&at) => Ok(usize::from(at)),
        None => Err(invalid("a block of too many values")),
    }
}

/// What runs on from block to block of one scan.
#[derive(Default)]
pub(super) struct Running {
    /// The last DC value of each component.
    pub dc: [i32; 4],
    /// How many blocks of a progressive AC scan have nothing more to say.
    pub ended: u32,
}

/// A whole block of a sequential scan: the difference of its DC value, then runs of zeros with
/// the AC value behind each. `block` must be all zeros.
pub(super) fn sequential(
    bits: &mut Bits,
    (dc, ac): (&Huffman, &Huffman),
    last_dc: &mut i32,
    block: &mut Block,
) -> Result<()> {
    let size = bits.symbol(dc)?;
    *last_dc = last_dc.wrapping_add(bits.signed(size)?);
    block[0] = *last_dc as i16;
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(ac)?;
        match (u32::from(symbol >> 4), symbol & 15) {
            (15, 0) => k += 16,
            (_, 0) => break,
            (run, size) => {
                let value = bits.signed(size)?;
                block[at(k + run)?] = value as i16;
                k += run + 1;
            }
        }
    }
    Ok(())
}

/// The DC value of a block at the first precision, or one more bit of it (then without a table).
pub(super) fn progressive_dc(
    bits: &mut Bits,
    scan: &Scan,
    dc: Option<&Huffman>,
    last_dc: &mut i32,
    block: &mut Block,
) -> Result<()> {
    match dc {
        Some(dc) => {
            let size = bits.symbol(dc)?;
            *last_dc = last_dc.wrapping_add(bits.signed(size)?);
            block[0] = (*last_dc << scan.low) as i16;
        }
        None => block[0] |= (bits.take(1)? as i16) << scan.low,
    }
    Ok(())
}

/// A band of AC values of a block at the first precision.
pub(super) fn progressive_ac(
    bits: &mut Bits,
    scan: &Scan,
    ac: &Huffman,
    ended: &mut u32,
    block: &mut Block,
) -> Result<()> {
    let mut k = scan.band.0;
    while *ended == 0 && k <= scan.band.1 {
        let symbol = bits.symbol(ac)?;
        match (u32::from(symbol >> 4), symbol & 15) {
            (15, 0) => k += 16,
            (run, 0) => *ended = (1 << run) + bits.take(run)?,
            (run, size) => {
                let value = bits.signed(size)?;
                block[at(k + run)?] = (value << scan.low) as i16;
                k += run + 1;
            }
        }
    }
    *ended = ended.saturating_sub(1);
    Ok(())
}

/// One more bit of a band of AC values: each value that is not zero gets its bit, and values that
/// become so are placed by counting the zeros before them.
pub(super) fn refine_ac(
    bits: &mut Bits,
    scan: &Scan,
    ac: &Huffman,
    ended: &mut u32,
    block: &mut Block,
) -> Result<()> {
    let unit = 1i16 << scan.low;
    let mut k = scan.band.0;
    while *ended == 0 && k <= scan.band.1 {
        let symbol = bits.symbol(ac)?;
        let run = u32::from(symbol >> 4);
        let fresh = match symbol & 15 {
            0 if run < 15 => {
                *ended = (1 << run) + bits.take(run)?;
                break;
            }
            0 => 0,
            1 if bits.take(1)? == 1 => unit,
            1 => -unit,
            _ => return Err(invalid("a refinement by more than one bit")),
        };
        k = pass_zeros(bits, scan, k, Some(run), block)?;
        if fresh != 0 {
            block[at(k)?] = fresh;
        }
        k += 1;
    }
    if *ended > 0 {
        pass_zeros(bits, scan, k, None, block)?;
        *ended -= 1;
    }
    Ok(())
}

/// Refines values from the `k`-th on up to the zero behind `zeros` others, or to the band's end;
/// returns where it stopped.
fn pass_zeros(
    bits: &mut Bits,
    scan: &Scan,
    mut k: u32,
    mut zeros: Option<u32>,
    block: &mut Block,
) -> Result<u32> {
    let unit = 1i16 << scan.low;
    while k <= scan.band.1 {
        let value = &mut block[at(k)?];
        if *value != 0 {
            if bits.take(1)? == 1 && *value & unit == 0 {
                *value = value.wrapping_add(unit * value.signum());
            }
        } else {
            match &mut zeros {
                Some(0) => break,
                Some(zeros) => *zeros -= 1,
                None => {}
            }
        }
        k += 1;
    }
    Ok(k)
}
