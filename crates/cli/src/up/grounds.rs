//! What a house stands on: what it was founded with, and the tasks that its chain is about.

use mechanisms::dataset;

use super::{
    MINERS, SEED, UpArguments, UpError, VALIDATORS, cast,
    folder::{FolderError, Founding, HouseFolder},
};
use crate::{
    config::NOBODY,
    source::{self, Named, OpenSource, TASKS_PER_ROUND},
};

/// What the house stands on: as it was founded, or as the arguments say.
pub(super) struct Grounds {
    pub(super) founding: Founding,
    /// The owner's job, encoded.
    pub(super) job: Vec<u8>,
    /// Whether it stands already.
    pub(super) is_founded: bool,
}

/// Opens what the house works on: the tasks that it was founded with, or ones that are cut now.
pub(super) fn grounds(
    arguments: &UpArguments,
    folder: &HouseFolder,
) -> Result<(Grounds, OpenSource), UpError> {
    if let Some(founding) = folder.founding()? {
        check_arguments(arguments, &founding, folder)?;
        let job = folder.job(&founding)?;
        let dataset::Job { extents, .. } = serde_json::from_slice(&job).map_err(|error| {
            FolderError::Damaged { path: folder.path().to_owned(), reason: error.to_string() }
        })?;
        let Ok(named) = founding.source.parse::<Named>();
        let opened = source::reopen(named, extents, arguments.json)?;
        return Ok((Grounds { founding, job, is_founded: true }, opened));
    }
    let miners = cast::names(miners_wanted(arguments), attacks_wanted(arguments).as_deref())?;
    let opened = source::open(arguments.source.as_ref(), arguments.json)?;
    let job = dataset::Job {
        extents: opened.extents.clone(),
        tasks_per_round: TASKS_PER_ROUND,
        terms: dataset::Terms::plain(),
    };
    let job = job.encode();
    let founding = Founding::new(
        arguments.seed.unwrap_or(SEED),
        arguments.validators.unwrap_or(VALIDATORS).into(),
        miners,
        opened.named.absolute().to_string(),
        &job,
    );
    Ok((Grounds { founding, job, is_founded: false }, opened))
}

fn miners_wanted(arguments: &UpArguments) -> usize {
    arguments.miners.unwrap_or(MINERS).into()
}

/// The attackers that were named; none where nobody named any.
fn attacks_wanted(arguments: &UpArguments) -> Option<Vec<String>> {
    match arguments.attacks.as_slice() {
        [] => None,
        [none] if none == NOBODY => Some(Vec::new()),
        named => Some(named.to_vec()),
    }
}

/// Arguments that were given must say what the house was founded with.
fn check_arguments(arguments: &UpArguments, known: &Founding, folder: &HouseFolder) -> Result<(), UpError> {
    let same = |what, found: String, wanted: Option<String>| match wanted {
        Some(wanted) if wanted != found => {
            let wanted = arguments.told(what, &wanted);
            Err(FolderError::Other { path: folder.path().to_owned(), what, found, wanted })
        }
        _ => Ok(()),
    };
    same("seed", known.seed.to_string(), arguments.seed.map(|seed| seed.to_string()))?;
    let validators = arguments.validators.map(|count| count.to_string());
    same("validators", known.validators.to_string(), validators)?;
    let source = arguments.source.as_ref().map(|named| named.absolute().to_string());
    same("source", known.source.clone(), source)?;
    if arguments.miners.is_some() || !arguments.attacks.is_empty() {
        let names = cast::names(miners_wanted(arguments), attacks_wanted(arguments).as_deref())?;
        same("miners", known.miners.join(", "), Some(names.join(", ")))?;
    }
    Ok(())
}
