//! The table that the plan reads: what documents may have in common, a file for each shard.
//!
//! A document has a row for its fingerprint and one for each of its bands, 15 at most. They are computed here and not
//! by the plan: executors then need no code of ours, so that those of any Ballista cluster will do.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use corpus::dedup::{Claim, ClustersFull, Duplicate, Item};
use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray as _, RecordBatch, UInt8Array, UInt64Array},
        compute::max,
        datatypes::{DataType, Field, Schema, UInt64Type},
        error::ArrowError,
    },
    error::DataFusionError,
    parquet::{
        arrow::ArrowWriter,
        basic::{Compression, ZstdLevel},
        errors::ParquetError,
        file::properties::WriterProperties,
    },
};
use thiserror::Error;

use crate::plan::{self, Engine};

/// The number of a fingerprint's rows; bands have those from 1.
pub(crate) const FINGERPRINT: u8 = 0;

pub(crate) static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let column = |name, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        column("document", DataType::UInt64),
        column("band", DataType::UInt8),
        // A fingerprint's first 16 bytes; of a band all 64 bits are low ones.
        column("high", DataType::UInt64),
        column("low", DataType::UInt64),
    ]))
});

/// Duplicates can't be found.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The operating system refused.
    #[error("cannot read or write {path}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of keys can't be written.
    #[error("cannot write {path}")]
    Table {
        /// The file.
        path: String,
        /// What the library said.
        source: ParquetError,
    },
    /// A document's place has no number.
    #[error("record {row} of shard {block}: both numbers must be below 2^32")]
    Number {
        /// The shard.
        block: u64,
        /// The record.
        row: u64,
    },
    /// The plan can't be run, here or on the cluster.
    #[error("cannot look for duplicates {place}")]
    Plan {
        /// Where it was to be run.
        place: String,
        /// What the library, or the cluster, said.
        source: Box<DataFusionError>,
    },
    /// There are more than memory is set aside for.
    #[error(transparent)]
    Full(#[from] ClustersFull),
}

/// What all documents may have in common, as a folder of files.
#[derive(Debug)]
pub struct Keys {
    folder: PathBuf,
    files: u32,
    /// The last of all documents.
    last: Option<u64>,
}

impl Keys {
    /// Begins the table in a folder, which is made where it is missing and should hold nothing else. Executors of a
    /// cluster read it: they must see it under the same path.
    ///
    /// # Errors
    /// [`ClusterError::Io`] where the system refuses.
    pub fn create(folder: &Path) -> Result<Self, ClusterError> {
        let made = fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
        let folder =
            made.map_err(|source| ClusterError::Io { path: folder.display().to_string(), source })?;
        Ok(Self { folder, files: 0, last: None })
    }

    /// Adds a shard's documents. A claim's block is the shard's number and its row the record's; of two documents that
    /// repeat each other the one with the lower claim is kept.
    ///
    /// # Errors
    /// [`ClusterError`] where the file can't be written or a claim is beyond 32 bits.
    pub fn add(&mut self, shard: &[Item]) -> Result<(), ClusterError> {
        let place = self.folder.join(format!("keys-{:05}.parquet", self.files));
        let path = || place.display().to_string();
        let rows = rows(shard)?;
        let file = File::create(&place).map_err(|source| ClusterError::Io { path: path(), source })?;
        let wrote = || {
            let mut writer = ArrowWriter::try_new(file, Arc::clone(&SCHEMA), Some(properties()))?;
            writer.write(&rows)?;
            writer.close()
        };
        wrote().map_err(|source| ClusterError::Table { path: path(), source })?;
        self.files += 1;
        self.last = self.last.max(max(rows.column(0).as_primitive::<UInt64Type>()));
        Ok(())
    }

    /// The documents that repeat an earlier one, in ascending order. Neither the engine nor the order in which shards
    /// were added shows in the answer.
    ///
    /// # Errors
    /// [`ClusterError::Plan`] where the plan fails, [`ClusterError::Full`] for too many duplicates.
    pub fn duplicates(&self, engine: &Engine) -> Result<Vec<Duplicate>, ClusterError> {
        self.last.map_or(Ok(Vec::new()), |last| plan::duplicates(&self.folder, last, engine))
    }
}

/// A document as the plan knows it: its order is that of claims.
fn number(claim: Claim) -> Result<u64, ClusterError> {
    let Claim { block, row } = claim;
    match (u32::try_from(block), u32::try_from(row)) {
        (Ok(_), Ok(_)) => Ok(block << 32 | row),
        _ => Err(ClusterError::Number { block, row }),
    }
}

/// The claim of a document of this number.
pub(crate) fn claim(number: u64) -> Claim {
    Claim { block: number >> 32, row: number & u64::from(u32::MAX) }
}

fn rows(shard: &[Item]) -> Result<RecordBatch, ClusterError> {
    let (mut documents, mut bands, mut highs, mut lows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for item in shard {
        let document = number(item.claim)?;
        let (head, _) = item.fingerprint.0.split_first_chunk().expect("16 of 32 bytes");
        let head = u128::from_be_bytes(*head);
        let exact = (FINGERPRINT, head);
        let near = (FINGERPRINT + 1..).zip(item.bands.into_iter().flatten().map(u128::from));
        for (band, key) in std::iter::once(exact).chain(near) {
            documents.push(document);
            bands.push(band);
            highs.push(u64::try_from(key >> 64).expect("the upper half"));
            lows.push(u64::try_from(key & u128::from(u64::MAX)).expect("the lower half"));
        }
    }
    let columns: [ArrayRef; 4] = [
        Arc::new(UInt64Array::from(documents)),
        Arc::new(UInt8Array::from(bands)),
        Arc::new(UInt64Array::from(highs)),
        Arc::new(UInt64Array::from(lows)),
    ];
    let rows: Result<RecordBatch, ArrowError> = RecordBatch::try_new(Arc::clone(&SCHEMA), columns.to_vec());
    Ok(rows.expect("columns of one length and of the schema's types"))
}

/// Hashes shrink no further; what they belong to does.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .build()
}
