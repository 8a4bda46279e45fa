//! The line of one object, parsed by hand: nine of ten lines of a dump are rows.

use std::fmt;

/// A row without its referents, which go to the caller's list as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) id: u64,
    /// None for the dumper's own objects.
    pub(super) class: Option<u64>,
    pub(super) size: u64,
    pub(super) flags: u64,
    /// None for immortal objects.
    pub(super) refcount: Option<u64>,
    pub(super) address: u64,
    /// The label as it stands in the line, quotes included.
    pub(super) label: Option<&'a [u8]>,
}

/// What is wrong with a row, and at which byte of its line, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    pub(super) column: usize,
    pub(super) fault: RowFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowFault {
    /// Something else than these characters.
    Expected(&'static str),
    /// A negative number where none can be.
    Negative,
    /// A number of more than 64 bits.
    TooBig,
    /// A referent of more than 32 bits.
    Referent(u64),
    /// The list of references may not grow.
    TooManyEdges,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            RowFault::Expected(what) => write!(f, "bad row: no {what}")?,
            RowFault::Negative => f.write_str("bad row: a negative number")?,
            RowFault::TooBig => f.write_str("bad row: a number of more than 64 bits")?,
            RowFault::Referent(id) => write!(f, "referent {id} is out of range")?,
            RowFault::TooManyEdges => f.write_str("more references than can be counted or held")?,
        }
        write!(f, " (column {})", self.column)
    }
}

/// Parses a row, giving each referent to `edge`, which says whether it took it.
#[inline]
pub(super) fn parse<'a>(line: &'a [u8], mut edge: impl FnMut(u32) -> bool) -> Result<Row<'a>, BadRow> {
    let mut p = Parser { line, at: 0 };
    p.token(b'[', "'['")?;
    let id = p.number()?;
    p.comma()?;
    let class = p.number_or_minus_one()?;
    p.comma()?;
    let size = p.number()?;
    p.comma()?;
    let flags = p.number()?;
    p.comma()?;
    let refcount = p.number_or_minus_one()?;
    p.comma()?;
    let address = p.number()?;
    p.comma()?;
    p.token(b'[', "list of referents")?;
    if !p.skip(b']') {
        loop {
            let referent = p.number()?;
            let Ok(id) = u32::try_from(referent) else {
                return Err(p.bad(RowFault::Referent(referent)));
            };
            if !edge(id) {
                return Err(p.bad(RowFault::TooManyEdges));
            }
            if p.skip(b']') {
                break;
            }
            p.comma()?;
        }
    }
    let label = if p.skip(b',') { p.label()? } else { None };
    p.token(b']', "']'")?;
    p.space();
    if p.at < line.len() {
        return Err(p.bad(RowFault::Expected("end of line")));
    }
    Ok(Row { id, class, size, flags, refcount, address, label })
}

