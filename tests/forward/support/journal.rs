//! A journal that does what the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hikyaku::chunk::Chunk;
use hikyaku::input::ChunkSink;
use hikyaku::journal::large::{LargeEntries, SpoolFolder};
use hikyaku::journal::{AppendError, Appended, QueueRoom, Receipt};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

#[derive(Clone)]
pub(crate) struct ScriptedJournal {
    room: Arc<Semaphore>,
    taken: mpsc::UnboundedSender<Taken>,
    chunks: Arc<Mutex<mpsc::UnboundedReceiver<Taken>>>,
    refusal: Option<AppendError>,
    spools: SpoolFolder,
    queue_room: QueueRoom,
    /// How many chunks were taken.
    count: Arc<AtomicU64>,
    _data_dir: Arc<tempfile::TempDir>,
}

/// A chunk that was taken, and what resolves its receipt.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) chunk: Chunk,
    /// The entries of a large chunk.
    pub(crate) large: Option<LargeEntries>,
    receipt: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Taken {
    pub(crate) fn durable(self) -> Chunk {
        self.resolve(Ok(Appended::Written))
    }

    pub(crate) fn resolve(self, result: Result<Appended, AppendError>) -> Chunk {
        self.receipt.send(result).unwrap();
        self.chunk
    }

    pub(crate) fn id(&self) -> &[u8] {
        self.chunk.id.as_ref().unwrap()
    }
}

impl ScriptedJournal {
    /// With room for everything.
    pub(crate) fn new() -> Self {
        Self::with_room(Semaphore::MAX_PERMITS)
    }

    /// With room for so many chunks, until [`ScriptedJournal::make_room`].
    pub(crate) fn with_room(room: usize) -> Self {
        let (taken, chunks) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(room));
        let data_dir = Arc::new(tempfile::tempdir().unwrap());
        let spools = SpoolFolder::new(data_dir.path());
        spools.prepare().unwrap();
        Self {
            room,
            taken,
            chunks: Arc::new(Mutex::new(chunks)),
            refusal: None,
            spools,
            queue_room: QueueRoom::default(),
            count: Arc::default(),
            _data_dir: data_dir,
        }
    }

    pub(crate) fn refusing(error: AppendError) -> Self {
        Self { refusal: Some(error), ..Self::new() }
    }

    pub(crate) fn make_room(&self, chunks: usize) {
        self.room.add_permits(chunks);
    }

    /// The next chunk that was taken.
    pub(crate) async fn next(&self) -> Taken {
        self.chunks.lock().await.recv().await.unwrap()
    }

    pub(crate) async fn nothing_comes(&self) {
        let next = tokio::time::timeout(super::client::NOTHING, self.next()).await;
        assert!(next.is_err(), "taken too early: {next:?}");
    }
}

impl ScriptedJournal {
    async fn take(&self, chunk: Chunk, large: Option<LargeEntries>) -> Result<Receipt, AppendError> {
        if let Some(error) = &self.refusal {
            return Err(error.clone());
        }
        self.room.acquire().await.unwrap().forget();
        self.count.fetch_add(1, Ordering::Relaxed);
        let (sender, receipt) = Receipt::channel();
        self.taken.send(Taken { chunk, large, receipt: sender }).unwrap();
        Ok(receipt)
    }
}

impl ChunkSink for ScriptedJournal {
    async fn append(&self, chunk: Chunk) -> Result<Receipt, AppendError> {
        self.take(chunk, None).await
    }

    async fn append_large(&self, chunk: Chunk, entries: LargeEntries) -> Result<Receipt, AppendError> {
        self.take(chunk, Some(entries)).await
    }

    fn queue_room(&self) -> &QueueRoom {
        &self.queue_room
    }

    fn spools(&self) -> &SpoolFolder {
        &self.spools
    }

    fn taken(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
