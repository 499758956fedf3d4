//! Making the built-in model, on small inputs: what is withheld, targets, the tower, going on.

mod descent;
mod names;
mod targets;
mod tokenizer;

use promptlens::pretrain::lit::concepts::Concepts;
use promptlens::pretrain::lit::names::{Vocabulary, Withheld};
use promptlens::pretrain::lit::space::{Space, concept_vectors};
use promptlens::pretrain::lit::text_targets::{Sources, TextTargets, text_targets};
use promptlens::pretrain::lit::vectors::{MiniLm, Table};
use promptlens::pretrain::lit::wordnet::WordNet;
use promptlens::rng::Rng;

/// A vocabulary with a kind above others, a merged name, an alias, and two withheld names.
pub const VOCABULARY: &str = "name\tuse\ttrain\ttest\tnear_ood\tsources\taliases\tis_a\tclip_vector_name\tsame_as\n\
    dog\tknown\t9\t1\t0\ta\t\tanimal\tdog\t\n\
    beagle\tknown\t9\t1\t0\ta\thound dog\tdog;animal\t\t\n\
    rose\tknown\t9\t1\t0\ta\t\tflower\trose\t\n\
    roses\tknown\t9\t1\t0\ta\t\t\t\trose\n\
    car\tknown\t9\t1\t0\ta\tautomobile\tvehicle\tcar\t\n\
    flute\ttext_only\t0\t0\t0\t\t\t\tflute\t\n\
    trumpet\tnear_ood_dev\t0\t0\t9\ta\t\tmusical instrument\ttrumpet\t\n\
    limousine\tnear_ood_held\t0\t0\t0\t\tlimo\tcar;vehicle\tlimousine\t\n";

/// Kinship: cornet and trumpet are one thing; a tabby is a cat, a beagle a dog.
pub fn wordnet() -> WordNet {
    let index = "trumpet n 1 0 1 0 00000001\ncornet n 1 0 1 0 00000001\n\
        tabby n 1 0 1 0 00000002\ncat n 1 0 1 0 00000003\nbeagle n 1 0 1 0 00000004\n\
        dog n 1 0 1 0 00000005\nanimal n 1 0 1 0 00000006\n";
    let data = "00000001 06 n 02 trumpet 0 cornet 0 000 | brass\n\
        00000002 05 n 01 tabby 0 001 @ 00000003 n 0000 | striped\n\
        00000003 05 n 01 cat 0 001 @ 00000006 n 0000 | it purrs\n\
        00000004 05 n 01 beagle 0 001 @ 00000005 n 0000 | it hunts\n\
        00000005 05 n 01 dog 0 001 @ 00000006 n 0000 | it barks\n\
        00000006 05 n 01 animal 0 000 | it lives\n";
    WordNet::parse(index, data).unwrap()
}

/// Classes of a teacher: known ones by name and alias, others, and three that are withheld.
pub fn classes() -> Vec<String> {
    [
        "beagle",
        "automobile",
        "tench",
        "cornet",
        "stretch limousine",
        "trumpet",
        "tabby",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Columns of the small joint space.
pub const WIDTH: usize = 24;

fn table(names: &[&str], width: usize, seed: u64) -> Table {
    let mut rng = Rng::new(seed);
    let rows = (0..names.len() * width)
        .map(|_| rng.normal() as f32)
        .collect();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Table::new(&names, rows, width)
}

/// Everything that targets are made from.
pub struct Small {
    pub vocabulary: Vocabulary,
    pub wordnet: WordNet,
    pub classes: Vec<String>,
    pub minilm: MiniLm,
    pub space: Space,
    pub withheld: Withheld,
}

impl Small {
    pub fn new() -> Self {
        let vocabulary = Vocabulary::parse(VOCABULARY).unwrap();
        let wordnet = wordnet();
        let clip = table(
            &[
                "dog",
                "rose",
                "car",
                "flute",
                "trumpet",
                "limousine",
                "cat",
                "animal",
            ],
            WIDTH,
            1,
        );
        let nouns = [
            "dog",
            "beagle",
            "rose",
            "car",
            "flute",
            "trumpet",
            "limousine",
            "cat",
            "animal",
            "tabby",
            "tench",
            "river",
            "cornet",
        ];
        let templates = ["a blurry photo of {}", "a dark photo of {}", "a toy {0}"];
        let mut rng = Rng::new(9);
        let minilm = MiniLm {
            nouns: table(&nouns, 8, 2),
            captions: vec![
                ("train/1.jpg".to_owned(), "A dog runs by a car".to_owned()),
                (
                    "train/2.jpg".to_owned(),
                    "A man plays the trumpet".to_owned(),
                ),
            ],
            caption_rows: (0..16).map(|_| rng.normal() as f32).collect(),
            templates: templates.map(|t| (String::new(), t.to_owned())).to_vec(),
            shifts: (0..24).map(|_| rng.normal() as f32).collect(),
        };
        Self {
            space: Space::new(&clip, None, &minilm).unwrap(),
            withheld: Withheld::new(&vocabulary, &wordnet),
            classes: classes(),
            vocabulary,
            wordnet,
            minilm,
        }
    }

    pub fn concepts(&self, withheld: bool) -> Concepts {
        let withheld = withheld.then_some(&self.withheld);
        Concepts::new(&self.vocabulary, &self.classes, withheld)
    }

    pub fn targets(&self) -> TextTargets {
        let concepts = self.concepts(true);
        let (anchors, _) = concept_vectors(&self.space, &concepts, &self.vocabulary, &self.wordnet);
        text_targets(&Sources {
            space: &self.space,
            concepts: &concepts,
            anchors: &anchors,
            vocabulary: &self.vocabulary,
            classes: &self.classes,
            wordnet: &self.wordnet,
            minilm: &self.minilm,
        })
    }
}