struct Parser<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    #[inline]
    fn peek(&self) -> u8 {
        // 0 is no character of JSON, so the end of the line never matches.
        self.line.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    /// Skips a character if it comes next.
    #[inline]
    fn skip(&mut self, wanted: u8) -> bool {
        self.space();
        let there = self.peek() == wanted;
        self.at += usize::from(there);
        there
    }

    #[inline]
    fn token(&mut self, wanted: u8, name: &'static str) -> Result<(), BadRow> {
        if self.skip(wanted) { Ok(()) } else { Err(self.bad(RowFault::Expected(name))) }
    }

    #[inline]
    fn comma(&mut self) -> Result<(), BadRow> {
        self.token(b',', "','")
    }

    #[inline]
    fn number(&mut self) -> Result<u64, BadRow> {
        self.space();
        let start = self.at;
        let mut value = 0_u64;
        loop {
            let digit = self.peek().wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = match value.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit))) {
                Some(value) => value,
                None => return Err(self.bad(RowFault::TooBig)),
            };
            self.at += 1;
        }
        match self.at - start {
            0 if self.peek() == b'-' => Err(self.bad(RowFault::Negative)),
            0 => Err(self.bad(RowFault::Expected("number"))),
            1 => Ok(value),
            _ if self.line[start] == b'0' => {
                Err(self.bad(RowFault::Expected("number without leading zeros")))
            }
            _ => Ok(value),
        }
    }

    #[inline]
    fn number_or_minus_one(&mut self) -> Result<Option<u64>, BadRow> {
        self.space();
        if self.peek() != b'-' {
            return self.number().map(Some);
        }
        let minus = self.at;
        self.at += 1;
        match self.number() {
            Ok(1) => Ok(None),
            Ok(_) => {
                self.at = minus;
                Err(self.bad(RowFault::Negative))
            }
            Err(bad) => Err(bad),
        }
    }

    /// A string as it stands, or null. Whether its escapes are right is seen when it is decoded.
    fn label(&mut self) -> Result<Option<&'a [u8]>, BadRow> {
        self.space();
        if self.line[self.at..].starts_with(b"null") {
            self.at += 4;
            return Ok(None);
        }
        let start = self.at;
        self.token(b'"', "label")?;
        loop {
            match self.line.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Some(&self.line[start..self.at]));
                }
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => {
                    self.at = self.line.len();
                    return Err(self.bad(RowFault::Expected("end of the label")));
                }
            }
        }
    }

    #[cold]
    fn bad(&self, fault: RowFault) -> BadRow {
        BadRow { column: self.at + 1, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(Row<'_>, Vec<u32>), BadRow> {
        let mut edges = Vec::new();
        let row = parse(line.as_bytes(), |id| {
            edges.push(id);
            true
        })?;
        Ok((row, edges))
    }

    fn fault(line: &str) -> (usize, RowFault) {
        let bad = read(line).expect_err(line);
        (bad.column, bad.fault)
    }

    #[test]
    fn rows_of_all_kinds() {
        let (row, edges) = read(r#"[3,10,80,33,1,139886664145616,[4,0,2],"a.\"b"]"#).unwrap();
        assert_eq!((row.id, row.class, row.size, row.flags), (3, Some(10), 80, 33));
        assert_eq!((row.refcount, row.address), (Some(1), 139_886_664_145_616));
        assert_eq!((row.label, edges), (Some(&br#""a.\"b""#[..]), vec![4, 0, 2]));
        let (row, edges) = read("[0,-1,0,0,-1,0,[]]").unwrap();
        assert_eq!((row.class, row.refcount, row.label, edges), (None, None, None, vec![]));
        let (row, edges) = read(" [ 1 , 2 , 3 , 4 , 5 , 6 , [ 7 , 8 ] , null ] \r").unwrap();
        assert_eq!((row.address, row.label, edges), (6, None, vec![7, 8]));
    }

    #[test]
    fn every_prefix_is_an_error() {
        let line = r#"[3,10,80,33,-1,139886664145616,[4,0,2],"label"]"#;
        for cut in 0..line.len() {
            let bad = read(&line[..cut]).expect_err("a cut line");
            assert!(bad.column <= cut + 1, "{bad} in {cut} bytes");
        }
    }

    #[test]
    fn faults_and_where_they_are() {
        assert_eq!(fault("[-1,0,0,0,0,0,[]]"), (2, RowFault::Negative));
        assert_eq!(fault("[0,-2,0,0,0,0,[]]"), (4, RowFault::Negative));
        assert_eq!(fault("[0,0,-1,0,0,0,[]]"), (6, RowFault::Negative));
        assert_eq!(fault("[0,0,18446744073709551616,0,0,0,[]]"), (25, RowFault::TooBig));
        assert_eq!(fault("[0,0,1.5,0,0,0,[]]"), (7, RowFault::Expected("','")));
        assert_eq!(fault("[0,0,0,0,0,0,[4294967296]]"), (25, RowFault::Referent(1 << 32)));
        assert_eq!(fault("[0,0,0,0,0,0,[]]x"), (17, RowFault::Expected("end of line")));
        assert_eq!(fault("[0,0,00,0,0,0,[]]").1, RowFault::Expected("number without leading zeros"));
        assert_eq!(fault(r#"[0,0,0,0,0,0,[],"a\"#).1, RowFault::Expected("end of the label"));
        assert_eq!(fault("").1, RowFault::Expected("'['"));
    }
}
