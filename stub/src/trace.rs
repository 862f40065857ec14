//! `KILN_TRACE_START=1`: where the milliseconds of a start go.

use std::cell::RefCell;
use std::time::{Duration, Instant};

thread_local! {
    static MARKS: RefCell<Option<Marks>> = const { RefCell::new(None) };
}

struct Marks {
    start: Instant,
    last: Duration,
}

/// Begins to trace if the environment asks for it.
pub fn begin() {
    if std::env::var_os("KILN_TRACE_START").is_some_and(|value| value == "1") {
        MARKS.set(Some(Marks { start: Instant::now(), last: Duration::ZERO }));
    }
}

/// Says on standard error how long it took from the last mark to here, and from the start.
pub fn mark(step: &str) {
    MARKS.with_borrow_mut(|marks| {
        let Some(marks) = marks else { return };
        let now = marks.start.elapsed();
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
        eprintln!("kiln: {:7.3} ms  {:7.3} ms  {step}", milliseconds(now), milliseconds(now - marks.last));
        marks.last = marks.start.elapsed();
    });
}
