//! Finds the blocks of a PEM text. A malformed block is an error, never skipped: a missing
//! certificate would be noticed only when its clients are refused.

use std::borrow::Cow;

use rustls::pki_types::{
    CertificateDer,
    pem::{Error as PemError, PemObject},
};

use crate::{Certificate, Problem};

/// U+FEFF in UTF-8. Some editors write it in front of a file, and `cat` moves it to the middle.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads every certificate of a PEM text, in its order.
///
/// # Errors
/// There is none, or one of them cannot be read.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, Problem> {
    let text = Text::of(pem, "certificate")?;
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(&text.0) {
        let number = found.len() + 1;
        let der = der.map_err(|error| broken(&format!("certificate {number}"), &error))?;
        found.push(Certificate::parse(der, number)?);
    }
    text.all_were_read("CERTIFICATE", "certificate", found.len())?;
    Ok(found)
}

/// A file's content without byte order marks.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, [u8]>);

impl<'a> Text<'a> {
    /// `name` is what the text should contain.
    pub(crate) fn of(pem: &'a [u8], name: &str) -> Result<Self, Problem> {
        let no = |why: &str| Err(problem!("no {name} in PEM form: {why}"));
        if pem.starts_with(b"\xff\xfe") || pem.starts_with(b"\xfe\xff") {
            return no("it is UTF-16 text; save it as ASCII or UTF-8");
        }
        let text = without_marks(pem);
        if text.trim_ascii().is_empty() {
            return no("it is empty");
        }
        let text = Self(text);
        if text.0[0] == 0x30 && text.labels().next().is_none() {
            return no(
                "it is binary, DER or PKCS #12; convert it with `openssl x509 -inform DER`, \
                 `openssl pkey -inform DER`, `openssl crl -inform DER` or `openssl pkcs12 -nodes`",
            );
        }
        Ok(text)
    }

    /// Checks that every block that begins was read.
    pub(crate) fn all_were_read(
        &self,
        label: &str,
        name: &str,
        read: usize,
    ) -> Result<(), Problem> {
        let last = label.strip_prefix("X509 ").unwrap_or(label);
        let begun = self.labels().filter(|found| found.label.ends_with(last)).count();
        if begun > read {
            let begins = if begun == 1 { "block begins" } else { "blocks begin" };
            let s = if read == 1 { "" } else { "s" };
            return Err(problem!(
                "{begun} {begins} with BEGIN … {last}, but {read} {name}{s} could be read{}",
                self.first_odd_line(label, last)
            ));
        }
        if read == 0 {
            return Err(problem!("no {name} in PEM form{}", self.content()));
        }
        Ok(())
    }

    /// Every line that seems to begin a block, well-formed or not.
    pub(crate) fn labels(&self) -> impl Iterator<Item = Found> + '_ {
        let lines = self.0.split(|byte| matches!(byte, b'\n' | b'\r'));
        lines.flat_map(|line| {
            let line = String::from_utf8_lossy(line).into_owned();
            let labels = begins(&line);
            labels.into_iter().map(move |label| Found { label, line: line.clone() })
        })
    }

    /// The first malformed line that begins a block.
    fn first_odd_line(&self, label: &str, last: &str) -> String {
        let exact = format!("-----BEGIN {label}-----");
        let mut odd = self.labels().filter(|found| found.label.ends_with(last));
        match odd.find(|found| found.line.trim_end() != exact) {
            Some(Found { line, .. }) => {
                let shown: String = line.chars().take(60).collect();
                format!("; write {shown:?} as {exact:?}, at the start of a line, or take it out")
            }
            None => "; a line END is missing".to_owned(),
        }
    }

    /// The blocks that the text has instead.
    fn content(&self) -> String {
        let mut labels: Vec<_> = self.labels().map(|found| found.label).collect();
        labels.dedup();
        match labels.len() {
            0 => "; it must have a line -----BEGIN …-----".to_owned(),
            _ => format!("; it has {}", labels.join(", ")),
        }
    }
}

/// A line that begins a block.
pub(crate) struct Found {
    /// Between BEGIN and the dashes, in capitals.
    pub(crate) label: String,
    line: String,
}

/// The labels of the blocks that a line begins: `- BEGIN LABEL -`, with dashes of any number and
/// kind. Free text between blocks may contain the word without dashes.
fn begins(line: &str) -> Vec<String> {
    const DASHES: [char; 5] = ['-', '\u{2010}', '\u{2011}', '\u{2013}', '\u{2014}'];
    let line = line.to_ascii_uppercase();
    let found = line.match_indices("BEGIN").filter_map(|(at, word)| {
        let dashed = line[..at].trim_end().ends_with(DASHES);
        let label = line[at + word.len()..].split(DASHES).next()?;
        dashed.then(|| label.trim().to_owned())
    });
    found.filter(|label| !label.is_empty()).collect()
}

fn without_marks(pem: &[u8]) -> Cow<'_, [u8]> {
    let marked = |at: usize| pem[at..].starts_with(BYTE_ORDER_MARK);
    if !(0..pem.len()).any(marked) {
        return Cow::Borrowed(pem);
    }
    let (mut text, mut rest) = (Vec::with_capacity(pem.len()), pem);
    while let [first, others @ ..] = rest {
        rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or_else(|| {
            text.push(*first);
            others
        });
    }
    Cow::Owned(text)
}

/// Words an error of the library, which shows lines as lists of bytes.
pub(crate) fn broken(what: &str, error: &PemError) -> Problem {
    let why = match error {
        PemError::MissingSectionEnd { end_marker } => {
            let label = String::from_utf8_lossy(end_marker);
            format!("the line -----END {label}----- is missing; the file may be cut off")
        }
        PemError::IllegalSectionStart { line } => {
            format!("{:?} begins no block", String::from_utf8_lossy(line))
        }
        PemError::Base64Decode(why) => format!("its base64 is broken ({why})"),
        other => other.to_string(),
    };
    problem!("{what} is not PEM: {why}")
}
