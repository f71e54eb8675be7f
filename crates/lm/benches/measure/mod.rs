//! What the benches share: the process's own time, and the middle of several runs.

use std::fs;

/// CPU seconds that this process has used: the 14th and 15th field, in hundredths. Source: proc_pid_stat(5).
pub(crate) fn cpu_seconds() -> f64 {
    let line = fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = line.rsplit(')').next().expect("a last part");
    let field = |index: usize| {
        let text = after_name.split_whitespace().nth(index - 3).expect("52 fields");
        text.parse::<f64>().expect("a number")
    };
    (field(14) + field(15)) / 100.0
}

/// The middle one.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
