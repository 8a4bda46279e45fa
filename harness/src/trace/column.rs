//! One column of a block of events.

use std::fmt;

/// The columns of a block, in their order in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnName {
    Tags,
    Sizes,
    Ages,
    Addrs,
    Marks,
}

impl ColumnName {
    pub(super) const ALL: [Self; 5] = [Self::Tags, Self::Sizes, Self::Ages, Self::Addrs, Self::Marks];

    /// The most bytes that one event can take in this column.
    pub(super) const fn most_bytes_an_event(self) -> u64 {
        const VARINT: u64 = 10;
        match self {
            Self::Tags => 1,
            Self::Sizes | Self::Ages | Self::Addrs => VARINT,
            // A new thread, then at most a time and three values.
            Self::Marks => 5 * VARINT,
        }
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tags => "tags",
            Self::Sizes => "sizes",
            Self::Ages => "ages",
            Self::Addrs => "addrs",
            Self::Marks => "marks",
        })
    }
}

/// Why a column gives no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadVarint {
    /// The column ends before the number does.
    Short,
    /// More than 10 bytes, or more than 64 bits.
    Long,
}

/// The bytes of a column and how far they were read.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) bytes: Vec<u8>,
    at: usize,
}

impl Column {
    /// Forgets the last block; the storage stays.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }

    /// Bytes not read.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next byte.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, BadVarint> {
        let byte = *self.bytes.get(self.at).ok_or(BadVarint::Short)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next number: seven bits a byte, the lowest first, bit 7 set on all but the last.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, BadVarint> {
        let first = self.byte()?;
        if first < 0x80 { Ok(u64::from(first)) } else { self.varint_from(first) }
    }

    fn varint_from(&mut self, first: u8) -> Result<u64, BadVarint> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(BadVarint::Long);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(BadVarint::Long)
    }

    /// The next signed number: zigzag, 0 -1 1 -2 2 ...
    #[inline]
    pub(super) fn zigzag(&mut self) -> Result<i64, BadVarint> {
        let coded = self.varint()?;
        Ok((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Column {
        Column { bytes: bytes.to_vec(), at: 0 }
    }

    #[test]
    fn numbers_of_every_length() {
        assert_eq!(of(&[0]).varint(), Ok(0));
        assert_eq!(of(&[0x7f]).varint(), Ok(127));
        assert_eq!(of(&[0x80, 1]).varint(), Ok(128));
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(of(&most).varint(), Ok(u64::MAX));
    }

    #[test]
    fn numbers_that_are_cut_or_too_long() {
        assert_eq!(of(&[]).varint(), Err(BadVarint::Short));
        assert_eq!(of(&[0x80]).varint(), Err(BadVarint::Short));
        let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(of(&beyond).varint(), Err(BadVarint::Long));
        assert_eq!(of(&[0x80; 11]).varint(), Err(BadVarint::Long));
    }

    #[test]
    fn signed_numbers() {
        for (bytes, value) in [(&[0][..], 0), (&[1], -1), (&[2], 1), (&[3], -2), (&[0x80, 1], 64)] {
            assert_eq!(of(bytes).zigzag(), Ok(value));
        }
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(of(&most).zigzag(), Ok(i64::MIN));
    }
}
