//! The fold: the same house in one go or in pieces, bounded, and right in its sums.

use mechanisms::dataset;
use primitives::{AlphaRao, Seed, Timestamp, Uid};
use proptest::prelude::*;
use store::{Event, EventNumber, Json, Memory, NewEvent, Store as _};
use web::{
    House,
    house::{EPOCHS_KEPT, ROUNDS_KEPT},
    record::{self, Record, Role},
};

use crate::town::{Town, appended};

fn events(records: &[Record]) -> Vec<Event> {
    let store = Memory::new();
    appended(&store, records);
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(EventNumber::START, |event| event.number);
        let page = store.read(record::LOG, after, 1_000).unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

fn folded(events: &[Event]) -> House {
    let mut house = House::default();
    events.iter().for_each(|event| house.apply(event));
    house
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_log_in_pieces_gives_the_house_that_it_gives_at_once(number: u64, miners in 1_usize..24, rounds in 0_u64..6, cuts: u64) {
        let events = events(&Town::new(number, miners).live_through(rounds));
        let mut house = House::default();
        let mut draws = Seed::from_number(cuts).stream("cuts", 0);
        let mut at = 0;
        while at < events.len() {
            // Some of what was read is read again, as after a lost answer.
            let from = at - draws.index(at.min(5) + 1);
            at = (at + 1 + draws.index(40)).min(events.len());
            events[from..at].iter().for_each(|event| house.apply(event));
        }
        prop_assert_eq!(house, folded(&events));
    }

    #[test]
    fn what_is_paid_is_what_everyone_has_earned(number: u64, miners in 1_usize..40, rounds in 1_u64..5) {
        let house = folded(&events(&Town::new(number, miners).live_through(rounds)));
        let earned = house.neurons.values().fold(AlphaRao::ZERO, |sum, neuron| sum.saturating_add(neuron.earned));
        prop_assert_eq!(house.totals.paid, earned);
        prop_assert_eq!(house.totals.epochs, rounds);
        let by_strategy = house.totals.strategies.values().fold(AlphaRao::ZERO, |sum, one| sum.saturating_add(one.earned));
        prop_assert_eq!(by_strategy, house.totals.paid_to_honest.saturating_add(house.totals.paid_to_attackers));
    }
}

#[test]
fn old_rounds_and_epochs_make_room_and_totals_stay() {
    let rounds = EPOCHS_KEPT as u64 + 9;
    let house = folded(&events(&Town::new(3, 6).live_through(rounds)));
    assert_eq!((house.rounds.len(), house.epochs.len()), (ROUNDS_KEPT, EPOCHS_KEPT));
    assert_eq!((house.totals.rounds, house.totals.epochs), (rounds, rounds));
    let first_kept = *house.rounds.keys().next().unwrap();
    assert!(house.submissions.values().flatten().all(|(round, _)| *round >= first_kept));
    let kept: usize = house.rounds.values().map(|round| round.examinations.len()).sum();
    assert_eq!(house.submissions.values().map(|places| places.len()).sum::<usize>(), kept);
}

#[test]
fn attackers_are_told_from_honest_miners() {
    let house = folded(&events(&Town::new(5, 128).live_through(3)));
    let totals = &house.totals;
    assert!(totals.faults > 0);
    assert_eq!(totals.paid_to_attackers, AlphaRao::ZERO);
    for attack in dataset::attacks::all() {
        let one = &totals.strategies[attack.id()];
        assert!(!one.honest && one.miners > 0 && one.earned == AlphaRao::ZERO, "{}", attack.id());
    }
    assert!(house.milestones.agreed.is_some() && house.milestones.fault.is_some());
}

#[test]
fn who_takes_over_a_slot_starts_anew() {
    let mut town = Town::new(1, 4);
    let mut records = town.live_through(2);
    let (uid, old, new) = (Uid(4), town.hotkey(4), town.hotkey(900));
    records.push(Record::Deregistered { uid, hotkey: old, block: 50 });
    let name = "newcomer".to_owned();
    records.push(Record::Registered { uid, hotkey: new, name, role: Role::Miner, cast: None, block: 50 });
    let house = folded(&events(&records));
    assert_eq!(house.slots[&uid], new);
    assert_eq!(house.neurons[&new].earned, AlphaRao::ZERO);
    assert_eq!(house.neurons[&old].left_at, Some(50));
    assert!(house.neurons[&old].earned > AlphaRao::ZERO);
    let row = web::standing::rows(&house).into_iter().find(|row| row.uid == uid).unwrap();
    assert_eq!((row.hotkey, row.score), (new, None));
    let epoch = &house.epochs[&3];
    assert_eq!(
        (epoch.registered.as_slice(), epoch.deregistered.as_slice()),
        (&[(uid, new)][..], &[(uid, old)][..])
    );
}

#[test]
fn a_record_of_an_earlier_program_lacks_what_came_later_and_is_taken() {
    let store = Memory::new();
    let mut stripped = 0;
    for record in Town::new(1, 4).live_through(1) {
        let mut body = serde_json::to_value(&record).unwrap();
        let mut strip = |of: &mut serde_json::Value, names: &[&str]| {
            let fields = of.as_object_mut().unwrap();
            stripped += names.iter().filter(|name| fields.remove(**name).is_some()).count();
        };
        match &record {
            Record::Examined { .. } => strip(&mut body["Examined"], &["root", "signature"]),
            Record::RoundOpened { .. } => {
                let tasks = body["RoundOpened"]["tasks"].as_array_mut().unwrap();
                tasks.iter_mut().for_each(|task| strip(task, &["text"]));
            }
            _ => {}
        }
        let body = Json::parse(body.to_string()).unwrap();
        store.append(record::LOG, &[NewEvent::new(record.kind(), body, Timestamp(1))]).unwrap();
    }
    assert!(stripped > 40, "{stripped}");
    let early = folded(&store.read(record::LOG, EventNumber::START, 1_000).unwrap());
    let late = folded(&events(&Town::new(1, 4).live_through(1)));
    let (early_round, late_round) = (&early.rounds[&1], &late.rounds[&1]);
    assert_eq!(early_round.examinations.len(), late_round.examinations.len());
    assert!(early_round.examinations.iter().all(|one| one.root.is_none() && one.signature.is_none()));
    assert!(late_round.examinations.iter().all(|one| one.root.is_some() && one.signature.is_some()));
    assert!(early_round.tasks.iter().all(|task| task.text.is_none()));
    assert!(late_round.tasks.iter().all(|task| task.text.is_some()));
    assert_eq!(early.totals, late.totals);
}

#[test]
fn a_signature_is_kept_in_its_one_form() {
    let signature_of = |text: &str| {
        let mut records = Town::new(1, 1).live_through(1);
        for record in &mut records {
            if let Record::Examined { signature, .. } = record {
                *signature = Some(text.to_owned());
            }
        }
        folded(&events(&records)).rounds[&1].examinations[0].signature.clone()
    };
    let right = "0a".repeat(64);
    assert_eq!(signature_of(&right), Some(right.clone()));
    for wrong in ["", "0x", &right[1..], &right.to_uppercase(), &"<b>x".repeat(32)] {
        assert_eq!(signature_of(wrong), None, "{wrong}");
    }
}

#[test]
fn a_record_of_a_later_program_is_passed_over() {
    let store = Memory::new();
    let body = Json::parse("{\"Renamed\":{\"name\":\"x\"}}").unwrap();
    store.append(record::LOG, &[NewEvent::new("Renamed", body, Timestamp(1))]).unwrap();
    appended(&store, &Town::new(1, 2).opening());
    let house = folded(&store.read(record::LOG, EventNumber::START, 100).unwrap());
    assert_eq!(house.seen, store.head(record::LOG).unwrap());
    assert_eq!(house.sign.unwrap().name, "Market square");
}
