//! A text tower that is arithmetic on letters: what prompts need of a model.

use promptlens::error::Result;
use promptlens::progress::LocalBoxFuture;
use promptlens::prompt::import::Vocabulary;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::{PromptModel, TextSide};

/// d, the columns of a feature.
pub const DIM: usize = 4;
/// W, the columns of a context vector.
pub const WIDTH: usize = 8;
/// Its weights' SHA-256, so to speak.
pub const SHA256: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
const CONTEXT_LENGTH: usize = 16;

pub struct WordsModel;

/// Numbers between -1 and 1 that depend on the text.
fn numbers(text: &str, count: usize) -> Vec<f32> {
    let seed = text
        .bytes()
        .fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
    (1..=count as u32)
        .map(|i| (seed.wrapping_mul(2 * i + 1) >> 8) as f32 / (1 << 23) as f32 - 1.0)
        .collect()
}

impl PromptModel for WordsModel {
    fn dim(&self) -> usize {
        DIM
    }

    fn width(&self) -> usize {
        WIDTH
    }

    fn logit_scale(&self) -> f32 {
        10.0
    }

    fn sha256(&self) -> &str {
        SHA256
    }

    fn context_length(&self) -> usize {
        CONTEXT_LENGTH
    }

    fn words(&self, text: &str) -> Result<Vec<f32>> {
        let words = text.split_whitespace();
        Ok(words.flat_map(|word| numbers(word, WIDTH)).collect())
    }

    fn tokens(&self, text: &str) -> Result<(usize, bool)> {
        let count = text.split_whitespace().count();
        let room = CONTEXT_LENGTH - 2;
        Ok((count.min(room), count > room))
    }

    fn features<'a>(&'a self, texts: &'a [String]) -> LocalBoxFuture<'a, Vec<f32>> {
        let all = texts.iter().flat_map(|text| numbers(text, DIM)).collect();
        Box::pin(std::future::ready(Ok(all)))
    }

    fn text_side<'a>(
        &'a self,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Box<dyn TextSide + 'a>> {
        Ok(Box::new(Side {
            names: names.to_vec(),
            assigned: layout.assigned.clone(),
            length: layout.rows() * WIDTH,
        }))
    }
}

struct Side {
    names: Vec<String>,
    assigned: Option<Vec<usize>>,
    /// Values of a context.
    length: usize,
}

impl TextSide for Side {
    fn forward<'a>(&'a mut self, contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        let feature = |context: &[f32], name: &str| {
            let sum: f32 = context.iter().sum();
            numbers(name, DIM).into_iter().map(move |v| v + 0.01 * sum)
        };
        let all: Vec<&[f32]> = contexts.chunks_exact(self.length).collect();
        let out = match &self.assigned {
            Some(assigned) => {
                let pairs = assigned.iter().zip(&self.names);
                pairs.flat_map(|(c, name)| feature(all[*c], name)).collect()
            }
            None => {
                let names = &self.names;
                let of = |context| names.iter().flat_map(move |name| feature(context, name));
                all.into_iter().flat_map(of).collect()
            }
        };
        Box::pin(std::future::ready(Ok(out)))
    }

    fn backward<'a>(&'a mut self, _: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        unreachable!("nothing is trained here")
    }
}

impl Vocabulary for WordsModel {
    fn start(&self) -> Vec<f32> {
        vec![0.5; WIDTH]
    }

    fn read(&self, rows: &[f32], near: f64) -> Option<String> {
        let first = rows.first()?;
        (f64::from(first.abs()) > near).then(|| format!("name {}", rows.len() / WIDTH))
    }
}
