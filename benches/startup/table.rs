//! The numbers of one program, side by side.

use std::time::Duration;

use super::Contender;

pub fn print(program: &str, contenders: &[Contender]) {
    println!("\n{program:<22}{:>10}{:>10}{:>12}{:>12}", "median", "p90", "memory", "file");
    for contender in contenders {
        let median = milliseconds(time(contender, 50));
        let p90 = milliseconds(time(contender, 90));
        let memory = format!("{:.1} MiB", memory(contender) / f64::from(1 << 20));
        let file = contender.size.map_or("–".into(), |size| format!("{:.1} MB", size as f64 / 1e6));
        let note = if contender.agrees { "" } else { "  not what Node prints" };
        println!("  {:<20}{median:>10}{p90:>10}{memory:>12}{file:>12}{note}", contender.name);
    }
    let Some((kiln, others)) = contenders.split_first() else { return };
    for other in others {
        let time = |contender| time(contender, 50).as_secs_f64();
        let size = |(kiln, other)| format!("{:>12.2}", kiln as f64 / other as f64);
        println!(
            "  {:<20}{:>10.2}{:>10}{:>12.2}{}",
            format!("of {}", other.name),
            time(kiln) / time(other),
            "",
            memory(kiln) / memory(other),
            kiln.size.zip(other.size).map(size).unwrap_or_default(),
        );
    }
}

fn time(contender: &Contender, percentile: usize) -> Duration {
    let mut times: Vec<Duration> = contender.samples.iter().map(|sample| sample.time).collect();
    times.sort_unstable();
    times[(times.len() * percentile / 100).min(times.len() - 1)]
}

/// The median of the runs' peaks.
fn memory(contender: &Contender) -> f64 {
    let mut peaks: Vec<u64> = contender.samples.iter().map(|sample| sample.memory).collect();
    peaks.sort_unstable();
    peaks[peaks.len() / 2] as f64
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
