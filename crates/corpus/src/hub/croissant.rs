//! The dataset in the terms of Croissant, which search engines and loaders of several frameworks read.
//!
//! Source: MLCommons, Croissant Format Specification 1.0.

use serde_json::{Value, json};

use super::{About, DATA, Described, HubFile, HubManifest, LEDGER};
use crate::table::Kind;

/// The description as JSON-LD.
pub(super) fn description(about: &About, manifest: &HubManifest) -> Value {
    let tables = [("documents", &DATA[..], &manifest.data), ("decisions", &LEDGER[..], &manifest.ledger)];
    let distribution: Vec<Value> =
        tables.iter().flat_map(|(_, _, files)| files.iter().map(file_object)).collect();
    let records: Vec<Value> = tables
        .iter()
        .flat_map(|(name, columns, files)| {
            let many = files.len() > 1;
            files.iter().enumerate().map(move |(number, file)| {
                // One record set per file: a file is named by its digest, which a set of files can't be.
                let name = if many { format!("{name}-{number:05}") } else { (*name).to_owned() };
                record_set(&name, columns, file)
            })
        })
        .collect();
    json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.name,
        "description": format!(
            "{} documents out of {} records of {}, with the decision on every record.",
            manifest.documents, manifest.records, about.source
        ),
        "citeAs": format!("{}, Merkle root {}", about.name, manifest.root),
        "license": about.license,
        "url": format!("https://huggingface.co/datasets/{}", about.name),
        "version": "1.0.0",
        "distribution": distribution,
        "recordSet": records,
    })
}

fn file_object(file: &HubFile) -> Value {
    json!({
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": format!("{} B", file.bytes),
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    })
}

fn record_set(name: &str, columns: &[Described], file: &HubFile) -> Value {
    let field = |field: &Described| {
        let (column, kind) = field.column;
        json!({
            "@type": "cr:Field",
            "@id": format!("{name}/{column}"),
            "name": column,
            "description": field.meaning,
            "dataType": match kind {
                Kind::Text | Kind::Prose | Kind::Digest => "sc:Text",
                Kind::Number => "sc:Integer",
            },
            "source": {"fileObject": {"@id": file.path}, "extract": {"column": column}},
        })
    };
    json!({
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": format!("{} rows of {}.", file.rows, file.path),
        "field": columns.iter().map(field).collect::<Vec<_>>(),
    })
}

/// What the short names stand for, as the specification gives it.
fn context() -> Value {
    let id = |name: &str| json!({"@id": name, "@type": "@id"});
    json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "extract": "cr:extract",
        "field": "cr:field",
        "fileObject": "cr:fileObject",
        "fileProperty": "cr:fileProperty",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "parentField": "cr:parentField",
        "path": "cr:path",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
        "equivalentProperty": id("cr:equivalentProperty"),
    })
}
