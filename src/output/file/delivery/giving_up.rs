//! Giving up files while the others go on: what was read since the last flush is read once more, for those files alone.
//! Why, is told in `give_up/mod.rs`.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::error::ArchiveError;
use super::super::give_up::{GiveUp, Hopeless};
use super::{DeliveryError, FileOutput};
use crate::journal::{Position, Reader, Status};
use crate::output::{Controls, OutputError};

/// How long what is given up may take to become durable before the log says so.
const SLOW: Duration = Duration::from_secs(10);

/// Files that are being given up.
#[derive(Debug)]
pub(super) struct GivingUp {
    files: Hopeless,
    reader: Reader,
    /// How far everything was read before.
    until: Position,
}

impl FileOutput {
    /// Writes everything in memory into its files. Files whose time is over are given up, and are no reason to fail.
    pub(super) fn flush(&mut self) -> Result<(), DeliveryError> {
        self.go_on_giving_up()?;
        loop {
            self.settle()?;
            let error = match self.write() {
                Ok(()) => return Ok(()),
                Err(error @ ArchiveError::File { .. }) => error,
                Err(error) => return Err(error.into()),
            };
            let failed = self.archive.take_failed();
            let count = failed.len();
            let Some(give_up) = self.lines.give_up() else { return Err(error.into()) };
            let files = give_up.judge(failed);
            if files.is_empty() {
                return Err(error.into());
            }
            let are_all = files.len() == count;
            let reader = self.cursor.reader(self.flushed);
            self.giving_up = Some(GivingUp { files, reader, until: self.reader.position() });
            self.lines.begin_handing_over();
            self.go_on_giving_up()?;
            if !are_all {
                return Err(error.into());
            }
        }
    }

    /// Hands over what was read for files that are being given up, as far as there is room for it.
    pub(super) fn go_on_giving_up(&mut self) -> Result<(), DeliveryError> {
        let Some(mut giving_up) = self.giving_up.take() else { return Ok(()) };
        while giving_up.reader.position() < giving_up.until {
            if let Err(error) = self.leave_room_for_more() {
                self.giving_up = Some(giving_up);
                return Err(error);
            }
            match giving_up.reader.try_next() {
                Ok(Some(chunk)) if chunk.position < giving_up.until => {
                    self.lines.hand_over(&chunk, &giving_up.files);
                }
                Ok(_) => break,
                Err(error) => {
                    // Some of it is handed over, and the lines of all are in memory: only the checkpoint is certain.
                    self.abandon_after(&error);
                    return Err(error.into());
                }
            }
        }
        self.lines.end_handing_over();
        for path in giving_up.files.keys() {
            self.archive.forget_lines(path);
        }
        if let Some(give_up) = self.lines.give_up() {
            give_up.gave_up(&giving_up.files);
        }
        Ok(())
    }

    /// Whether everything that was handed over is durable elsewhere.
    fn settle(&mut self) -> Result<(), DeliveryError> {
        let Some(give_up) = self.lines.give_up() else { return Ok(()) };
        match give_up.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => Err(DeliveryError::GiveUp(error)),
            Poll::Pending => Err(DeliveryError::HandingOver),
        }
    }

    /// Whether more may be handed over.
    pub(super) fn leave_room_for_more(&mut self) -> Result<(), DeliveryError> {
        match self.settle() {
            Err(DeliveryError::HandingOver) if !self.lines.give_up().is_some_and(|it| it.is_full()) => Ok(()),
            settled => settled,
        }
    }

    /// Where the journal of what was given up is full, what it holds for this output may be all that is in the way.
    pub(super) fn let_go_of_what_was_given_up(&mut self) {
        let position = self.cursor.saved().position;
        let is_full = |status: &watch::Receiver<Status>| status.borrow().is_waiting();
        if self.given_up_status.as_ref().is_some_and(is_full)
            && let Some(give_up) = self.lines.give_up()
        {
            give_up.saved(position);
        }
    }

    /// Waits until what was handed over is durable elsewhere, or there is something else to do; `false` where the output was
    /// told to stop and has no more time.
    pub(super) fn wait_for_hand_over(&mut self, controls: &mut Controls) -> bool {
        let stopping = controls.stop.is_cancelled();
        if stopping {
            self.patience_ends.get_or_insert_with(|| Instant::now() + controls.stop_patience);
        }
        let patience_ends = self.patience_ends;
        let (give_up, skips, id) = (self.lines.give_up(), &mut self.skips, &self.options.id);
        controls.runtime.clone().block_on(async {
            tokio::select! {
                () = settled(give_up) => {}
                () = controls.stop.cancelled(), if !stopping => {}
                Ok(()) = skips.changed() => {}
                () = sleep_until(patience_ends.unwrap_or_else(Instant::now)), if patience_ends.is_some() => {
                    return false;
                }
                () = sleep(SLOW) => tracing::error!(
                    output = id,
                    "what a file output gives up can't be written to DATA_DIR/given-up: the output waits, and everything is \
                     kept in the journal. Check free space there, and whether the dead letters and the secondary output \
                     get on"
                ),
            }
            true
        })
    }

    /// [`finish`](Self::finish), after some time for what was handed over.
    pub(super) fn finish_handing_over(&mut self, controls: &mut Controls) -> Result<(), OutputError> {
        while let Err(DeliveryError::HandingOver) = self.save_all() {
            if !self.wait_for_hand_over(controls) {
                break;
            }
        }
        self.finish()
    }
}

/// Resolves once what was handed over is durable, or can't be; never where nothing was.
pub(super) async fn settled(give_up: Option<&mut GiveUp>) {
    match give_up.filter(|give_up| give_up.is_pending()) {
        // Whatever it is, it is asked for once more.
        Some(give_up) => drop(poll_fn(|context| give_up.poll(context)).await),
        None => std::future::pending().await,
    }
}

/// Resolves when a journal has another status; never where there is none.
pub(super) async fn changed(status: &mut Option<watch::Receiver<Status>>) {
    if let Some(status) = status
        && status.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}
