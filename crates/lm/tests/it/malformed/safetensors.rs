//! Files of tensors, alone and in folders.

use std::{fs, path::PathBuf};

use lm::Tensors;

use super::{Case, check, words};

/// A safetensors file with a table and so many zeros.
fn file(table: &str, data: usize) -> Vec<u8> {
    let length = (table.len() as u64).to_le_bytes();
    [&length[..], table.as_bytes(), &vec![0; data]].concat()
}

/// An entry of a table.
fn entry(dtype: &str, shape: &str, start: u64, stop: u64) -> String {
    format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{stop}]}}"#)
}

/// Opens the bytes, takes `a` of four numbers, and ends.
fn take_a(bytes: Vec<u8>) -> Result<(), String> {
    let mut tensors = Tensors::from_safetensors_bytes(bytes).map_err(words)?;
    tensors.take("a", &[2, 2]).map_err(words)?;
    tensors.finish().map_err(words)
}

#[test]
fn safetensors_files_are_refused_in_words() {
    let good = |dtype: &str, bytes: u64| format!(r#"{{"a":{}}}"#, entry(dtype, "[2,2]", 0, bytes));
    take_a(file(&good("F32", 16), 16)).unwrap();
    let two = |second: &str| format!(r#"{{"a":{},"b":{second}}}"#, entry("F32", "[2,2]", 0, 16));
    let with = |dtype: &str, each: &[u8]| {
        let mut bytes = file(&good(dtype, 4 * each.len() as u64), 4 * each.len());
        let end = bytes.len();
        bytes[end - each.len()..].copy_from_slice(each);
        bytes
    };
    let many: Vec<String> =
        (0..=20_000).map(|n| format!(r#""{n}":{}"#, entry("U8", "[1]", n, n + 1))).collect();
    let cases = vec![
        ("nothing", vec![], "it has 0 bytes"),
        ("seven bytes", vec![0; 7], "it has 7 bytes"),
        ("no table", vec![0; 8], "does not begin with a brace"),
        (
            "a zip of pickles",
            [&b"PK\x03\x04\x14\0\0\0"[..], &[0; 99]].concat(),
            "is 85966670672, at most 8388608",
        ),
        ("a pickle", [&b"\x80\x02}q\0X\x05\0"[..], &[0; 99]].concat(), "at most 8388608"),
        (
            "a table beyond the file",
            [&99u64.to_le_bytes()[..], b"{}"].concat(),
            "10 bytes, expected at least 107",
        ),
        ("the longest table", [&[255; 8][..], b"{}"].concat(), "at most 8388608"),
        ("a table beyond the bound", file(&"x".repeat((8 << 20) + 1), 0), "is 8388609, at most 8388608"),
        ("no json", file("{\"a\"", 0), "EOF while parsing"),
        ("a blank first", file(" {}", 0), "does not begin with a brace"),
        ("a list", file("[]", 0), "does not begin with a brace"),
        ("two tables", file("{}{}", 0), "trailing characters"),
        ("zero bytes after the table", file("{}\0", 0), "trailing characters"),
        ("no utf-8", [&6u64.to_le_bytes()[..], b"{\"\xff\":1"].concat(), "malformed"),
        ("65 levels", file(&format!("{{\"a\":{}", "[".repeat(64)), 0), "is 65, at most 64"),
        (
            "millions of levels",
            file(&format!("{{\"a\":{}", "[".repeat(8_000_000)), 0),
            "is 8000001, at most 64",
        ),
        (
            "a name twice",
            file(&format!(r#"{{"a":{0},"a":{0}}}"#, entry("U8", "[1]", 0, 1)), 1),
            "\"a\" stands twice",
        ),
        (
            "a name twice, escaped",
            file(&format!(r#"{{"a":{0},"\u0061":{0}}}"#, entry("U8", "[1]", 0, 1)), 1),
            "\"a\" stands twice",
        ),
        (
            "a field twice",
            file(r#"{"a":{"dtype":"U8","dtype":"F32","shape":[1],"data_offsets":[0,1]}}"#, 1),
            "duplicate field",
        ),
        ("texts twice", file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), "\"__metadata__\" stands twice"),
        ("a text twice", file(r#"{"__metadata__":{"x":"","x":""}}"#, 0), "\"x\" stands twice"),
        ("a number as text", file(r#"{"__metadata__":{"x":1}}"#, 0), "expected a string"),
        ("no type", file(r#"{"a":{"shape":[1],"data_offsets":[0,1]}}"#, 1), "missing field `dtype`"),
        ("an unknown type", file(&good("F33", 16), 16), "type \"F33\" of tensor \"a\""),
        ("a long type", file(&good(&"F".repeat(1 << 20), 16), 16), "type \"FFFF"),
        (
            "a field too many",
            file(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"code":""}}"#, 1),
            "unknown field `code`",
        ),
        ("a long field", file(&format!(r#"{{"a":{{"{}":1}}}}"#, "x".repeat(7 << 20)), 0), "unknown field"),
        (
            "a shape below zero",
            file(&format!(r#"{{"a":{}}}"#, entry("U8", "[-1]", 0, 1)), 1),
            "invalid value",
        ),
        ("a broken shape", file(&format!(r#"{{"a":{}}}"#, entry("U8", "[1.5]", 0, 1)), 1), "invalid type"),
        (
            "a shape of 2^64",
            file(&format!(r#"{{"a":{}}}"#, entry("U8", "[18446744073709551616]", 0, 1)), 1),
            "invalid type",
        ),
        ("no shape", file(&format!(r#"{{"a":{}}}"#, entry("U8", "7", 0, 1)), 1), "invalid type"),
        (
            "a product of 2^64",
            file(&format!(r#"{{"a":{}}}"#, entry("U8", "[4294967296,4294967296]", 0, 1)), 1),
            "beyond 64 bits",
        ),
        (
            "a length of 2^64",
            file(&format!(r#"{{"a":{}}}"#, entry("F32", "[4611686018427387904]", 0, 0)), 0),
            "expected 4 bytes × 4611686018427387904",
        ),
        (
            "nine dimensions",
            file(&format!(r#"{{"a":{}}}"#, entry("U8", "[1,1,1,1,1,1,1,1,1]", 0, 1)), 1),
            "9 dimensions",
        ),
        (
            "a million dimensions",
            file(&format!(r#"{{"a":{}}}"#, entry("U8", &format!("[{}1]", "1,".repeat(1 << 20)), 0, 1)), 1),
            "1048577 dimensions",
        ),
        ("another length", file(&good("F32", 12), 12), "expected 4 bytes × 4"),
        (
            "an end before the start",
            file(&format!(r#"{{"a":{}}}"#, entry("U8", "[1]", 1, 0)), 1),
            "lies from 1 to 0",
        ),
        (
            "a gap before",
            file(&format!(r#"{{"a":{}}}"#, entry("U8", "[1]", 1, 2)), 2),
            "lies from 1 to 2, expected 0",
        ),
        ("a gap between", file(&two(&entry("U8", "[1]", 17, 18)), 18), "lies from 17 to 18, expected 16"),
        ("an overlap", file(&two(&entry("U8", "[2]", 15, 17)), 17), "lies from 15 to 17, expected 16"),
        ("the same place", file(&two(&entry("F32", "[2,2]", 0, 16)), 16), "lies from 0 to 16, expected 16"),
        ("an end beyond the file", file(&good("F32", 16), 15), "to at most 15"),
        (
            "an end at 2^64",
            file(&two(&entry("U8", "[18446744073709551599]", 16, u64::MAX)), 17),
            "to at most 17",
        ),
        ("bytes at the end", file(&good("F32", 16), 17), "17 bytes follow the table, its tensors take 16"),
        (
            "three places",
            file(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#, 1),
            "trailing characters",
        ),
        ("20,001 tensors", file(&format!("{{{}}}", many.join(",")), 20_001), "more than 20000 entries"),
        (
            "a long name",
            file(&format!(r#"{{"{}":{}}}"#, "n".repeat(257), entry("U8", "[1]", 0, 1)), 1),
            "257 bytes, at most 256",
        ),
        ("an empty name", file(&format!(r#"{{"":{}}}"#, entry("U8", "[1]", 0, 1)), 1), "\"a\" is missing"),
        ("f64", file(&good("F64", 32), 32), "tensor \"a\" of type F64 is not supported"),
        ("i64", file(&good("I64", 32), 32), "tensor \"a\" of type I64 is not supported"),
        ("no number", with("F32", &f32::NAN.to_le_bytes()), "has NaN at place 3"),
        ("infinity", with("F32", &f32::INFINITY.to_le_bytes()), "has inf at place 3"),
        ("half of infinity", with("F16", &[0, 0xfc]), "has -inf at place 3"),
        ("half of no number", with("F16", &[1, 0x7c]), "has NaN at place 3"),
        ("no number, in brief", with("BF16", &[0xc0, 0x7f]), "has NaN at place 3"),
        (
            "another shape",
            file(&format!(r#"{{"a":{}}}"#, entry("F32", "[4]", 0, 16)), 16),
            "has shape [4], expected [2, 2]",
        ),
        (
            "a transposed shape",
            file(&format!(r#"{{"a":{}}}"#, entry("F32", "[1,4]", 0, 16)), 16),
            "has shape [1, 4]",
        ),
        (
            "another name",
            file(&format!(r#"{{"b":{}}}"#, entry("F32", "[2,2]", 0, 16)), 16),
            "tensor \"a\" is missing",
        ),
        (
            "one too many",
            file(&two(&entry("U8", "[0]", 16, 16)), 16),
            "1 tensors are left that the model does not have, the first is \"b\"",
        ),
    ];
    let case = |(name, bytes, message): (&str, Vec<u8>, &'static str)| Case {
        name: name.into(),
        read: Box::new(move || take_a(bytes)),
        message,
    };
    let mut cases: Vec<Case> = cases.into_iter().map(case).collect();
    let twice = file(&good("F32", 16), 16);
    let read = move || {
        let mut tensors = Tensors::from_safetensors_bytes(twice).unwrap();
        tensors.take("a", &[2, 2]).map_err(words)?;
        tensors.take("a", &[2, 2]).map(|_| ()).map_err(words)
    };
    cases.push(Case { name: "taken twice".into(), read: Box::new(read), message: "tensor \"a\" is missing" });
    assert_eq!(check(cases), 60);
}

/// A new folder with these files.
fn folder(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("malformed").join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    for (file, bytes) in files {
        fs::write(folder.join(file), bytes).unwrap();
    }
    folder
}

const INDEX: &str = "model.safetensors.index.json";

#[test]
fn folders_of_models_are_refused_in_words() {
    let one = |name: &str| file(&format!(r#"{{"{name}":{}}}"#, entry("U8", "[1]", 0, 1)), 1);
    let index = |map: &str| format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#).into_bytes();
    let files = |count: usize| {
        let map: Vec<String> = (0..count).map(|n| format!(r#""{n}":"{n}.safetensors""#)).collect();
        index(&format!("{{{}}}", map.join(",")))
    };
    let long = index(&format!(r#"{{"a":"{}"}}"#, "x".repeat(8 << 20)));
    let mut cases = Vec::new();
    for (name, bytes, message) in [
        ("index is no json", b"{".to_vec(), "EOF while parsing"),
        ("index is too long", long, "at most 8388608"),
        ("index is deep", "[".repeat(1000).into_bytes(), "is 1000, at most 64"),
        ("index has no map", b"{}".to_vec(), "missing field `weight_map`"),
        ("index names twice", index(r#"{"a":"a","a":"b"}"#), "\"a\" stands twice"),
        (
            "index goes up",
            index(r#"{"a":"../one.safetensors"}"#),
            "\"../one.safetensors\", expected a plain name",
        ),
        ("index is absolute", index(r#"{"a":"/etc/passwd"}"#), "\"/etc/passwd\", expected a plain name"),
        ("index goes down", index(r#"{"a":"b/c"}"#), "\"b/c\", expected a plain name"),
        ("index goes aside", index(r#"{"a":"b\\c"}"#), "expected a plain name"),
        ("index has a drive", index(r#"{"a":"c:d"}"#), "expected a plain name"),
        ("index is hidden", index(r#"{"a":".x"}"#), "expected a plain name"),
        ("index has no name", index(r#"{"a":""}"#), "expected a plain name"),
        ("index has a zero", index(r#"{"a":"x\u0000"}"#), "expected a plain name"),
        ("index has 257 files", files(257), "is 257, at most 256"),
        ("index without file", index(r#"{"a":"gone.safetensors"}"#), "gone.safetensors cannot be read"),
        ("index names a folder", index(r#"{"a":"inner"}"#), "no regular file"),
        ("index names a link", index(r#"{"a":"link.safetensors"}"#), "a symbolic link"),
        (
            "index without tensor",
            index(r#"{"a":"one.safetensors","b":"one.safetensors"}"#),
            "has the tensor \"b\", which it has not",
        ),
        (
            "index of another tensor",
            index(r#"{"b":"one.safetensors"}"#),
            "has the tensor \"a\", which the index does not say",
        ),
        (
            "index of another file",
            index(r#"{"a":"two.safetensors","b":"two.safetensors"}"#),
            "which it has not",
        ),
        (
            "tensor in two files",
            index(r#"{"a":"one.safetensors","b":"both.safetensors"}"#),
            "which the index does not say",
        ),
        ("index names itself", index(&format!(r#"{{"a":"{INDEX}"}}"#)), "malformed"),
    ] {
        let both = format!(r#"{{"a":{},"b":{}}}"#, entry("U8", "[1]", 0, 1), entry("U8", "[1]", 1, 2));
        let folder = folder(
            name,
            &[
                (INDEX, &bytes),
                ("one.safetensors", &one("a")),
                ("two.safetensors", &one("b")),
                ("both.safetensors", &file(&both, 2)),
            ],
        );
        fs::create_dir(folder.join("inner")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.join("one.safetensors"), folder.join("link.safetensors")).unwrap();
        let read = move || Tensors::from_safetensors(&folder).map(|_| ()).map_err(words);
        cases.push(Case { name: name.into(), read: Box::new(read), message });
    }
    let mut push = |name: &str, folder: PathBuf, message: &'static str| {
        let read = move || Tensors::from_safetensors(&folder).map(|_| ()).map_err(words);
        cases.push(Case { name: name.into(), read: Box::new(read), message });
    };
    push("nothing", folder("nothing", &[]), "model.safetensors cannot be read");
    push(
        "pickles alone",
        folder("pickles alone", &[("pytorch_model.bin", b"PK")]),
        "model.safetensors cannot be read",
    );
    push("no folder", PathBuf::from("/nowhere/at/all"), "cannot be read");
    let inner = folder("a folder as model", &[]);
    fs::create_dir(inner.join("model.safetensors")).unwrap();
    push("a folder as model", inner, "no regular file");
    #[cfg(unix)]
    {
        let linked = folder("a link as model", &[("real", &one("a"))]);
        std::os::unix::fs::symlink(linked.join("real"), linked.join("model.safetensors")).unwrap();
        push("a link as model", linked, "a symbolic link");
        let linked = folder("a device as model", &[]);
        std::os::unix::fs::symlink("/dev/zero", linked.join("model.safetensors")).unwrap();
        push("a device as model", linked, "a symbolic link");
        let linked = folder("a link as index", &[("real", &index(r#"{"a":"one.safetensors"}"#))]);
        std::os::unix::fs::symlink(linked.join("real"), linked.join(INDEX)).unwrap();
        push("a link as index", linked, "a symbolic link");
    }
    assert!(check(cases) >= 26);
}

#[test]
fn a_file_that_is_cut_short_while_it_is_read_is_an_error() {
    let folder = folder("cut short", &[]);
    let path = folder.join("model.safetensors");
    fs::write(&path, file(&format!(r#"{{"a":{}}}"#, entry("F32", "[1000]", 0, 4000)), 4000)).unwrap();
    let mut tensors = Tensors::from_safetensors(&folder).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2000).unwrap();
    let error = tensors.take("a", &[1000]).unwrap_err().to_string();
    assert!(error.contains("model.safetensors cannot be read"), "{error}");
}
