//! Which interpreter is meant: its version and how it was built.

use core::fmt;
use core::str::FromStr;

use super::abi::Abi;

/// A CPython version, as in `sys.version_info[:3]`.
///
/// Parses from `3.12` (patch level 0) and `3.12.1`. A suffix for the kind of build (`3.13t`,
/// `3.11.2-i386`) belongs to a [`Target`], not to a version, and is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PyVersion {
    /// 3 in 3.12.1.
    pub major: u8,
    /// 12 in 3.12.1.
    pub minor: u8,
    /// 1 in 3.12.1.
    pub patch: u8,
}

/// The processor architecture of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Arch {
    /// 64-bit x86, with glibc.
    #[default]
    X86_64,
    /// 32-bit x86.
    I386,
    /// WebAssembly with 32-bit addresses.
    Wasm32,
}

/// How an interpreter was built; the default is x86-64 with the GIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Build {
    /// The architecture it runs on.
    pub arch: Arch,
    /// `--disable-gil` ([PEP 703](https://peps.python.org/pep-0703/)), the `t` of `3.13t`.
    pub free_threaded: bool,
}

/// A version and a build: everything a layout depends on.
///
/// Parses from labels such as `3.12.1`, `3.13.0t` and `3.11.2-i386`. Parsing tells only whether a label
/// is well formed; whether the target is modelled shows when a
/// [`ClassLayout`](super::ClassLayout) is asked for.
///
/// ```
/// use cpymem_slots::model::{ClassLayout, PyVersion, Target};
///
/// let target: Target = "3.12.1".parse().unwrap();
/// assert_eq!(target, Target::from(PyVersion { major: 3, minor: 12, patch: 1 }));
/// assert!(ClassLayout::object(target).is_ok());
///
/// let older: Target = "3.5.10".parse().unwrap();
/// assert!(ClassLayout::object(older).unwrap_err().to_string().starts_with(
///     "CPython 3.5.10 on x86-64 with the GIL is not modelled; known are 2.7, 2.7-i386, 3.6, 3.7"
/// ));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The version.
    pub version: PyVersion,
    /// The build.
    pub build: Build,
}

/// A version or build that cannot be read, or of which no layout is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetError {
    /// Not of the form `MAJOR.MINOR[.PATCH]` (of a [`Target`]: `MAJOR.MINOR[.PATCH][t][-ARCH]`).
    Malformed {
        /// The text that was asked for, cut after 40 characters.
        asked: String,
    },
    /// Well formed, but no row of the table of facts describes it.
    NotModelled {
        /// What was asked for.
        asked: Target,
    },
}

impl TargetError {
    fn malformed(text: &str) -> TargetError {
        TargetError::Malformed { asked: text.chars().take(40).collect() }
    }
}

impl FromStr for PyVersion {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<PyVersion, TargetError> {
        let mut numbers = text.split('.').map(number);
        let version = (|| {
            let (major, minor) = (numbers.next()??, numbers.next()??);
            let patch = match numbers.next() {
                Some(patch) => patch?,
                None => 0,
            };
            numbers.next().is_none().then_some(PyVersion { major, minor, patch })
        })();
        version.ok_or_else(|| TargetError::malformed(text))
    }
}

/// A decimal number without sign or leading zeros.
fn number(digits: &str) -> Option<u8> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        let malformed = || TargetError::malformed(text);
        let (version, arch) = match text.split_once('-') {
            None => (text, Arch::X86_64),
            Some((version, "i386")) => (version, Arch::I386),
            Some((version, "wasm32")) => (version, Arch::Wasm32),
            Some(_) => return Err(malformed()),
        };
        let (version, free_threaded) = match version.strip_suffix('t') {
            Some(version) => (version, true),
            None => (version, false),
        };
        let version = version.parse().map_err(|_| malformed())?;
        Ok(Target { version, build: Build { arch, free_threaded } })
    }
}

