//! gzip members of several files at a time, on several threads.
//!
//! What comes out does not depend on how many there are, and nothing is written before all threads are done: writing has
//! its order to itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::levels::Plan;
use crate::output::file::gzip::{self, Gzip, Level};

/// Text that one more thread is worth, in bytes: it takes a millisecond to compress, and a thread far less to start.
const WORTH_A_THREAD: usize = 128 * 1024;

/// Text that is compressed at a time, in bytes for each thread. More would take memory, less would have threads wait for
/// each other more often.
const AT_A_TIME: usize = 1024 * 1024;

/// A text to be compressed. Several ascend by the numbers of their buffers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    /// The number of its buffer.
    pub(super) index: usize,
    pub(super) lines: &'a [u8],
    pub(super) plan: Plan,
}

/// Makes members; keeps its memory within a limit.
#[derive(Debug)]
pub(super) struct Members {
    makers: Vec<Maker>,
}

/// What one thread uses.
#[derive(Debug)]
struct Maker {
    gzip: Gzip,
    /// By the number of their buffer, ascending.
    made: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    index: usize,
    made: gzip::Member,
}

impl Members {
    /// With up to so many `threads`, at least one, of which the caller's is the first.
    pub(super) fn new(threads: usize) -> Self {
        let maker = |_| Maker { gzip: Gzip::default(), made: Vec::new() };
        Self { makers: (0..threads.max(1)).map(maker).collect() }
    }

    /// How many of the texts, at least the first, are to be compressed at a time. One thread alone takes one after the
    /// other, which are then written from the processor's caches.
    pub(super) fn at_a_time(&self, lengths: impl Iterator<Item = usize>) -> usize {
        let most = AT_A_TIME * self.makers.len();
        let mut sum = 0usize;
        let fits = |length: &usize| {
            sum = sum.saturating_add(*length);
            self.makers.len() > 1 && sum <= most
        };
        lengths.take_while(fits).count().max(1)
    }

    /// Makes the members of these texts, and forgets those from before; by how many threads.
    pub(super) fn make(&mut self, texts: &[Text<'_>]) -> usize {
        for maker in &mut self.makers {
            maker.gzip.clear();
            maker.made.clear();
        }
        let Some((first, others)) = self.makers.split_first_mut() else { return 0 };
        let size: usize = texts.iter().map(|text| text.lines.len()).sum();
        let helpers = (size / WORTH_A_THREAD).min(texts.len()).saturating_sub(1).min(others.len());
        let next = AtomicUsize::new(0);
        if helpers == 0 {
            first.work(texts, &next);
            return 1;
        }
        thread::scope(|scope| {
            let mut started = 1;
            for maker in &mut others[..helpers] {
                let builder = thread::Builder::new().name("compress".to_owned());
                match builder.spawn_scoped(scope, || maker.work(texts, &next)) {
                    Ok(_) => started += 1,
                    Err(error) => {
                        tracing::debug!(%error, "cannot start a thread that compresses: the others do its work");
                        break;
                    }
                }
            }
            first.work(texts, &next);
            started
        })
    }

    /// The member of a buffer, if [`make`](Self::make) was given its text the last time.
    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        self.find(index).map(|(maker, member)| maker.gzip.get(member.made.place.clone()))
    }

    /// The level of that member.
    pub(super) fn level(&self, index: usize) -> Option<Level> {
        self.find(index).map(|(_, member)| member.made.level)
    }

    fn find(&self, index: usize) -> Option<(&Maker, &Member)> {
        self.makers.iter().find_map(|maker| {
            let place = maker.made.binary_search_by_key(&index, |member| member.index).ok()?;
            Some((maker, &maker.made[place]))
        })
    }

    /// Forgets all members, and gives memory back that unusually large ones took.
    pub(super) fn shrink(&mut self) {
        for maker in &mut self.makers {
            maker.gzip.shrink();
            maker.made.clear();
        }
    }
}

impl Maker {
    /// Takes one text after the other, as long as there are any that no other thread took.
    fn work(&mut self, texts: &[Text<'_>], next: &AtomicUsize) {
        while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let level = text.plan.level(&mut self.gzip, text.lines);
            let made = self.gzip.add(text.lines, level);
            self.made.push(Member { index: text.index, made });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<Vec<u8>> {
        let line =
            |file: usize, number: usize| format!("{{\"file\":{file},\"number\":{number}}}\n").into_bytes();
        (0..40).map(|file| (0..file * 100).flat_map(|number| line(file, number)).collect()).collect()
    }

    #[test]
    fn members_are_the_same_with_any_number_of_threads() {
        let texts = texts();
        let plan = |at| if at % 2 == 0 { Plan::Sample } else { Plan::At(Level::libdeflate(3)) };
        let numbered: Vec<_> = (texts.iter().enumerate())
            .map(|(at, lines)| Text { index: at * 2, lines, plan: plan(at) })
            .collect();
        let mut alone = Members::new(1);
        assert_eq!(alone.make(&numbered), 1);
        for threads in [0, 2, 3, 8] {
            let mut members = Members::new(threads);
            assert_eq!(members.make(&numbered), threads.max(1));
            for Text { index, .. } in numbered.iter().copied() {
                assert!(members.get(index).is_some());
                assert_eq!(members.get(index), alone.get(index));
                assert_eq!(members.level(index), alone.level(index));
                assert_eq!(members.get(index + 1), None);
            }
            members.shrink();
            assert_eq!(members.get(0), None);
        }
    }

    #[test]
    fn a_thread_is_started_only_where_there_is_enough_for_it() {
        let text = vec![b'x'; WORTH_A_THREAD];
        let text = |index, from| Text { index, lines: &text[from..], plan: Plan::At(Level::libdeflate(1)) };
        let mut members = Members::new(4);
        assert_eq!(members.make(&[text(0, 1), text(1, 0)]), 1);
        assert_eq!(members.make(&[text(0, 0), text(1, 0)]), 2);
        assert_eq!(members.make(&[text(0, 0); 9]), 4);
        assert_eq!(members.make(&[]), 1);
    }

    #[test]
    fn what_is_compressed_at_a_time_has_a_limit() {
        let at_a_time = |threads, lengths: &[usize]| Members::new(threads).at_a_time(lengths.iter().copied());
        assert_eq!(at_a_time(1, &[1, 1, 1]), 1);
        assert_eq!(at_a_time(2, &[AT_A_TIME, AT_A_TIME, 1]), 2);
        assert_eq!(at_a_time(2, &[AT_A_TIME, AT_A_TIME + 1]), 1);
        assert_eq!(at_a_time(2, &[usize::MAX, usize::MAX]), 1);
        assert_eq!(at_a_time(3, &[1, 1, 1]), 3);
    }
}
