//! Places for running handlers: a bounded number at once, a bounded queue, higher priorities first.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Higher priorities first, then first come, first served.
type Turn = (Reverse<u64>, u64);

#[derive(Debug)]
struct State {
    free: usize,
    arrivals: u64,
    waiting: BTreeMap<Turn, oneshot::Sender<Place>>,
}

/// Hands out places.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    state: Arc<Mutex<State>>,
    waiting_max: usize,
}

/// The right to run until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Option<Gate>,
}

impl Gate {
    pub(crate) fn new(places: usize, waiting_max: usize) -> Self {
        let state = State { free: places, arrivals: 0, waiting: BTreeMap::new() };
        Self { state: Arc::new(Mutex::new(state)), waiting_max }
    }

    /// A place, at once or when the turn has come; `None` where higher priorities fill the queue.
    pub(crate) async fn enter(&self, priority: u64) -> Option<Place> {
        let turn = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Place { gate: Some(self.clone()) });
            }
            state.arrivals += 1;
            let turn = (Reverse(priority), state.arrivals);
            let (to, turn_comes) = oneshot::channel();
            state.waiting.insert(turn, to);
            if state.waiting.len() > self.waiting_max {
                // Those who have gone take nobody's turn.
                state.waiting.retain(|_, to| !to.is_closed());
            }
            if state.waiting.len() > self.waiting_max {
                // The last in the order learns it by its dropped sender; that may be the one who came just now.
                state.waiting.pop_last();
            }
            turn_comes
        };
        turn.await.ok()
    }

    fn leave(&self) {
        let mut state = self.lock();
        while let Some((_, to)) = state.waiting.pop_first() {
            match to.send(Place { gate: Some(self.clone()) }) {
                Ok(()) => return,
                // Whoever waited has gone; the place must not be given back from within the lock.
                Err(mut place) => place.gate = None,
            }
        }
        state.free += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::{FutureExt as _, future::poll_immediate};

    use super::*;

    #[tokio::test]
    async fn higher_priorities_go_first_and_the_lowest_is_refused() {
        let gate = Gate::new(1, 2);
        let place = gate.enter(0).await.unwrap();
        let (mut low, mut mid, mut high) = (pin!(gate.enter(1)), pin!(gate.enter(5)), pin!(gate.enter(9)));
        assert!(poll_immediate(&mut low).await.is_none());
        assert!(poll_immediate(&mut mid).await.is_none());
        assert!(poll_immediate(&mut high).await.is_none());
        assert!(poll_immediate(&mut low).await.is_some_and(|place| place.is_none()), "pushed out");
        drop(place);
        assert!(poll_immediate(&mut mid).await.is_none());
        let place = poll_immediate(&mut high).await.flatten().unwrap();
        drop(place);
        assert!(poll_immediate(&mut mid).await.flatten().is_some());
    }

    #[tokio::test]
    async fn whoever_leaves_the_queue_pushes_nobody_out() {
        let gate = Gate::new(1, 2);
        let place = gate.enter(0).await.unwrap();
        let mut low = pin!(gate.enter(1));
        assert!(poll_immediate(&mut low).await.is_none());
        for _ in 0..10 {
            let mut gone = pin!(gate.enter(9));
            assert!(poll_immediate(&mut gone).await.is_none());
        }
        drop(place);
        assert!(poll_immediate(&mut low).await.flatten().is_some());
    }

    #[tokio::test]
    async fn a_place_offered_to_someone_who_left_is_not_lost() {
        let gate = Gate::new(1, 4);
        let place = gate.enter(0).await.unwrap();
        {
            let mut gone = pin!(gate.enter(9));
            assert!(poll_immediate(&mut gone).await.is_none());
        }
        drop(place);
        assert!(gate.enter(0).now_or_never().flatten().is_some());
    }
}
