//! Whose fault a failure is, decided by evidence: stable codes in three classes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// 1: the examination came to its end and found the submission wanting.
    Submission,
    /// 2: the submission ends its examination at the declared limits, shown twice.
    Examination,
    /// 3: ours. The miner is left alone, and the examination is tried again.
    Ours,
}

impl Class {
    /// The class's number: 1, 2 or 3.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Class::Submission => 1,
            Class::Examination => 2,
            Class::Ours => 3,
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $about:literal;)*) => {
        /// What happened, as a number that never changes its meaning; its thousands are the [`Class`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u16", into = "u16")]
        pub enum Code {
            $($(#[doc = $doc])* $name = $number,)*
        }

        impl Code {
            /// All codes, ascending.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code in one line.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self {
                    $(Code::$name => $about,)*
                }
            }
        }
    };
}

codes! {
    /// Proven at the first step of the verification ladder.
    NotCommitted = 1001, "the submission is not what it says, or not what was committed";
    /// More bytes than the mechanism takes.
    TooBig = 1002, "the submission is larger than its mechanism allows";
    /// Proven at a later step.
    RuleBroken = 1003, "the submission breaks a rule of its mechanism";
    /// An allocation failed below the limit of the address space.
    Memory = 2001, "the examination needs more memory than its limit";
    /// The processor time was used up.
    Cpu = 2002, "the examination needs more processor time than its limit";
    /// The deadline passed while the processor was free.
    Deadline = 2003, "the examination was not done by its deadline";
    /// Ended by a signal that neither we nor anybody else sent.
    Crash = 2004, "the examination crashed";
    /// It ended well, and nothing was said.
    NoResult = 2005, "the examination ended without a result";
    /// What was said is no result.
    Garbage = 2006, "the examination's output is no result";
    /// Too much was said.
    ResultTooLong = 2007, "the examination's output is longer than a result may be";
    /// An exit code that the child does not have.
    ForeignExit = 2008, "the examination ended with an exit code of its own";
    /// No child could be started, watched or written to.
    Host = 3001, "this machine could not run the examination";
    /// A signal that this supervisor did not send.
    KilledFromOutside = 3002, "the examination was killed from outside";
    /// A byte that the examination needs is not there.
    BytesMissing = 3003, "bytes that the examination needs could not be brought";
    /// The mechanism says that it lacked something.
    NoEvidence = 3004, "the examination lacked evidence that is not the miner's to bring";
    /// The second run differed from the first.
    NotReproduced = 3005, "the examination failed in only one of two runs";
    /// A bug of this program, whatever brought it out.
    Panicked = 3006, "the examination panicked, which is a bug of this program";
    /// The child would not read a request without them.
    Walls = 3007, "the child could not put up its walls";
    /// More than the cap between supervisor and child.
    RequestTooLong = 3008, "the request is longer than the cap between supervisor and child";
    /// The child could not read what the supervisor wrote.
    RequestUnreadable = 3009, "the child could not read its request";
    /// Not of this mechanism, or written by another version of it.
    ForeignTask = 3010, "the mechanism can't read the task";
    /// The catalogue has no such mechanism.
    UnknownMechanism = 3011, "there is no mechanism of this name";
    /// The deadline passed while the examination waited for a processor.
    HostBusy = 3012, "this machine was too busy for the examination";
}

impl Code {
    /// The code's number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn class(self) -> Class {
        match self.number() / 1000 {
            1 => Class::Submission,
            2 => Class::Examination,
            _ => Class::Ours,
        }
    }
}

impl From<Code> for u16 {
    fn from(code: Code) -> u16 {
        code.number()
    }
}

impl TryFrom<u16> for Code {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        let found = Code::ALL.iter().find(|code| code.number() == number);
        found.copied().ok_or_else(|| format!("no failure has code {number}"))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.about())
    }
}

/// A failure: its code, and the figures for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened.
    pub code: Code,
    /// Which limit, which signal, which file; may differ between machines and never enters a receipt.
    pub detail: String,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_their_thousands_are_their_class() {
        assert!(Code::ALL.windows(2).all(|two| two[0].number() < two[1].number()));
        for code in Code::ALL {
            assert_eq!(code.class().number(), code.number() / 1000);
            assert_eq!(Code::try_from(code.number()), Ok(*code));
            assert!(!code.about().contains('\n') && code.about().len() < 80, "{code}");
        }
        assert!(Code::try_from(2999).is_err());
    }
}
