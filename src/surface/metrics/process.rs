//! Facts of our own process, under the names that every Prometheus client library uses.

use std::fs;

use jiff::Timestamp;

/// What the kernel says of this process; `None` where it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFacts {
    /// Processor time used, in seconds.
    pub cpu: Option<f64>,
    /// Resident memory, in bytes.
    pub resident: Option<u64>,
    /// Virtual memory, in bytes.
    pub virtual_memory: Option<u64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
    /// The most file descriptors that may be open.
    pub max_files: Option<u64>,
    /// When the process started.
    pub started: Option<Timestamp>,
}

/// Linux shows processor times in hundredths of a second to every program (USER_HZ), whatever its own tick is.
const TICKS: u32 = 100;

impl ProcessFacts {
    /// Asks the kernel, by `/proc/self`. `started` is when the daemon started, which it knows best itself.
    pub fn read(started: Timestamp) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            cpu: fs::read_to_string("/proc/self/stat")
                .ok()
                .as_deref()
                .and_then(cpu_seconds),
            resident: kibibytes(&status, "VmRSS:"),
            virtual_memory: kibibytes(&status, "VmSize:"),
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .and_then(|entries| u64::try_from(entries.count()).ok()),
            max_files: max_files(&limits),
            started: Some(started),
        }
    }
}

/// Fields 14 and 15 of proc_pid_stat(5): time in user and in kernel mode.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name, in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let kernel: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(kernel)) / f64::from(TICKS))
}

fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(field))?;
    let number: u64 = rest.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

fn max_files(limits: &str) -> Option<u64> {
    let rest = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let stat = "7 (mail) flow) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 1234 5 6";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7 (x) S"), None);
        assert_eq!(
            kibibytes("Name:\tx\nVmRSS:\t    2048 kB\n", "VmRSS:"),
            Some(2_097_152)
        );
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(max_files(limits), Some(1024));
        assert_eq!(max_files("Max open files  unlimited  unlimited  files"), None);
    }
}
