//! Counts of values in buckets that get wider as the values get larger: a high dynamic range histogram.
//!
//! It computes what the C library `HdrHistogram_c`, which Node uses, computes.

/// A histogram.
#[derive(Clone)]
pub struct Hdr {
    unit_magnitude: u32,
    half_magnitude: u32,
    half_count: usize,
    mask: i64,
    highest: i64,
    counts: Vec<i64>,
    total: i64,
    /// `i64::MAX` while there is none; zeros don't count.
    smallest: i64,
    largest: i64,
    /// Values that were too large to be counted.
    pub exceeds: i64,
    /// The time of the last `recordDelta`, in nanoseconds.
    pub last: u64,
}

impl Hdr {
    /// A histogram of values from `lowest` to `highest`, exact to `figures` decimal digits.
    pub fn new(lowest: i64, highest: i64, figures: u32) -> Option<Hdr> {
        if lowest < 1 || !(1..=5).contains(&figures) || lowest > highest / 2 {
            return None;
        }
        let exact = 2 * 10u64.pow(figures);
        let half_magnitude = exact.next_power_of_two().trailing_zeros().max(1) - 1;
        let unit_magnitude = lowest.ilog2();
        if unit_magnitude + half_magnitude > 61 {
            return None;
        }
        let sub_buckets = 1i64 << (half_magnitude + 1);
        let mut buckets = 1;
        let mut reach = sub_buckets << unit_magnitude;
        while reach <= highest {
            buckets += 1;
            if reach > i64::MAX / 2 {
                break;
            }
            reach <<= 1;
        }
        let half_count = 1usize << half_magnitude;
        Some(Hdr {
            unit_magnitude,
            half_magnitude,
            half_count,
            mask: (sub_buckets - 1) << unit_magnitude,
            highest,
            counts: vec![0; (buckets + 1) * half_count],
            total: 0,
            smallest: i64::MAX,
            largest: 0,
            exceeds: 0,
            last: 0,
        })
    }

    fn bucket(&self, value: i64) -> u32 {
        64 - (value | self.mask).leading_zeros() - self.unit_magnitude - (self.half_magnitude + 1)
    }

    fn index(&self, value: i64) -> usize {
        let bucket = self.bucket(value);
        let sub_bucket = (value >> (bucket + self.unit_magnitude)) as usize;
        ((bucket as usize + 1) << self.half_magnitude) + sub_bucket - self.half_count
    }

    fn value_at(&self, index: usize) -> i64 {
        let sub_bucket = (index & (self.half_count - 1)) as i64;
        match index >> self.half_magnitude {
            0 => sub_bucket << self.unit_magnitude,
            bucket => (sub_bucket + self.half_count as i64) << (bucket as u32 - 1 + self.unit_magnitude),
        }
    }

    /// How many values count as the same as `value`.
    fn range(&self, value: i64) -> i64 {
        let bucket = self.bucket(value);
        let sub_bucket = (value >> (bucket + self.unit_magnitude)) as usize;
        let bucket = if sub_bucket >= 2 * self.half_count { bucket + 1 } else { bucket };
        1 << (self.unit_magnitude + bucket)
    }

    fn lowest_equivalent(&self, value: i64) -> i64 {
        let shift = self.bucket(value) + self.unit_magnitude;
        (value >> shift) << shift
    }

    fn highest_equivalent(&self, value: i64) -> i64 {
        self.lowest_equivalent(value).wrapping_add(self.range(value)).wrapping_sub(1)
    }

    fn median_equivalent(&self, value: i64) -> i64 {
        self.lowest_equivalent(value) + (self.range(value) >> 1)
    }

    fn add_count(&mut self, value: i64, count: i64) -> bool {
        if !(0..=self.highest).contains(&value) {
            return false;
        }
        let index = self.index(value);
        let Some(slot) = self.counts.get_mut(index) else { return false };
        *slot += count;
        self.total += count;
        if value != 0 {
            self.smallest = self.smallest.min(value);
        }
        self.largest = self.largest.max(value);
        true
    }

    /// Counts a value.
    pub fn record(&mut self, value: i64) {
        if !self.add_count(value, 1) {
            self.exceeds += 1;
        }
    }

    /// Counts a value, and those that were missed while it took so long.
    pub fn record_corrected(&mut self, value: i64, interval: i64) {
        self.record(value);
        if interval <= 0 {
            return;
        }
        let mut missed = value - interval;
        while missed >= interval {
            self.record(missed);
            missed -= interval;
        }
    }

    /// Counts the nanoseconds since the last call.
    pub fn record_delta(&mut self, now: u64) {
        let last = std::mem::replace(&mut self.last, now);
        if last > 0 {
            self.record(now.saturating_sub(last) as i64);
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.counts.fill(0);
        (self.total, self.smallest, self.largest, self.exceeds, self.last) = (0, i64::MAX, 0, 0, 0);
    }

    /// The values that were counted, as their buckets' beginnings, with their counts.
    fn recorded(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count != 0)
            .map(|(index, &count)| (self.value_at(index), count))
    }

    /// Adds what `other` has counted.
    pub fn add(&mut self, other: &Hdr) {
        for (value, count) in other.recorded() {
            if !self.add_count(value, count) {
                self.exceeds += count;
            }
        }
        self.exceeds += other.exceeds;
        self.last = self.last.max(other.last);
    }

