//! What a device has to tell and cannot yet: numbered, in order, kept until Portico says how far it has come.

/// Holds up to `N` entries. Each has a number that is never used again, so that the other side sees what is missing
/// and what comes twice.
#[derive(Debug, Clone)]
pub struct Queue<T, const N: usize> {
    entries: [Option<(u64, T)>; N],
    /// Where the oldest stands.
    start: usize,
    length: usize,
    /// The number of the next entry.
    next: u64,
}

impl<T, const N: usize> Queue<T, N> {
    /// Empty; `next` is the number after the last that was ever given, 1 at the first start. A device keeps it over a
    /// power cut.
    #[must_use]
    pub const fn new(next: u64) -> Self {
        Self { entries: [const { None }; N], start: 0, length: 0, next }
    }

    /// Adds an entry; its number. When the queue is full the entry is lost, but not its number: the gap shows. What
    /// was first stays, so nobody can wash an entry out by making many.
    ///
    /// # Errors
    /// The number of an entry that was lost.
    pub fn push(&mut self, entry: T) -> Result<u64, u64> {
        let number = self.next;
        self.next += 1;
        if self.length == N {
            return Err(number);
        }
        self.entries[(self.start + self.length) % N] = Some((number, entry));
        self.length += 1;
        Ok(number)
    }

    /// The entries with their numbers, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let at = move |index: usize| self.entries[(self.start + index) % N].as_ref();
        (0..self.length).filter_map(at).map(|(number, entry)| (*number, entry))
    }

    /// The other side has all up to that number.
    pub fn acknowledge(&mut self, number: u64) {
        while self.length > 0 && self.entries[self.start].as_ref().is_none_or(|(oldest, _)| *oldest <= number) {
            self.entries[self.start] = None;
            self.start = (self.start + 1) % N;
            self.length -= 1;
        }
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The number of the next entry.
    #[must_use]
    pub const fn next_number(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::VecDeque;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn full_queue_keeps_what_was_first_and_shows_the_gap() {
        let mut queue: Queue<char, 2> = Queue::new(7);
        assert_eq!([queue.push('a'), queue.push('b'), queue.push('c')], [Ok(7), Ok(8), Err(9)]);
        queue.acknowledge(7);
        assert_eq!(queue.push('d'), Ok(10));
        assert_eq!(queue.iter().collect::<Vec<_>>(), [(8, &'b'), (10, &'d')]);
        assert_eq!(queue.next_number(), 11);
    }

    proptest! {
        #[test]
        fn behaves_as_an_endless_queue_that_refuses_the_fourth(steps in prop::collection::vec((any::<bool>(), 0_u64..30), 0..60)) {
            let mut queue: Queue<u64, 3> = Queue::new(1);
            let (mut model, mut next) = (VecDeque::new(), 1);
            for (is_push, number) in steps {
                if is_push {
                    let taken = model.len() < 3;
                    prop_assert_eq!(queue.push(next * 2).is_ok(), taken);
                    if taken {
                        model.push_back((next, next * 2));
                    }
                    next += 1;
                } else {
                    queue.acknowledge(number);
                    model.retain(|(kept, _)| *kept > number);
                }
                prop_assert_eq!(queue.iter().map(|(number, entry)| (number, *entry)).collect::<Vec<_>>(), Vec::from(model.clone()));
                prop_assert_eq!(queue.len(), model.len());
            }
        }
    }
}
