//! The operands of a pickle, read from the bytes at hand.

use super::damaged;
use crate::error::Error;

/// The longest name of a module or class.
const MAX_LINE: usize = 1 << 10;

/// Why an opcode was not carried out.
pub(super) enum Stop {
    /// Its operand has not come yet.
    More,
    /// It cannot be.
    Bad(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Bad(error)
    }
}

/// The bytes at hand.
pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let end = self.at.checked_add(count).ok_or(Stop::More)?;
        let taken = self.bytes.get(self.at..end).ok_or(Stop::More)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Stop::More)
    }

    pub(super) fn line(&mut self) -> Result<&'a str, Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
            return Err(match rest.len() < MAX_LINE {
                true => Stop::More,
                false => damaged("a name in it is too long").into(),
            });
        };
        self.at += length + 1;
        let line = std::str::from_utf8(&rest[..length]);
        line.map_err(|_| damaged("a name in it is no UTF-8").into())
    }
}

/// A little-endian integer of up to eight bytes with its sign.
pub(super) fn int(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut whole = [if negative { 0xff } else { 0 }; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(whole))
}