    /// Takes away what `other` has counted; no count gets negative.
    pub fn subtract(&mut self, other: &Hdr) {
        for (value, count) in other.recorded() {
            let index = self.index(value);
            if let Some(slot) = self.counts.get_mut(index) {
                *slot = (*slot - count).max(0);
            }
        }
        self.exceeds = (self.exceeds - other.exceeds).max(0);
        self.total = self.counts.iter().sum();
        let values = || self.recorded().map(|(value, _)| value);
        let (smallest, largest) = (values().find(|value| *value != 0), values().last());
        self.smallest = smallest.unwrap_or(i64::MAX);
        self.largest = largest.map_or(0, |value| self.highest_equivalent(value));
    }

    /// How many values were counted.
    pub fn count(&self) -> i64 {
        self.total
    }

    /// The smallest value; `i64::MAX` if there is none.
    pub fn min(&self) -> i64 {
        match self.counts.first() {
            Some(zeros) if *zeros > 0 => 0,
            _ if self.smallest == i64::MAX => i64::MAX,
            _ => self.lowest_equivalent(self.smallest),
        }
    }

    /// The largest value; 0 if there is none.
    pub fn max(&self) -> i64 {
        if self.total == 0 { 0 } else { self.highest_equivalent(self.largest) }
    }

    fn average(&self, number: impl Fn(f64) -> f64) -> f64 {
        let sum: f64 =
            self.recorded().map(|(value, count)| number(self.median_equivalent(value) as f64) * count as f64).sum();
        sum / self.total as f64
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.average(|value| value)
    }

    /// The standard deviation.
    pub fn stddev(&self) -> f64 {
        let mean = self.mean();
        self.average(|value| (value - mean) * (value - mean)).sqrt()
    }

    /// The mean of the deviations' powers, and the variance; `None` if there are too few values, or all are alike.
    fn moment(&self, power: i32, least: i64) -> Option<(f64, f64)> {
        let mean = self.mean();
        let variance = self.average(|value| (value - mean) * (value - mean));
        let enough = self.total >= least && variance > 0.0;
        enough.then(|| (self.average(|value| (value - mean).powi(power)), variance))
    }

    /// The skewness; 0 for fewer than three values.
    pub fn skewness(&self) -> f64 {
        self.moment(3, 3).map_or(0.0, |(moment, variance)| moment / (variance * variance.sqrt()))
    }

    /// The excess kurtosis; 0 for fewer than four values.
    pub fn kurtosis(&self) -> f64 {
        self.moment(4, 4).map_or(0.0, |(moment, variance)| moment / (variance * variance) - 3.0)
    }

    /// The part of the values that are not larger than `value`.
    pub fn cdf(&self, value: f64) -> f64 {
        if self.total == 0 || value < 0.0 {
            return 0.0;
        }
        let last = self.index(value as i64).min(self.counts.len() - 1);
        self.counts[..=last].iter().sum::<i64>() as f64 / self.total as f64
    }

    /// How many values count as the same as `value`, and were counted.
    pub fn count_at(&self, value: f64) -> i64 {
        if value < 0.0 {
            return 0;
        }
        self.counts.get(self.index(value as i64)).copied().unwrap_or_default()
    }

    /// The value that so many of a hundred are not larger than.
    pub fn percentile(&self, percentile: f64) -> i64 {
        let wanted = (percentile.min(100.0) / 100.0 * self.total as f64 + 0.5) as i64;
        let wanted = wanted.max(1);
        let mut seen = 0;
        let index = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let value = index.map_or(0, |index| self.value_at(index));
        if percentile == 0.0 { self.lowest_equivalent(value) } else { self.highest_equivalent(value) }
    }

    /// Percentiles in steps that get smaller towards 100, with their values.
    pub fn percentiles(&self) -> Vec<(f64, i64)> {
        let mut steps = Vec::new();
        let (mut next, mut seen, mut last) = (0.0f64, 0, 0);
        for (value, count) in self.recorded() {
            seen += count;
            last = value;
            let current = 100.0 * seen as f64 / self.total as f64;
            while seen < self.total && next <= current {
                steps.push((next, value));
                next += step_after(next);
            }
            // The last value stands for one step at most before 100.
            if seen == self.total && next <= current {
                steps.push((next, value));
            }
        }
        steps.push((100.0, last));
        steps
    }

    /// Counts up to each of the boundaries that `next` gives, beginning with `first`, with the beginnings of the
    /// boundaries' buckets.
    pub fn buckets(&self, first: i64, next: impl Fn(i64) -> i64) -> Vec<(i64, i64)> {
        let mut buckets = Vec::new();
        let mut boundary = first;
        let (mut index, mut seen, mut value) = (0, 0, 0);
        loop {
            let limit = self.lowest_equivalent(boundary);
            let beyond = index < self.counts.len() && self.value_at(index) > limit;
            if seen == self.total && !beyond {
                return buckets;
            }
            let mut in_step = 0;
            while value < limit {
                let Some(count) = self.counts.get(index) else { break };
                value = self.value_at(index);
                in_step += count;
                seen += count;
                index += 1;
            }
            buckets.push((value, in_step));
            boundary = next(boundary).max(boundary + 1);
        }
    }
}

/// Each step goes half of the way that is left to 100.
fn step_after(percentile: f64) -> f64 {
    // Not `log2`: the C library's rounding is that of a quotient.
    let halvings = ((100.0 / (100.0 - percentile)).ln() / 2f64.ln()) as i32 + 1;
    100.0 / 2f64.powi(halvings)
}
