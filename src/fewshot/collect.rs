//! Unlabeled files to examples.

use super::photos::{Source, Taken, examples, others};
use crate::classifier::Classifier;
use crate::dataset::DataSet;
use crate::error::{Error, Kind, Result};
use crate::evaluate::Failure;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::gather::gather;
use crate::prompt_learning::job::Note;
use pollster::block_on;

/// What unlabeled images gave.
#[derive(Debug)]
pub struct Collected {
    /// Examples of the classes; none where no image was like enough.
    pub own: Option<Examples>,
    /// Images of none of the classes.
    pub others: Option<Examples>,
    /// How many there are of each kind.
    pub notes: Vec<Note>,
    /// Images that could not be read.
    pub failures: Vec<Failure>,
}

/// Labels every image of `data` that `source` names by the classes `names` and the words `negatives`,
/// whatever folder it lies in, and keeps at most `per_class` of each class.
///
/// # Errors
/// `data/unknown-split`, and those of [`examples`] and [`gather`]; `data/empty` where no image was
/// labeled.
pub fn collected(
    model: &Classifier,
    data: &DataSet,
    (names, negatives): (&[String], &[String]),
    per_class: usize,
    source: &Source,
    observe: &(dyn Fn(usize, usize) + Sync),
) -> Result<Collected> {
    let items = others(data, &[], source)?;
    let Taken { examples, failures } = examples(model, data, &items, 1, source, observe)?;
    let found = block_on(gather(model, names, negatives, &examples, per_class))?;
    let (own, others) = found.split(&examples)?;
    if own.is_none() && others.is_none() {
        return Err(Error::new(
            Kind::DataEmpty,
            "None of the images is like any class or any negative label; give negative labels.",
        ));
    }
    let classes = (0..names.len()).filter(|k| found.own.iter().any(|(_, class)| class == k));
    let notes = vec![
        Note::new("collected for the classes", found.own.len() as f64),
        Note::new("classes with collected images", classes.count() as f64),
        Note::new("collected as others", found.others.len() as f64),
        Note::new(
            "left out, as their class has enough",
            found.surplus.len() as f64,
        ),
    ];
    Ok(Collected {
        own,
        others,
        notes,
        failures,
    })
}
