//! A device's messages until the broker has acknowledged them: what was under way when a connection broke is sent again.

use std::collections::VecDeque;

use bytes::Bytes;

/// Under way at the same time; well below rumqttc's own limit, so that packet ids never collide.
const UNDER_WAY: usize = 16;

/// What a device can remember while it is away; then it forgets its oldest.
const MEMORY: usize = 500;

/// Where a message goes below `devices/{id}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    Telemetry,
    Status,
    Ack,
    Event,
    Reported,
    Command,
    Desired,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub topic: Topic,
    pub payload: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Message>,
    /// Given to rumqttc, which has not yet numbered them.
    given: VecDeque<Message>,
    numbered: VecDeque<(u16, Message)>,
}

impl Outbox {
    /// Takes a message; `false` when an older one had to be forgotten for it.
    pub fn push(&mut self, message: Message) -> bool {
        let full = self.waiting.len() >= MEMORY;
        if full {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message);
        !full
    }

    /// The next message to hand to rumqttc, when there is room on the way.
    pub fn next(&self) -> Option<&Message> {
        if self.given.len() + self.numbered.len() < UNDER_WAY { self.waiting.front() } else { None }
    }

    /// That message was handed over.
    pub fn given(&mut self) {
        self.given.extend(self.waiting.pop_front());
    }

    /// rumqttc numbered the oldest message given.
    pub fn numbered(&mut self, packet: u16) {
        self.numbered.extend(self.given.pop_front().map(|message| (packet, message)));
    }

    /// The broker has it; `true` when it was ours.
    pub fn acknowledged(&mut self, packet: u16) -> bool {
        let found = self.numbered.iter().position(|(number, _)| *number == packet);
        found.is_some_and(|index| self.numbered.remove(index).is_some())
    }

    /// The connection broke: everything not acknowledged goes first, in its old order.
    pub fn lost(&mut self) {
        for message in self.given.drain(..).rev() {
            self.waiting.push_front(message);
        }
        for (_, message) in self.numbered.drain(..).rev() {
            self.waiting.push_front(message);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.given.is_empty() && self.numbered.is_empty()
    }

    /// Whether nothing waits, so that there is time for the past.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.given.len() + self.numbered.len() < UNDER_WAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: usize) -> Message {
        Message { topic: Topic::Telemetry, payload: Bytes::from(number.to_string()) }
    }

    #[test]
    fn what_was_under_way_is_sent_again_first_and_in_order() {
        let mut outbox = Outbox::default();
        for number in 0..5 {
            outbox.push(message(number));
        }
        for _ in 0..3 {
            outbox.given();
        }
        outbox.numbered(1);
        outbox.numbered(2);
        assert!(outbox.acknowledged(1));
        assert!(!outbox.acknowledged(1));
        outbox.lost();
        let order: Vec<_> = std::iter::from_fn(|| {
            let next = outbox.next().cloned();
            outbox.given();
            next
        })
        .collect();
        assert_eq!(order, (1..5).map(message).collect::<Vec<_>>());
    }

    #[test]
    fn only_so_many_are_under_way_and_the_oldest_is_forgotten() {
        let mut outbox = Outbox::default();
        for number in 0..MEMORY {
            assert!(outbox.push(message(number)));
        }
        assert!(!outbox.push(message(MEMORY)));
        for number in 1..=UNDER_WAY {
            assert_eq!(outbox.next(), Some(&message(number)));
            outbox.given();
        }
        assert_eq!(outbox.next(), None);
    }
}
