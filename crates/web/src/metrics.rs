//! The house in numbers for Prometheus.

use std::fmt::Write as _;

use crate::{
    house::House,
    record::{Live, Role},
};

/// The page that Prometheus scrapes. Source: exposition formats, text format 0.0.4.
pub(crate) fn text(house: &House, live: &Live, streams: usize) -> String {
    let totals = &house.totals;
    let mut out = String::new();
    let mut say = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        let _ = writeln!(out, "# HELP weigh_{name} {help}\n# TYPE weigh_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "weigh_{name}{labels} {value}");
        }
    };
    say("event_number", "gauge", "The last event that is shown.", &[("", house.seen.0)]);
    say("block_number", "gauge", "The newest block.", &[("", live.block)]);
    say("epoch_number", "gauge", "The epoch that is running.", &[("", live.epoch)]);
    say("examinations_queued", "gauge", "Submissions that wait for an examination.", &[("", live.queued)]);
    say("examinations_running", "gauge", "Examinations under way.", &[("", live.running)]);
    let count = |role: Role| house.present().filter(|neuron| neuron.role == role).count() as u64;
    let neurons = [
        ("{role=\"owner\"}", count(Role::Owner)),
        ("{role=\"validator\"}", count(Role::Validator)),
        ("{role=\"miner\"}", count(Role::Miner)),
    ];
    say("neurons", "gauge", "Neurons that hold a slot.", &neurons);
    say("rounds_total", "counter", "Rounds that were opened.", &[("", totals.rounds)]);
    say("epochs_total", "counter", "Epochs that were closed.", &[("", totals.epochs)]);
    say("examinations_total", "counter", "Examinations.", &[("", totals.examined)]);
    say("faults_total", "counter", "Faults that were proven.", &[("", totals.faults)]);
    say("examined_bytes_total", "counter", "Bytes of what was examined.", &[("", totals.examined_bytes)]);
    say("paid_alpha_rao_total", "counter", "Alpha that was paid, in rao.", &[("", totals.paid.0)]);
    let sides =
        [("{side=\"honest\"}", totals.paid_to_honest.0), ("{side=\"attacker\"}", totals.paid_to_attackers.0)];
    say("paid_to_cast_alpha_rao_total", "counter", "Alpha paid to miners that the house set up.", &sides);
    say("event_streams", "gauge", "Streams of events that are open.", &[("", streams as u64)]);
    out
}
