//! What machine this is; without it no figure means anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Facts by name.
pub fn machine(scratch: &Path) -> BTreeMap<&'static str, String> {
    let mut facts = BTreeMap::new();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    facts.insert("cpu", field(&cpu, "model name"));
    facts.insert(
        "cores",
        std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |count| count.to_string()),
    );
    facts.insert("memory", field(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal"));
    facts.insert("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned());
    facts.insert("load_before", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned());
    facts.insert("fdatasync", disk_sync(scratch).unwrap_or_else(|| "unknown (no pg_test_fsync)".to_owned()));
    facts
}

fn field(text: &str, name: &str) -> String {
    let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
    value.map_or_else(|| "?".to_owned(), |(_, value)| value.trim().to_owned())
}

/// How long one durable 8 kB write takes on the disk of `scratch`, as PostgreSQL's own tool measures it.
fn disk_sync(scratch: &Path) -> Option<String> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let program = installed.map(|version| version.path().join("bin/pg_test_fsync")).find(|program| program.exists())?;
    let file = scratch.join("fsync.test");
    let output = Command::new(program).args(["-s", "1", "-f"]).arg(&file).output().ok()?;
    let _ = fs::remove_file(file);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().map(str::trim).find(|line| line.starts_with("fdatasync") && line.contains("ops/sec"))?;
    Some(line.trim_start_matches("fdatasync").split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Bytes of the files that a first visit loads, compressed with brotli, by name.
pub fn site_sizes(site: Option<&Path>) -> BTreeMap<String, u64> {
    let mut sizes = BTreeMap::new();
    if let Some(site) = site {
        collect(site, site, &mut sizes);
    }
    sizes
}

fn collect(root: &Path, folder: &Path, sizes: &mut BTreeMap<String, u64>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, sizes);
        } else if ["wasm.br", "js.br", "css.br"].iter().any(|end| path.to_string_lossy().ends_with(end)) {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            sizes.insert(name, entry.metadata().map_or(0, |metadata| metadata.len()));
        }
    }
}
