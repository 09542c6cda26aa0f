//! Which files chunks would be written to, by the code that a server runs, but for the disk.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::path::PathBuf;

use crate::config::{Config, FileOutputConfig, OutputConfig, OutputKind};
use crate::journal::StoredChunk;
use crate::output::inflater::Inflater;
use crate::pipeline::template::PathRenderer;
use crate::pipeline::{Pipeline, Selector, Source};
use crate::wire::compression::InflateError;

/// The files of one output, and how many lines each would get.
#[derive(Debug)]
pub struct FilePreview {
    selector: Selector,
    paths: PathRenderer,
    inflater: Inflater,
    key: Vec<u8>,
    /// By what the path is made of: the place among the files.
    known: HashMap<Box<[u8]>, PathBuf>,
    files: BTreeMap<PathBuf, u64>,
}

impl FilePreview {
    /// For the output with this id of a configuration; `None` where it is none of files.
    pub fn new(config: &Config, output_id: &str) -> Option<Self> {
        let output = config.outputs.iter().find(|output| output.id == output_id)?;
        let OutputConfig { kind: OutputKind::File(file), .. } = output else { return None };
        let FileOutputConfig { path, path_characters, timezone, .. } = &**file;
        let pipeline = Pipeline::new(&config.filters, &config.outputs, &config.server.name);
        Some(Self {
            selector: pipeline.with_inputs(&config.inputs).selector(output_id)?,
            paths: PathRenderer::new(path, path_characters, timezone.clone()),
            inflater: Inflater::default(),
            key: Vec::new(),
            known: HashMap::new(),
            files: BTreeMap::new(),
        })
    }

    /// Counts the lines of a chunk of the journal.
    ///
    /// # Errors
    ///
    /// Where its entries do not inflate.
    pub fn take(&mut self, chunk: &StoredChunk) -> Result<(), InflateError> {
        let Self { selector, paths, inflater, key, known, files } = self;
        let selector = selector.at(chunk.position);
        if chunk.is_refused() || chunk.is_handed_over() || !selector.wants(chunk.input(), chunk.tag()) {
            return Ok(());
        }
        let entries = inflater.entries(chunk)?;
        let alternative_names: Vec<_> = chunk.alternative_names().collect();
        let source = Source::of(chunk, &alternative_names);
        let taken = selector.for_each_from(&source, chunk.first_index(), entries, |event| {
            paths.render_key(event, key);
            let path = match known.get(key.as_slice()) {
                Some(path) => path,
                None => known.entry(key.as_slice().into()).or_insert_with(|| paths.render_path(event)),
            };
            match files.get_mut(path) {
                Some(lines) => *lines += 1,
                None => {
                    files.insert(path.clone(), 1);
                }
            }
            Ok::<(), Infallible>(())
        });
        let Ok(_tally) = taken;
        Ok(())
    }

    /// The files, in the order of their paths, each with its lines.
    pub fn files(&self) -> &BTreeMap<PathBuf, u64> {
        &self.files
    }
}
