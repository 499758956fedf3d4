//! Everything that the stages read besides pictures.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::concepts::{Concepts, imagenet};
use super::names::{Vocabulary, Withheld};
use super::space::Space;
use super::vectors::{MiniLm, read_named, read_npz};
use super::wordnet::WordNet;
use crate::checkpoint::read_file;
use crate::error::{Error, Kind, Result};
use crate::tokenize::KnownWords;

const MAX_BYTES: u64 = 64 << 20;

/// Which classes of the teacher teach the projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TeacherRows {
    /// All: what ships.
    Complete,
    /// Those of withheld names left out: what new names are measured with.
    WithoutWithheld,
}

/// Where things lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorpusPaths {
    /// The folder of `vocabulary.tsv`, `imagenet1000.txt`, CLIP's and MiniLM's vectors.
    pub names: PathBuf,
    /// More of CLIP's vectors.
    pub more_vectors: Option<PathBuf>,
    /// The folder of WordNet's `index.noun` and `data.noun`.
    pub wordnet: PathBuf,
    /// CLIP's whole `tokenizer.json`.
    pub tokenizer: PathBuf,
}

/// Names, kinship and vectors.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// All names.
    pub vocabulary: Vocabulary,
    /// The teacher's classes.
    pub classes: Vec<String>,
    /// Kinship.
    pub wordnet: WordNet,
    /// Nouns, captions, templates.
    pub minilm: MiniLm,
    /// The space of targets.
    pub space: Space,
    /// Names that are withheld.
    pub withheld: Withheld,
    /// CLIP's whole tokenizer.
    pub tokenizer: Vec<u8>,
    /// SHA-256 of all files.
    pub digest: String,
}

impl Corpus {
    /// Reads everything.
    ///
    /// # Errors
    /// Those of the files.
    pub fn read(paths: &CorpusPaths) -> Result<Self> {
        let names = |name: &str| paths.names.join(name);
        let mut hash = Sha256::new();
        let mut bytes = |path: &Path| {
            let bytes = read_file(path, MAX_BYTES, Kind::Io)?;
            hash.update(&bytes);
            Ok::<_, Error>(bytes)
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let vocabulary = Vocabulary::parse(&text(bytes(&names("vocabulary.tsv"))?))?;
        let classes = imagenet(&text(bytes(&names("imagenet1000.txt"))?))?;
        let index = text(bytes(&paths.wordnet.join("index.noun"))?);
        let data = text(bytes(&paths.wordnet.join("data.noun"))?);
        let wordnet = WordNet::parse(&index, &data)?;
        let clip_path = names("clip_vitb32_text_names.npz");
        bytes(&clip_path)?;
        bytes(&names("minilm.safetensors"))?;
        let tokenizer = bytes(&paths.tokenizer)?;
        let more = match &paths.more_vectors {
            Some(path) => {
                bytes(path)?;
                Some(read_named(path)?)
            }
            None => None,
        };
        let minilm = MiniLm::read(&paths.names)?;
        let space = Space::new(&read_npz(&clip_path)?, more.as_ref(), &minilm)?;
        let digest: String = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            withheld: Withheld::new(&vocabulary, &wordnet),
            vocabulary,
            classes,
            wordnet,
            minilm,
            space,
            tokenizer,
            digest,
        })
    }

    /// The words that the text tower reads: those of names, classes, nouns and captions.
    pub fn words(&self) -> KnownWords {
        let names = self.vocabulary.names.iter();
        let names = names.flat_map(|name| [&name.text].into_iter().chain(&name.aliases));
        let more = self.classes.iter().chain(&self.minilm.nouns.names);
        let captions = self.minilm.captions.iter().map(|(_, caption)| caption);
        let texts = names
            .chain(more)
            .chain(self.space.clip_names())
            .chain(captions);
        KnownWords::of(texts.map(String::as_str))
    }

    /// The names that pictures are compared with.
    pub fn concepts(&self, rows: TeacherRows) -> Concepts {
        let withheld = match rows {
            TeacherRows::Complete => None,
            TeacherRows::WithoutWithheld => Some(&self.withheld),
        };
        Concepts::new(&self.vocabulary, &self.classes, withheld)
    }
}
