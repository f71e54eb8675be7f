//! The plan, and where it is run.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(feature = "ballista")]
use ballista::prelude::SessionContextExt as _;
use corpus::dedup::{Claim, Duplicate, Likeness, Match, Pairs};
use datafusion::{
    arrow::{
        array::{AsArray as _, RecordBatch},
        datatypes::{UInt8Type, UInt64Type},
    },
    error::DataFusionError,
    execution::{memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    prelude::{ParquetReadOptions, SessionConfig, SessionContext},
};
use futures_util::TryStreamExt as _;

use crate::keys::{ClusterError, FINGERPRINT, SCHEMA, claim};

/// For each document and each earlier one that is the first to have a key of it: the two, and the least number among
/// such keys. That connects every group with one pair for a key and document; a join of the table with itself would have
/// as many as a key's documents squared. A key's documents come sorted, so that no more than one has to be held.
const PAIRS: &str = "\
SELECT document, first, MIN(band) AS band
FROM (
    SELECT document, band, FIRST_VALUE(document) OVER (
        PARTITION BY band, high, low ORDER BY document ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS first
    FROM keys
)
WHERE first < document
GROUP BY document, first";

/// Of a thread's part of the memory, so much is set aside for merging what was sorted: an eighth. DataFusion's own 10 MiB
/// would be all of it where memory is small or threads are many.
const RESERVED_SHARE: usize = 8;

/// Where the plan is run.
#[derive(Clone, Debug)]
pub enum Engine {
    /// In this process.
    Embedded {
        /// Parts that the work is cut into, at least 1: so many threads are busy.
        threads: usize,
        /// Bytes for sorting and grouping; what is beyond goes to files beside the keys.
        memory_max_bytes: usize,
    },
    /// On a Ballista cluster, whose scheduler and executors are of the release that this crate is built with.
    #[cfg(feature = "ballista")]
    Ballista {
        /// The scheduler's address, `df://host:port`.
        url: String,
    },
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { .. } => write!(f, "in this process"),
            #[cfg(feature = "ballista")]
            Self::Ballista { url } => write!(f, "on the cluster of {url}"),
        }
    }
}

impl Engine {
    async fn session(&self, folder: &Path) -> Result<SessionContext, DataFusionError> {
        match self {
            Self::Embedded { threads, memory_max_bytes } => {
                let runtime = RuntimeEnvBuilder::new()
                    .with_memory_pool(Arc::new(FairSpillPool::new(*memory_max_bytes)))
                    .with_temp_file_path(folder)
                    .build_arc()?;
                let threads = (*threads).max(1);
                let config = SessionConfig::new()
                    .with_target_partitions(threads)
                    .with_sort_spill_reservation_bytes(memory_max_bytes / threads / RESERVED_SHARE);
                Ok(SessionContext::new_with_config_rt(config, runtime))
            }
            #[cfg(feature = "ballista")]
            Self::Ballista { url } => SessionContext::remote(url).await,
        }
    }
}

/// Runs the plan over the keys in a folder, whose last document has the number `last`, and makes groups of its pairs.
pub(crate) fn duplicates(folder: &Path, last: u64, engine: &Engine) -> Result<Vec<Duplicate>, ClusterError> {
    let failed = |source| ClusterError::Plan { place: engine.to_string(), source: Box::new(source) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(DataFusionError::IoError(error)))?;
    // A task of its own, which a panic ends and nothing else: the library's reader has them for files that are cut.
    let found = runtime.spawn(pairs(folder.to_owned(), last, engine.clone()));
    match runtime.block_on(found) {
        Ok(found) => Ok(found?.duplicates()),
        Err(broken) => Err(failed(DataFusionError::External(Box::new(broken)))),
    }
}

/// The pairs come in an order of their own, which [`Pairs`] makes nothing of.
async fn pairs(folder: PathBuf, last: u64, engine: Engine) -> Result<Pairs, ClusterError> {
    let failed = |source| ClusterError::Plan { place: engine.to_string(), source: Box::new(source) };
    let unlike = || failed(DataFusionError::Execution("the answer does not fit the question".into()));
    let session = engine.session(&folder).await.map_err(failed)?;
    let options = ParquetReadOptions { schema: Some(&SCHEMA), ..ParquetReadOptions::default() };
    // With a slash at its end it names the files in it.
    let table = format!("{}/", folder.display());
    session.register_parquet("keys", table, options).await.map_err(failed)?;
    let found = session.sql(PAIRS).await.map_err(failed)?;
    let mut found = found.execute_stream().await.map_err(failed)?;
    let mut pairs = Pairs::default();
    while let Some(batch) = found.try_next().await.map_err(failed)? {
        for (document, earlier) in pairs_of(&batch, last).ok_or_else(unlike)? {
            pairs.add(document, earlier)?;
        }
    }
    Ok(pairs)
}

/// The pairs in a piece of the answer; none where a cluster answers what was not asked.
fn pairs_of(batch: &RecordBatch, last: u64) -> Option<Vec<(Claim, Match)>> {
    let [documents, firsts, bands] = batch.columns() else { return None };
    let documents = documents.as_primitive_opt::<UInt64Type>()?.values();
    let firsts = firsts.as_primitive_opt::<UInt64Type>()?.values();
    let bands = bands.as_primitive_opt::<UInt8Type>()?.values();
    let pair = |((&document, &first), &band): ((&u64, &u64), &u8)| {
        let likeness = if band == FINGERPRINT { Likeness::Exact } else { Likeness::Near };
        (first < document && document <= last)
            .then(|| (claim(document), Match { claim: claim(first), likeness }))
    };
    documents.iter().zip(firsts).zip(bands).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, UInt8Array, UInt64Array};

    use super::*;

    #[test]
    fn an_answer_that_does_not_fit_is_refused() {
        let numbers = |numbers: &[u64]| Arc::new(UInt64Array::from(numbers.to_vec())) as ArrayRef;
        let bands = Arc::new(UInt8Array::from(vec![0, 3])) as ArrayRef;
        let answer = |columns: &[&ArrayRef]| {
            let named = columns.iter().map(|column| ("column", Arc::clone(column)));
            pairs_of(&RecordBatch::try_from_iter(named).unwrap(), 1 << 32 | 7)
        };
        let (documents, firsts) = (numbers(&[9, 1 << 32 | 7]), numbers(&[8, 9]));
        let near = Match { claim: Claim { block: 0, row: 9 }, likeness: Likeness::Near };
        let exact = Match { claim: Claim { block: 0, row: 8 }, likeness: Likeness::Exact };
        let expect = vec![(Claim { block: 0, row: 9 }, exact), (Claim { block: 1, row: 7 }, near)];
        assert_eq!(answer(&[&documents, &firsts, &bands]), Some(expect));
        assert_eq!(answer(&[&documents, &firsts]), None, "a column is missing");
        assert_eq!(answer(&[&documents, &firsts, &documents]), None, "bands are small numbers");
        assert_eq!(answer(&[&firsts, &documents, &bands]), None, "the first comes first");
        assert_eq!(answer(&[&numbers(&[9, 1 << 32 | 8]), &firsts, &bands]), None, "nobody asked about it");
    }
}
