//! Medians, and what they are compared with.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

/// One measured call or sequence of calls.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Microseconds by the clock.
    pub(crate) wall: f64,
    /// Microseconds of user and system time, of the process and the children it waited for.
    pub(crate) cpu: f64,
    /// Peak resident set of the biggest process, KiB.
    pub(crate) rss: f64,
}

impl Sample {
    /// This one followed by `next`.
    pub(crate) fn then(self, next: Sample) -> Sample {
        Sample {
            wall: self.wall + next.wall,
            cpu: self.cpu + next.cpu,
            rss: self.rss.max(next.rss),
        }
    }

    fn fields(&self) -> [f64; 3] {
        [self.wall, self.cpu, self.rss]
    }
}

/// All samples of one run of the program.
#[derive(Default)]
pub(crate) struct Report {
    /// By verb, then in the order in which the runtimes were first called.
    samples: BTreeMap<&'static str, Vec<(&'static str, Vec<Sample>)>>,
}

const NOTHING: [f64; 3] = [f64::NAN; 3];

impl Report {
    pub(crate) fn add(&mut self, verb: &'static str, runtime: &'static str, sample: Sample) {
        let rows = self.samples.entry(verb).or_default();
        match rows.iter_mut().find(|(name, _)| *name == runtime) {
            Some((_, samples)) => samples.push(sample),
            None => rows.push((runtime, vec![sample])),
        }
    }

    /// Per runtime: its name, the medians over the floor's, the medians over the best peer's.
    fn ratios(&self, verb: &str) -> Vec<(&'static str, [f64; 3], [f64; 3])> {
        let rows = self.samples.get(verb).map(Vec::as_slice).unwrap_or_default();
        let medians: Vec<_> =
            rows.iter().map(|(name, samples)| (*name, medians(samples))).collect();
        let floor = medians
            .iter()
            .find(|(name, _)| *name == "floor")
            .map_or(NOTHING, |(_, median)| *median);
        let peers = medians.iter().filter(|(name, _)| !matches!(*name, "floor" | "onggi"));
        let best =
            peers.fold(NOTHING, |best, (_, median)| [0, 1, 2].map(|i| best[i].min(median[i])));
        let over = |median: [f64; 3], base: [f64; 3]| [0, 1, 2].map(|i| median[i] / base[i]);
        medians
            .into_iter()
            .map(|(name, median)| (name, over(median, floor), over(median, best)))
            .collect()
    }

    /// The lines of one verb.
    pub(crate) fn table(&self, verb: &str) -> String {
        let rounds = self
            .samples
            .get(verb)
            .and_then(|rows| rows.first())
            .map_or(0, |(_, samples)| samples.len());
        let mut text = format!("{verb}  (medians of {rounds} rounds)\n");
        let _ =
            writeln!(text, "  {:8} {:^26}   {:^26}", "", "times the floor", "times the best peer");
        let head = format!("{:>8} {:>8} {:>8}", "wall", "cpu", "rss");
        let _ = writeln!(text, "  {:8} {head}   {head}", "");
        for (name, floor, peer) in self.ratios(verb) {
            let cells = |values: [f64; 3]| {
                let cell = |value: f64| {
                    if value.is_nan() { "-".to_owned() } else { format!("{value:.2}") }
                };
                let [wall, cpu, rss] = values.map(cell);
                format!("{wall:>8} {cpu:>8} {rss:>8}")
            };
            let _ = writeln!(text, "  {name:8} {}   {}", cells(floor), cells(peer));
        }
        text.push('\n');
        text
    }

    /// The same ratios: verb → runtime → `floor`/`best_peer` → `wall`, `cpu`, `rss`.
    pub(crate) fn json(&self) -> Value {
        let object = |[wall, cpu, rss]: [f64; 3]| json!({ "wall": wall, "cpu": cpu, "rss": rss });
        let mut verbs = serde_json::Map::new();
        for verb in self.samples.keys() {
            let rows = self.ratios(verb).into_iter();
            let rows = rows.map(|(name, floor, peer)| {
                (name.to_owned(), json!({ "floor": object(floor), "best_peer": object(peer) }))
            });
            verbs.insert((*verb).to_owned(), Value::Object(rows.collect()));
        }
        Value::Object(verbs)
    }
}

fn medians(samples: &[Sample]) -> [f64; 3] {
    [0, 1, 2].map(|field| {
        let mut values: Vec<f64> = samples.iter().map(|sample| sample.fields()[field]).collect();
        values.sort_by(f64::total_cmp);
        match values.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => values[n / 2],
            n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(wall: f64) -> Sample {
        Sample { wall, cpu: 2.0 * wall, rss: 100.0 }
    }

    #[test]
    fn ratios_are_of_medians_to_the_floor_and_to_the_best_peer() {
        let mut report = Report::default();
        for wall in [2.0, 100.0, 4.0] {
            report.add("run", "floor", sample(wall));
            report.add("run", "onggi", sample(2.0 * wall));
            report.add("run", "crun", sample(4.0 * wall));
            report.add("run", "runc", sample(8.0 * wall));
        }
        let rows = report.ratios("run");
        let walls: Vec<_> =
            rows.iter().map(|(name, floor, peer)| (*name, floor[0], peer[0])).collect();
        assert_eq!(
            walls,
            [("floor", 1.0, 0.25), ("onggi", 2.0, 0.5), ("crun", 4.0, 1.0), ("runc", 8.0, 2.0)]
        );
    }

    #[test]
    fn an_even_number_of_samples_has_its_median_between_the_two_in_the_middle() {
        assert_eq!(medians(&[sample(1.0), sample(2.0), sample(4.0), sample(9.0)])[0], 3.0);
    }

    #[test]
    fn without_a_peer_the_table_has_dashes() {
        let mut report = Report::default();
        report.add("state", "floor", sample(1.0));
        assert!(
            report.table("state").contains("1.00     1.00     1.00          -        -        -")
        );
    }
}
