//! Token shards as files: what we read of them, and what numpy does.

use std::{
    env,
    fs::{self, File},
    io::BufWriter,
    process::Command,
};

use corpus::token_shard::{Head, TokenShard, TokenShardWriter, Vocabulary};
use primitives::Seed;

/// Reads a shard as a trainer does, and prints each document's tokens on a line.
const READER: &str = "
import hashlib, json, sys
import numpy
folder = sys.argv[1]
head = json.load(open(f'{folder}/train.json'))
files = [f'{folder}/train.bin', f'{folder}/train.idx']
for file, digest in zip(files, (head['bin_sha256'], head['idx_sha256'])):
    assert hashlib.sha256(open(file, 'rb').read()).hexdigest() == digest
tokens = numpy.memmap(files[0], dtype=head['dtype'], mode='r')
offsets = numpy.memmap(files[1], dtype=head['offsets_dtype'], mode='r')
assert (len(tokens), len(offsets)) == (head['tokens'], head['documents'] + 1)
for first, end in zip(offsets, offsets[1:]):
    print(*tokens[first:end])
";

#[test]
fn numpy_reads_what_was_written() {
    for vocab in [50_000, 100_000] {
        let mut stream = Seed::from_number(vocab).stream("tokens", 0);
        let end = u32::try_from(vocab - 1).unwrap();
        let documents: Vec<Vec<u32>> = (0..200)
            .map(|_| (0..stream.below(300)).map(|_| u32::try_from(stream.below(vocab)).unwrap()).collect())
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let create = |name: &str| BufWriter::new(File::create(place(name)).unwrap());
        let vocabulary = Vocabulary { tokenizer: "chance/1".into(), vocab: end + 1, end: Some(end) };
        let mut writer = TokenShardWriter::new(vocabulary, create("train.bin"), create("train.idx")).unwrap();
        for document in &documents {
            writer.push("", |_, to| to.extend(document)).unwrap();
        }
        fs::write(place("train.json"), writer.finish().unwrap().to_json()).unwrap();

        let head = Head::from_json(&fs::read(place("train.json")).unwrap()).unwrap();
        let open = |name: &str| File::open(place(name)).unwrap();
        let mut shard = TokenShard::open(head, open("train.bin"), open("train.idx")).unwrap();
        shard.check().unwrap();
        let mut lines = String::new();
        for (number, document) in (0u64..).zip(&documents) {
            let tokens = shard.document(number).unwrap();
            assert!(tokens.iter().eq(document.iter().chain([&end])));
            lines.push_str(&tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
            lines.push('\n');
        }
        let Some(python) = env::var_os("WEIGH_PEERS_PYTHON") else {
            println!("skipped: WEIGH_PEERS_PYTHON names no Python that has numpy");
            continue;
        };
        let read = Command::new(python).args(["-c", READER]).arg(folder.path()).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(String::from_utf8(read.stdout).unwrap(), lines);
    }
}
