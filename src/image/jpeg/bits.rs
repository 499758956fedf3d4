//! Bits of entropy-coded JPEG data and the Huffman codes in them (ITU-T T.81, annexes C and F).

use super::{invalid, truncated};
use crate::error::Result;

/// Reads bits, most significant first, removing stuffed zero bytes and stopping at markers.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte to load; stays on the 0xff of a marker.
    at: usize,
    buffer: u64,
    filled: u32,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            buffer: 0,
            filled: 0,
        }
    }

    fn fill(&mut self) {
        while self.filled <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else {
                return;
            };
            if byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.buffer = (self.buffer << 8) | u64::from(byte);
            self.filled += 8;
        }
    }

    /// The next 16 bits without taking them, zeros past the end.
    fn peek16(&mut self) -> usize {
        if self.filled < 16 {
            self.fill();
        }
        let bits = match self.filled {
            filled @ 16.. => self.buffer >> (filled - 16),
            filled => self.buffer << (16 - filled),
        };
        (bits & 0xffff) as usize
    }

    fn skip(&mut self, count: u32) -> Result<()> {
        if self.filled < count {
            self.fill();
        }
        self.filled = self.filled.checked_sub(count).ok_or_else(truncated)?;
        Ok(())
    }

    /// The next `count` (at most 16) bits.
    pub fn take(&mut self, count: u32) -> Result<u32> {
        let ahead = self.peek16();
        self.skip(count)?;
        Ok((ahead >> (16 - count)) as u32)
    }

    /// The next `size` bits as a value of that many bits, negative if the first bit is 0
    /// (T.81, F.2.2.1, EXTEND).
    pub fn signed(&mut self, size: u8) -> Result<i32> {
        match size {
            0 => Ok(0),
            1..=15 => {
                let value = self.take(u32::from(size))? as i32;
                let negative = value < 1 << (size - 1);
                Ok(value - if negative { (1 << size) - 1 } else { 0 })
            }
            _ => Err(invalid("a value of too many bits")),
        }
    }

    /// The next symbol of `table`.
    pub fn symbol(&mut self, table: &Huffman) -> Result<u8> {
        let ahead = self.peek16();
        let (length, symbol) = table.find(ahead);
        if length == 0 {
            // Zeros invented past the end must not turn a cut file into a damaged one.
            return Err(if self.filled < 16 {
                truncated()
            } else {
                invalid("a code that stands for nothing")
            });
        }
        self.skip(u32::from(length))?;
        Ok(symbol)
    }

    /// Drops the padding up to the next restart marker and passes it.
    pub fn restart(&mut self) -> Result<()> {
        let marker = find_marker(self.bytes, self.at).ok_or_else(truncated)?;
        if !(0xd0..=0xd7).contains(&self.bytes[marker + 1]) {
            return Err(truncated());
        }
        self.at = marker + 2;
        self.buffer = 0;
        self.filled = 0;
        Ok(())
    }

    /// Where the data that was loaded ends.
    pub fn position(&self) -> usize {
        self.at
    }
}

/// The offset of the 0xff before the next marker code at or after `at`.
pub(super) fn find_marker(bytes: &[u8], at: usize) -> Option<usize> {
    let tail = bytes.get(at..)?;
    let found = tail
        .windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))?;
    Some(at + found)
}

/// One Huffman table: codes of up to 9 bits by lookup, longer ones by canonical order.
pub(super) struct Huffman {
    /// `(length, symbol)` for each 9-bit beginning, length 0 if the code is longer.
    short: Vec<(u8, u8)>,
    /// For lengths 1..=16: first code after the last of that length, left-aligned to 16 bits.
    limit: [usize; 17],
    /// For each length: what to add to a code to get its index in `symbols`.
    offset: [isize; 17],
    symbols: Vec<u8>,
}

const SHORT: u32 = 9;

impl Huffman {
    /// Builds the table from the counts per length and the symbols in code order.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self> {
        let mut table = Self {
            short: vec![(0, 0); 1 << SHORT],
            limit: [0; 17],
            offset: [0; 17],
            symbols: symbols.to_vec(),
        };
        let mut code = 0usize;
        let mut index = 0usize;
        for length in 1..=16usize {
            let count = usize::from(counts[length - 1]);
            if code + count > 1 << length || index + count > symbols.len() {
                return Err(invalid("an impossible code table"));
            }
            table.offset[length] = index as isize - code as isize;
            if length <= SHORT as usize {
                for i in 0..count {
                    let free = SHORT as usize - length;
                    let first = (code + i) << free;
                    table.short[first..first + (1 << free)]
                        .fill((length as u8, symbols[index + i]));
                }
            }
            code += count;
            index += count;
            table.limit[length] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// `(length, symbol)` of the code that `ahead` (16 bits) begins with; length 0 for none.
    fn find(&self, ahead: usize) -> (u8, u8) {
        let short = self.short[ahead >> (16 - SHORT)];
        if short.0 != 0 {
            return short;
        }
        for length in SHORT as usize + 1..=16 {
            if ahead < self.limit[length] {
                let code = (ahead >> (16 - length)) as isize;
                let index = code + self.offset[length];
                return match usize::try_from(index)
                    .ok()
                    .and_then(|i| self.symbols.get(i))
                {
                    Some(&symbol) => (length as u8, symbol),
                    None => (0, 0),
                };
            }
        }
        (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_codes_are_read_in_canonical_order() {
        // Codes 0, 10, 110 ... then two of twelve bits.
        let mut counts = [0u8; 16];
        counts[0] = 1;
        counts[1] = 1;
        counts[11] = 2;
        let table = Huffman::new(&counts, &[7, 8, 9, 10]).unwrap();
        // 0 | 10 | 110000000000 | 110000000001, padded with ones.
        let bits = [0b0101_1000, 0b0000_0001, 0b1000_0000, 0b0011_1111];
        let mut reader = Bits::new(&bits, 0);
        let read: Vec<u8> = (0..4).map(|_| reader.symbol(&table).unwrap()).collect();
        assert_eq!(read, [7, 8, 9, 10]);
    }

    #[test]
    fn bits_stop_at_a_marker_and_unstuff() {
        let mut reader = Bits::new(&[0xff, 0x00, 0xab, 0xff, 0xd9], 0);
        assert_eq!(reader.take(8).unwrap(), 0xff);
        assert_eq!(reader.take(8).unwrap(), 0xab);
        assert_eq!(reader.position(), 3);
        assert_eq!(reader.take(1).unwrap_err().code(), "image/truncated");
    }

    #[test]
    fn values_of_each_size_have_both_signs() {
        // 0 | 1 | 00 | 01 | 10 | 11 | 000 | 111 | 1000.
        let mut reader = Bits::new(&[0b0100_0110, 0b1100_0111, 0b1000_1000], 0);
        let sizes = [1, 1, 2, 2, 2, 2, 3, 3, 4, 0];
        let read = sizes.map(|size| reader.signed(size).unwrap());
        assert_eq!(read, [-1, 1, -3, -2, 2, 3, -7, 7, 8, 0]);
        assert!(reader.signed(16).is_err());
    }

    #[test]
    fn an_overfull_table_is_refused() {
        let mut counts = [0u8; 16];
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[1, 2, 3]).is_err());
    }
}
