//! What the shards of a build are held to: the flags that say it, and the lists and the model that are named by digest.
//!
//! A task names them in the same words as a subnet's owner, [`Terms`], so that a shard that was built here is examined as
//! one that was asked for on chain.

use std::{fs::File, io::Read as _, path::Path, path::PathBuf};

use clap::{Args, ValueEnum};
use corpus::{
    Blocklist, Exclusion, Filters, Language, Memory, Pii, Rules, Supplied,
    blocklist::BLOCKLIST_MAX_BYTES,
    language::{MODEL_MAX_BYTES, Model},
};
use mechanisms::dataset::Terms;
use primitives::Digest;

use super::DataError;

/// The longest eval sets: a hundred times the benchmarks that pipelines of the field exclude.
const EVAL_SETS_MAX_BYTES: usize = 1 << 30;
/// The exclusion list of a build as `weigh score --supply` takes it, in the build's folder.
pub(super) const EXCLUSION_FILE: &str = "exclusion.bin";

#[derive(Args)]
pub(crate) struct TermsArguments {
    /// Keep this language only (ISO 639-1); may be given more than once.
    #[arg(long = "language", value_name = "CODE")]
    pub(super) languages: Vec<Language>,
    /// Quality rules that texts are held to: Gopher's on quality or on repetition, C4's, FineWeb's, or none; may be given
    /// more than once.
    #[arg(long = "filter", value_enum, value_name = "NAME", default_values = ["gopher"])]
    pub(super) filters: Vec<Filter>,
    /// What becomes of e-mail and public IP addresses: texts keep them, have them replaced, or are dropped for them.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "keep")]
    pub(super) pii: PiiArgument,
    /// Leave out pages that, or whose servers, reserve their text (`noai`, `noml`, `tdm-reservation`).
    #[arg(long)]
    pub(super) heed_opt_out: bool,
    /// Leave out near duplicates of earlier records of a task, and write each document's MinHash bands.
    #[arg(long)]
    pub(super) near_duplicates: bool,
    #[command(flatten)]
    pub(super) files: TermsFiles,
}

/// The files that terms name by digest.
#[derive(Args, Default)]
pub(crate) struct TermsFiles {
    /// A list of addresses whose pages are left out: a domain or a word per line.
    #[arg(long, value_name = "FILE")]
    pub(super) blocklist: Option<PathBuf>,
    /// Texts that none may share 13 words in a row with: JSON lines, one text per line, or `exclusion.bin` of a build.
    #[arg(long, value_name = "FILE")]
    pub(super) exclude: Option<PathBuf>,
    /// A fastText model that tells languages, such as lid.176.ftz, instead of trigrams.
    #[arg(long, value_name = "FILE")]
    pub(super) lid: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Filter {
    Gopher,
    Repetition,
    C4,
    Fineweb,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PiiArgument {
    Keep,
    Replace,
    Drop,
}

impl TermsArguments {
    /// The terms, with the files that they name.
    pub(super) fn read(&self) -> Result<(Terms, GivenFiles), DataError> {
        let has = |filter| self.filters.contains(&filter);
        if has(Filter::None) && self.filters.len() > 1 {
            return Err(DataError::Filters);
        }
        let given = self.files.read()?;
        let digest = |file: &Option<Given>| file.as_ref().map(|file| file.digest);
        let terms = Terms {
            languages: self.languages.clone(),
            exclusion: digest(&given.exclusion),
            filters: Filters {
                repetition: has(Filter::Repetition),
                gopher: has(Filter::Gopher),
                c4: has(Filter::C4),
                fineweb: has(Filter::Fineweb),
            },
            pii: match self.pii {
                PiiArgument::Keep => Pii::Keep,
                PiiArgument::Replace => Pii::Replace,
                PiiArgument::Drop => Pii::Drop,
            },
            heed_opt_out: self.heed_opt_out,
            near_duplicates: self.near_duplicates,
            blocklist: digest(&given.blocklist),
            language_model: digest(&given.language_model),
            ..Terms::plain()
        };
        Ok((terms, given))
    }
}

impl TermsFiles {
    /// Reads the files that were named; each is checked to be what it should.
    pub(super) fn read(&self) -> Result<GivenFiles, DataError> {
        let blocklist = self.blocklist.as_deref().map(|path| -> Result<Given, DataError> {
            let bytes = bytes_of(path, BLOCKLIST_MAX_BYTES)?;
            Blocklist::read(&bytes).map_err(|error| no_list("blocklist", path, error))?;
            Ok(Given::new(path, bytes))
        });
        let exclusion = self.exclude.as_deref().map(|path| -> Result<Given, DataError> {
            let bytes = bytes_of(path, EVAL_SETS_MAX_BYTES)?;
            let list = Exclusion::read(&bytes).map_err(|error| no_list("exclusion list", path, error))?;
            Ok(Given::new(path, list.encode()))
        });
        let language_model = self.lid.as_deref().map(|path| -> Result<Given, DataError> {
            let bytes = bytes_of(path, MODEL_MAX_BYTES)?;
            Model::read(&bytes).map_err(|error| DataError::Model { path: path.to_owned(), error })?;
            Ok(Given::new(path, bytes))
        });
        Ok(GivenFiles {
            blocklist: blocklist.transpose()?,
            exclusion: exclusion.transpose()?,
            language_model: language_model.transpose()?,
        })
    }
}

/// The files that were given.
pub(super) struct GivenFiles {
    blocklist: Option<Given>,
    pub(super) exclusion: Option<Given>,
    language_model: Option<Given>,
}

/// A file as terms name it.
pub(super) struct Given {
    path: PathBuf,
    pub(super) bytes: Vec<u8>,
    digest: Digest,
}

impl Given {
    fn new(path: &Path, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), digest: Digest::of(&bytes), bytes }
    }
}

