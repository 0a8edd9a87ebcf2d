//! A connection of a text protocol: replies come in the order of the requests.

use std::{collections::VecDeque, fmt::Debug};

use super::{Fault, Protocol, Request, SAMPLED, lines::Lines};
use crate::work::Operation;

/// What two text protocols differ in.
pub(crate) trait Text: Debug {
    /// Appends a request.
    fn request(&self, request: Request<'_>, out: &mut Vec<u8>);

    /// Takes one reply, and compares its values if it is to. False: it is not complete.
    fn reply(
        &self,
        operation: Operation,
        compare: bool,
        lines: &mut Lines<'_>,
    ) -> Result<bool, Fault>;
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Pipeline<T> {
    text: T,
    /// What was asked and has no reply yet, and when each was due.
    sent: VecDeque<(Operation, u64)>,
    replies: u64,
}

impl<T: Text> Pipeline<T> {
    pub(crate) fn new(text: T) -> Self {
        Self { text, sent: VecDeque::new(), replies: 0 }
    }
}

impl<T: Text> Protocol for Pipeline<T> {
    fn open(&mut self, _: &mut Vec<u8>) {}

    fn send(&mut self, request: Request<'_>, out: &mut Vec<u8>) {
        self.text.request(request, out);
        self.sent.push_back((request.operation, request.due));
    }

    fn receive(
        &mut self,
        input: &[u8],
        _: &mut Vec<u8>,
        answered: &mut Vec<u64>,
    ) -> Result<usize, Fault> {
        let mut lines = Lines::new(input);
        let mut taken = 0;
        while taken < input.len() {
            let Some(&(operation, due)) = self.sent.front() else {
                return Err(Fault::unexpected("nothing", &input[taken..]));
            };
            let compare = self.replies.is_multiple_of(SAMPLED);
            if !self.text.reply(operation, compare, &mut lines)? {
                break;
            }
            taken = lines.taken();
            self.sent.pop_front();
            self.replies += 1;
            answered.push(due);
        }
        Ok(taken)
    }
}
