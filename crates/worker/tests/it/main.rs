//! The supervisor with real children: this program is started again as each of them.
//!
//! `main` is the program's own, since the first argument says what it is this time: a child, a worker that is to be
//! killed, or the tests.

#[cfg(target_os = "linux")]
mod agreement;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod killed;
#[cfg(target_os = "linux")]
mod trial;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [trial::CHILD, walls] => return worker::child(walls, trial::MECHANISMS),
        [killed::WORKER, folder, now] => return killed::work(folder, now),
        _ => {}
    }
    let claims = hostile::CLAIMS.iter().chain(agreement::CLAIMS).chain(killed::CLAIMS);
    let trials = claims.map(|(name, claim)| {
        libtest_mimic::Trial::test(*name, move || {
            claim();
            Ok(())
        })
    });
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials.collect()).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: the supervisor needs Linux");
}
