//! What reading a web archive costs: `reading read FILE` takes its records, `reading inflate FILE` unpacks its gzip members
//! with the same library and throws the bytes away. Prints records, unpacked bytes and nanoseconds of CPU.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    process::ExitCode,
};

use corpus::{
    Layout,
    archive::{Content, Reader},
};
use flate2::{Decompress, FlushDecompress, Status};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, path] = &arguments[..] else {
        eprintln!("usage: reading read|inflate FILE");
        return ExitCode::from(2);
    };
    let done = match what.as_str() {
        "read" => read(path),
        "inflate" => inflate(path),
        _ => Err(std::io::Error::other("neither read nor inflate")),
    };
    match done {
        Ok((records, bytes)) => {
            println!("{records} {bytes} {}", cpu_ns());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a program opens files")]
fn open(path: &str) -> std::io::Result<(File, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

fn read(path: &str) -> std::io::Result<(u64, u64)> {
    let (file, length) = open(path)?;
    let mut reader = Reader::new(file, 0, length, Layout::Records);
    let (mut records, mut bytes) = (0, 0);
    while let Some(step) = reader.step()? {
        if let Content::Record(record) = step.content {
            records += 1;
            bytes += record.payload.len() as u64;
        }
    }
    Ok((records, bytes))
}

/// As fast as the library goes: one state for all members, one buffer, checksums as a member asks for them.
fn inflate(path: &str) -> std::io::Result<(u64, u64)> {
    let (file, _) = open(path)?;
    let mut from = BufReader::with_capacity(256 << 10, file);
    let mut inflater = Decompress::new_gzip(15);
    let mut out = vec![0; 256 << 10];
    let (mut members, mut bytes) = (0, 0);
    loop {
        let input = from.fill_buf()?;
        if input.is_empty() {
            return Ok((members, bytes));
        }
        let (read, made) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(input, &mut out, FlushDecompress::None)?;
        let read = inflater.total_in() - read;
        bytes += inflater.total_out() - made;
        from.consume(usize::try_from(read).expect("within the buffer"));
        if status == Status::StreamEnd {
            members += 1;
            inflater.reset(true);
        }
    }
}

/// CPU time of this thread so far; 0 where the system does not tell.
#[expect(clippy::disallowed_methods, reason = "what this program measures")]
fn cpu_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}
