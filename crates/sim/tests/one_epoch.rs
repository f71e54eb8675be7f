//! The whole story of a subnet, in the order in which it happens.

use std::sync::Arc;

use corpus::{Cut, Source as _};
use mechanisms::{Strategy, dataset};
use neuron::{Validator, ValidatorFact};
use primitives::Seed;
use sim::{InMemory, MinerPlan, Party, Scenario, World};
use store::EventNumber;

/// The facts in the first validator's log, in order.
fn facts(world: &World) -> Vec<ValidatorFact> {
    let log = Validator::log(&world.identity(Party::Validator(0)));
    let events = world.keeping(Party::Validator(0)).store.read(&log, EventNumber::START, 10_000);
    let events = events.expect("the log can be read");
    events.iter().map(|event| event.body.read().expect("an event is a fact")).collect()
}

#[test]
fn a_subnet_is_founded_works_is_weighed_and_paid_and_replaces_its_worst() {
    // A source of 40 texts, cut into tasks of four. Two honest miners and one that makes things up; a third
    // honest one comes later. The subnet has seven slots: owner, three validators, three miners.
    let seed = Seed::from_number(1);
    let source = Arc::new(sim::texts(&seed, 40));
    let honest = |tasks| dataset::miner::Honest { id: "honest", tasks };
    let miner = |strategy: Arc<dyn Strategy>, joins_in_epoch| MinerPlan { strategy, joins_in_epoch };
    let extents = source.extents(Cut { entries_max: 4, bytes_max: u64::MAX }).unwrap();
    let mut scenario = Scenario::dataset(seed, source, extents, 8);
    scenario.slots = 7;
    scenario.miners = vec![
        miner(Arc::new(honest(3)), 0),
        miner(Arc::new(honest(1)), 0),
        miner(Arc::new(dataset::attacks::MADE_UP), 0),
        miner(Arc::new(honest(1)), 3),
    ];

    // The owner has created the subnet, everybody has registered, the validators have staked and got permits.
    let mut world = World::new(scenario, &InMemory).unwrap();
    let founded = world.chain().subnet(world.netuid()).unwrap();
    assert_eq!(founded.neurons.len(), 7);
    assert!(founded.neurons[1..4].iter().all(|neuron| neuron.validator_permit));

    // First epoch: miners lease tasks, work and commit; validators audit, judge and commit to weights.
    let first = world.run_epoch().unwrap().clone();
    let scores: Vec<Option<f64>> = first.miners.iter().map(|line| line.score).collect();
    assert!(scores[0] > scores[1] && scores[1] > Some(0.0) && scores[2] == Some(0.0), "{scores:?}");
    assert!(first.miners[2].reason.starts_with("step 1"), "{}", first.miners[2].reason);
    // Nothing has been revealed yet, so no miner is paid.
    assert!(first.miners.iter().all(|line| line.earned.is_zero()));

    // Second epoch: the weights are revealed, consensus runs on them, emission arrives by merit.
    let second = world.run_epoch().unwrap().clone();
    let earned: Vec<u64> = second.miners.iter().map(|line| line.earned.0).collect();
    assert!(earned[0] > earned[1] && earned[1] > 0 && earned[2] == 0, "{earned:?}");
    let subnet = world.chain().subnet(world.netuid()).unwrap();
    assert!(subnet.neurons[1..4].iter().all(|neuron| neuron.dividends > 0 && neuron.validator_permit));

    // What happened stands in each validator's log, from the opened round to the weights.
    let kinds: Vec<&str> = facts(&world).iter().map(ValidatorFact::kind).collect();
    let order =
        ["RoundOpened", "RoundSealed", "ManifestListed", "PartKept", "Examined", "RoundJudged", "Intended"];
    let places = order.map(|kind| kinds.iter().position(|known| *known == kind).expect(kind));
    assert!(places.is_sorted(), "{places:?}");

    // At the end of the third epoch a newcomer registers. The subnet is full, and the worst has to go.
    world.run_epoch().unwrap();
    world.run_epoch().unwrap();
    let worst = second.miners[2].hotkey;
    let newcomer = world.identity(Party::Miner(3)).hotkey;
    let subnet = world.chain().subnet(world.netuid()).unwrap();
    assert!(subnet.neuron(&worst).is_none());
    assert_eq!(subnet.neuron(&newcomer).unwrap().uid, second.miners[2].uid);

    // The newcomer is paid for its own work and inherits nothing; the books are balanced to the rao.
    world.run_epoch().unwrap();
    let paid = world.run_epoch().unwrap().clone();
    assert!(!paid.miners.iter().find(|line| line.hotkey == newcomer).unwrap().earned.is_zero());
    world.chain().audit().unwrap();
    assert_eq!(world.finish().unwrap().honest_emission_share, Some(1.0));
}
