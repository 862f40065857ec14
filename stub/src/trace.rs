//! `KILN_TRACE_START=1`: where the milliseconds of a start go.

use std::cell::RefCell;
use std::time::{Duration, Instant};

thread_local! {
    static MARKS: RefCell<Option<Marks>> = const { RefCell::new(None) };
}

struct Marks {
    start: Instant,
    last: Duration,
    last_faults: i64,
}

/// Begins to trace if the environment asks for it.
pub fn begin() {
    if std::env::var_os("KILN_TRACE_START").is_some_and(|value| value == "1") {
        MARKS.set(Some(Marks { start: Instant::now(), last: Duration::ZERO, last_faults: page_faults() }));
    }
}

/// Whether the environment asks for it.
pub fn is_on() -> bool {
    MARKS.with_borrow(Option::is_some)
}

/// Says on standard error how long it took from the last mark to here, and from the start.
pub fn mark(step: &str) {
    MARKS.with_borrow_mut(|marks| {
        let Some(marks) = marks else { return };
        let now = marks.start.elapsed();
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
        let (whole, step_time) = (milliseconds(now), milliseconds(now - marks.last));
        let faults = page_faults();
        eprintln!("kiln: {whole:7.3} ms  {step_time:7.3} ms  {:5} page faults  {step}", faults - marks.last_faults);
        marks.last = marks.start.elapsed();
        marks.last_faults = page_faults();
    });
}

/// How often the process waited for a page of memory.
fn page_faults() -> i64 {
    // SAFETY: `getrusage` fills the structure, for which zeros are valid too.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage.ru_minflt
    }
}