impl Target {
    /// The newest patch level is not known to the model: of every build that it describes, a target with
    /// patch level 0, oldest version first.
    pub fn known() -> impl Iterator<Item = Target> {
        Abi::known().map(|abi| Target {
            version: PyVersion { major: abi.major, minor: abi.minor, patch: 0 },
            build: Build { arch: abi.arch, free_threaded: abi.free_threaded },
        })
    }

    /// Minor version and build as a label that parses: `3.12`, `3.13t`, `3.11-i386`.
    pub fn label(&self) -> String {
        let Target { version: PyVersion { major, minor, .. }, build } = self;
        let free_threaded = if build.free_threaded { "t" } else { "" };
        let arch = match build.arch {
            Arch::X86_64 => "",
            Arch::I386 => "-i386",
            Arch::Wasm32 => "-wasm32",
        };
        format!("{major}.{minor}{free_threaded}{arch}")
    }
}

impl From<PyVersion> for Target {
    fn from(version: PyVersion) -> Target {
        Target { version, build: Build::default() }
    }
}

impl From<(PyVersion, Build)> for Target {
    fn from((version, build): (PyVersion, Build)) -> Target {
        Target { version, build }
    }
}

impl fmt::Display for PyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::X86_64 => "x86-64",
            Arch::I386 => "i386",
            Arch::Wasm32 => "wasm32",
        })
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} the GIL", self.arch, if self.free_threaded { "without" } else { "with" })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.version, self.build)
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Malformed { asked } => {
                write!(f, "{asked:?} is no CPython version of the form MAJOR.MINOR[.PATCH]")
            }
            TargetError::NotModelled { asked } => {
                let known: Vec<String> = Target::known().map(|known| known.label()).collect();
                write!(f, "CPython {asked} is not modelled; known are {}", known.join(", "))
            }
        }
    }
}

impl core::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_labels_read_back_as_written() {
        for text in ["3.11.7", "3.12.1", "2.7.18", "3.0.0", "255.255.255"] {
            assert_eq!(text.parse::<PyVersion>().unwrap().to_string(), text);
        }
        assert_eq!("3.12".parse::<PyVersion>().unwrap(), PyVersion { major: 3, minor: 12, patch: 0 });
        let build = "3.13.15t-i386".parse::<Target>().unwrap().build;
        assert_eq!(build, Build { arch: Arch::I386, free_threaded: true });
    }

    #[test]
    fn malformed_versions_are_refused_with_the_text() {
        for text in [
            "", "3", "3.", ".12", "3.12.", "3.12.1.2", "3.13t", "3.256", "+3.12", "3.012", "3.x", " 3.12",
            "٣.12",
        ] {
            assert_eq!(
                text.parse::<PyVersion>(),
                Err(TargetError::Malformed { asked: text.into() }),
                "{text}"
            );
        }
        for text in ["3.13tt", "3.13-arm", "3.13-", "t", "-i386", "3.13-i386t"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        let TargetError::Malformed { asked } = "9".repeat(1 << 20).parse::<PyVersion>().unwrap_err() else {
            panic!("a megabyte of digits is no version");
        };
        assert_eq!(asked.len(), 40);
    }

    #[test]
    fn unknown_targets_name_what_is_known() {
        for label in ["2.6", "3.5", "3.16", "3.12t", "3.14t", "3.15t", "3.6-i386", "3.13t-wasm32"] {
            let target = label.parse().unwrap();
            let error = Abi::of(target).map(|_| ()).unwrap_err();
            assert_eq!(error, TargetError::NotModelled { asked: target });
            let text = error.to_string();
            assert!(
                text.contains(&target.to_string()) && text.contains("3.11, 3.11-i386, 3.11-wasm32"),
                "{text}"
            );
        }
    }

    #[test]
    fn known_targets_have_labels_that_parse() {
        assert_eq!(Target::known().count(), 26);
        for target in Target::known() {
            assert_eq!(target.label().parse(), Ok(target));
        }
    }
}
