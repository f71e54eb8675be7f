//! What the machine and its user bring: texts to work on, keys that nobody else reads, cores and memory.

use std::{num::NonZeroUsize, path::PathBuf};

use corpus::Extent;
use indicatif::BinaryBytes;
use mechanisms::ErasedMechanism as _;
use mechanisms::dataset::Dataset;
use wallet::file::{KeyPlace, Wallets};

use super::Check;
use crate::{
    config::{
        Configuration, Key,
        environment::{self, Environment},
    },
    mend::quoted_path,
    source::{self, Named},
};

/// Validators whose examinations one core carries: an examination's deadline is that many times its processor time.
const VALIDATORS_PER_CORE: usize = 4;

/// Whether there is something to work on.
pub(super) fn source(configuration: &Configuration) -> Check {
    let name = "source";
    let named = configuration.path(Key::Source).map(Named::from);
    if let Some(url) = named.as_ref().filter(|named| named.is_url()) {
        return Check::ok(name, format!("{url} is fetched when a subnet is founded on it"));
    }
    match source::open(named.as_ref(), true) {
        Err(error) => Check::of_error(name, &error),
        Ok(opened) => {
            let files = opened.extents.iter().map(|extent| match extent {
                Extent::Files(slice) => slice.entries().len(),
                Extent::Archive(_) => 0,
            });
            let files: usize = files.sum();
            let documents = if files > 0 { format!("{files} documents, ") } else { String::new() };
            let (tasks, size) = (opened.extents.len(), BinaryBytes(opened.bytes));
            Check::ok(name, format!("{documents}{size} in {tasks} tasks, of {}", opened.named))
        }
    }
}

/// Whether others can read the user's keys.
pub(super) fn wallets(variables: &Environment) -> Option<Check> {
    let name = "wallets";
    let root = variables.get(environment::WALLET_PATH).map(PathBuf::from).or_else(Wallets::default_root)?;
    if !root.is_dir() {
        return Some(Check::ok(name, format!("none in {}; a local subnet needs none", root.display())));
    }
    let wallets = Wallets::at(&root);
    let read = || -> Result<Vec<KeyPlace>, wallet::file::FileError> {
        let mut keys = Vec::new();
        for name in wallets.names()? {
            let wallet = wallets.wallet(&name);
            keys.push(wallet.coldkey());
            keys.extend(wallet.hotkeys()?.iter().map(|hotkey| wallet.hotkey(hotkey)));
        }
        Ok(keys)
    };
    let keys = match read() {
        Ok(keys) => keys,
        Err(error) => {
            let list = format!("`weigh wallet list --path {}`", quoted_path(&root));
            return Some(Check::warning(name, error.to_string(), format!("{list} says more")));
        }
    };
    let open: Vec<PathBuf> = keys.into_iter().map(|key| key.secret).filter(|path| is_open(path)).collect();
    Some(match open.as_slice() {
        [] => Check::ok(name, format!("nobody else can read the keys in {}", root.display())),
        [first, ..] => Check::warning(
            name,
            format!("others can read {} secret key files, such as {}", open.len(), first.display()),
            format!("close them: `chmod -R go-rwx {}`", quoted_path(&root)),
        ),
    })
}

/// Whether others than its owner can read a file; false for one that is not there.
#[cfg(unix)]
fn is_open(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_path: &std::path::Path) -> bool {
    false
}

/// Whether examinations end before their deadlines.
pub(super) fn cores(validators: usize) -> Check {
    let name = "cores";
    let cores = match std::thread::available_parallelism() {
        Ok(cores) => cores.get(),
        Err(error) => {
            let said = format!("nobody says how many there are: {error}");
            return Check::warning(name, said, "look with `nproc`");
        }
    };
    cores_for(cores, validators)
}

fn cores_for(cores: usize, validators: usize) -> Check {
    let found = format!("{cores} for {validators} validators, each of which examines on one thread");
    if validators <= cores.saturating_mul(VALIDATORS_PER_CORE) {
        return Check::ok("cores", found);
    }
    let fewer = cores.saturating_mul(VALIDATORS_PER_CORE);
    let mend =
        format!("examinations may miss their deadlines; found with fewer: `weigh up --validators {fewer}`");
    Check::warning("cores", found, mend)
}

/// Whether examinations have the memory that their walls promise them.
pub(super) fn memory(validators: usize) -> Check {
    match available_bytes() {
        Some(available) => memory_for(available, validators),
        None => Check::warning("memory", "nobody says how much is free", "look with `free -h`"),
    }
}

fn memory_for(available: u64, validators: usize) -> Check {
    let one = Dataset.limits().memory_bytes;
    let all = one.saturating_mul(validators as u64);
    let found = format!(
        "{} free; an examination may take {}, and {validators} validators examine at a time",
        BinaryBytes(available),
        BinaryBytes(one)
    );
    if available >= all {
        return Check::ok("memory", found);
    }
    let fewer = usize::try_from(available / one).unwrap_or(usize::MAX);
    match NonZeroUsize::new(fewer) {
        Some(fewer) => Check::warning(
            "memory",
            found,
            format!("found with fewer validators: `weigh up --validators {fewer}`"),
        ),
        None => Check::failed("memory", found, "end other programs"),
    }
}

/// Memory that this process and its children can still take: the machine's, or what is left of its control group's.
fn available_bytes() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let machine = available_in(&machine)?;
    let group = |name: &str| {
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    // A group without a limit says `max`, which is no number.
    let left = group("memory.max").map(|max| max.saturating_sub(group("memory.current").unwrap_or(0)));
    Some(left.map_or(machine, |left| left.min(machine)))
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn cores_and_memory_are_held_against_what_examinations_may_take() {
        assert_eq!(cores_for(1, 4).verdict, Verdict::Ok);
        assert_eq!(cores_for(1, 5).verdict, Verdict::Warning);
        let one = Dataset.limits().memory_bytes;
        assert_eq!(memory_for(3 * one, 3).verdict, Verdict::Ok);
        let tight = memory_for(3 * one - 1, 3);
        assert_eq!(tight.verdict, Verdict::Warning);
        assert!(tight.mend.unwrap().ends_with("--validators 2`"));
        assert_eq!(memory_for(one - 1, 1).verdict, Verdict::Failed);
    }

    #[test]
    fn free_memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:       65536 kB\nMemFree:          100 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available_in(text), Some(2 << 20));
        assert_eq!(available_in("MemTotal: 1 kB\n"), None);
    }
}
