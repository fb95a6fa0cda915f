//! What a running process has used so far, as the machine counts it. Starts and ends no process.

use serde::Serialize;

use super::{BenchError, cannot};

/// The ticks in which Linux counts the time of processors, on every machine that it shows them to.
const TICKS_PER_SECOND: f64 = 100.0;

/// Megabytes of resident memory.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Memory {
    pub(super) now: f64,
    pub(super) peak: f64,
}

/// Resident memory of the process `id` now, and the most it has been.
pub(super) fn memory(id: u32) -> Result<Memory, BenchError> {
    let status =
        std::fs::read_to_string(format!("/proc/{id}/status")).map_err(cannot("read the memory of a process"))?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<u32>().ok().map(|kilobytes| f64::from(kilobytes) / 1024.0)
    };
    let read = megabytes("VmRSS").zip(megabytes("VmHWM"));
    let (now, peak) = read.ok_or_else(|| BenchError::Unusable("no memory in /proc".to_owned()))?;
    Ok(Memory { now, peak })
}

/// Seconds of processors that the process `id` has used, in user and system mode together.
pub(super) fn processor_seconds(id: u32) -> Result<f64, BenchError> {
    let line = std::fs::read_to_string(format!("/proc/{id}/stat")).map_err(cannot("read the time of a process"))?;
    used(&line).ok_or_else(|| BenchError::Unusable("no time in /proc".to_owned()))
}

/// The name of the program, in brackets, may hold anything; `utime` and `stime` are the 12th and 13th field behind it.
fn used(line: &str) -> Option<f64> {
    let (_, fields) = line.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let line = "4711 (art33) :) 1) S 1 4711 4711 0 -1 4194304 9 0 0 0 250 75 0 0 20 0 9 0 12 3 4";
        assert_eq!(used(line), Some(3.25));
    }
}