impl GivenFiles {
    /// The rules of these terms, which must name the files that were given and no others.
    pub(super) fn rules(&self, terms: &Terms) -> Result<Rules, DataError> {
        held("blocklist", "--blocklist", terms.blocklist, self.blocklist.as_ref())?;
        held("exclusion list", "--exclude", terms.exclusion, self.exclusion.as_ref())?;
        held("model of languages", "--lid", terms.language_model, self.language_model.as_ref())?;
        let files = [&self.blocklist, &self.exclusion, &self.language_model].into_iter().flatten();
        let beside = Supplied::new(Memory::default(), files.map(|file| file.bytes.clone()));
        terms.rules(&beside).map_err(DataError::Rules)
    }
}

/// The rules of terms, made once however many shards have them.
pub(super) struct KnownRules {
    given: GivenFiles,
    made: Vec<(Terms, Rules)>,
}

impl KnownRules {
    /// None yet, of these files.
    pub(super) fn new(files: &TermsFiles) -> Result<Self, DataError> {
        Ok(Self { given: files.read()?, made: Vec::new() })
    }

    /// Sees to it that these terms have their rules.
    pub(super) fn make(&mut self, terms: &Terms) -> Result<(), DataError> {
        if self.made.iter().all(|(known, _)| known != terms) {
            self.made.push((terms.clone(), self.given.rules(terms)?));
        }
        Ok(())
    }

    /// The rules of terms that they were made of.
    pub(super) fn of(&self, terms: &Terms) -> &Rules {
        &self.made.iter().find(|(known, _)| known == terms).expect("made before").1
    }
}

/// Whether a file is the one that a task names.
fn held(
    what: &'static str,
    flag: &'static str,
    named: Option<Digest>,
    given: Option<&Given>,
) -> Result<(), DataError> {
    match (named, given) {
        (None, None) => Ok(()),
        (Some(digest), None) => Err(DataError::Lacking { what, flag, digest }),
        (None, Some(given)) => Err(DataError::Unasked { what, path: given.path.clone() }),
        (Some(expected), Some(given)) if given.digest == expected => Ok(()),
        (Some(expected), Some(given)) => {
            Err(DataError::OtherFile { what, path: given.path.clone(), found: given.digest, expected })
        }
    }
}

/// What two builds differ in, where their terms do.
pub(super) fn difference(one: &Terms, other: &Terms) -> Option<&'static str> {
    let differs = [
        ("the languages", one.languages != other.languages),
        ("the filters", one.filters != other.filters),
        ("what becomes of addresses", one.pii != other.pii),
        ("whether opt-outs are heeded", one.heed_opt_out != other.heed_opt_out),
        ("whether near duplicates are left out", one.near_duplicates != other.near_duplicates),
        ("the blocklist", one.blocklist != other.blocklist),
        ("the exclusion list", one.exclusion != other.exclusion),
        ("the model of languages", one.language_model != other.language_model),
        ("the terms", one != other),
    ];
    differs.iter().find(|(_, differs)| *differs).map(|(what, _)| *what)
}

fn no_list(
    what: &'static str,
    path: &Path,
    error: impl std::error::Error + Send + Sync + 'static,
) -> DataError {
    DataError::List { what, path: path.to_owned(), error: Box::new(error) }
}

/// A file of at most so many bytes.
pub(super) fn bytes_of(path: &Path, max: usize) -> Result<Vec<u8>, DataError> {
    let unread = |error| DataError::File { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    File::open(path).map_err(unread)?.take(max as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > max {
        return Err(DataError::LongFile { path: path.to_owned(), max });
    }
    Ok(bytes)
}
