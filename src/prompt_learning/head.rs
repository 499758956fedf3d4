//! Answers from a learned prompt.

use super::cache::{Cache, Likeness};
use super::job::{Model, encode, mean_texts};
use super::own_contexts::class_contexts_or_mean;
use super::parametrizations::{Conditional, Gate};
use super::perceptron::Perceptron;
use super::unlabeled::predictions;
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::math::argmax;
use crate::math::dot;
use crate::prompt::file::{EARLIER_CONTEXTS, Prompt, Values};
use crate::prompt::layout::PromptLayout;
use crate::prompt::template::{DEFAULT, Template};

/// The most images for which one prompt per image is worth its time.
pub const MAX_CONDITIONAL_CLASSES: usize = 50;

/// A prompt in use on a list of names.
#[derive(Debug, Clone)]
pub enum Head {
    /// One text feature per class [K, d]; a mean of several is shorter than one.
    Texts(Vec<f64>),
    /// Text features and a cache of images.
    Cache(Vec<f64>, Cache),
    /// Several text features per class [G, K, d] that a gate weighs for every image.
    Gated(Vec<f64>, Gate, Vec<f32>),
    /// A context that depends on the image: how, its parameters, names and places.
    Conditional(Conditional, Vec<f32>, Vec<String>, PromptLayout),
}

fn invalid(what: &str) -> Error {
    Error::new(
        Kind::PromptInvalid,
        format!("The prompt cannot be used: {what}."),
    )
}

impl Head {
    /// Puts `prompt` to work on `names`, its own or others.
    ///
    /// # Errors
    /// `prompt/wrong-model`; `prompt/invalid` for tensors that do not fit the model; the device's
    /// errors.
    pub async fn open(prompt: &Prompt, model: &dyn Model, names: &[String]) -> Result<Self> {
        prompt.belongs_to(model.sha256())?;
        let (d, w) = (model.dim(), model.width());
        if let Some(values) = prompt.get("contexts", 3)? {
            let [sets, m, _] = extents(values, w)?;
            let texts = under(prompt, model, names, m, &values.data, None).await?;
            let Some(weights) = prompt.shaped("gate.weight", &[sets, d])? else {
                return Ok(Self::Texts(average(&texts, sets)));
            };
            let biases = prompt
                .shaped("gate.bias", &[sets])?
                .ok_or_else(|| invalid("its gate has no bias"))?;
            let gate = Gate {
                dim: d,
                experts: sets,
            };
            return Ok(Self::Gated(texts, gate, [weights, biases].concat()));
        }
        if let Some(values) = prompt.tensors.get("context") {
            if values.shape.len() == 3 {
                let [k, m, _] = extents(values, w)?;
                if k != prompt.class_names.len() {
                    return Err(invalid("it lacks the context of a class"));
                }
                let mut sets = vec![values.data.as_slice()];
                if let Some(earlier) = prompt.get(EARLIER_CONTEXTS, 3)? {
                    if !earlier.shape[0].is_multiple_of(k)
                        || earlier.shape[1..] != values.shape[1..]
                    {
                        return Err(invalid("its earlier contexts do not match the last"));
                    }
                    sets.extend(earlier.data.chunks_exact(values.data.len().max(1)));
                }
                let mut texts = Vec::new();
                for set in &sets {
                    let (contexts, assigned) =
                        class_contexts_or_mean(&prompt.class_names, names, set);
                    texts.extend(under(prompt, model, names, m, &contexts, Some(assigned)).await?);
                }
                return Ok(Self::Texts(mean_texts(&texts, names.len(), d)));
            }
            let [_, m, _] = extents(values, w)?;
            if let Some(first) = prompt.get("condition.weight1", 2)? {
                return conditional(prompt, first.shape[0], model, names, m, &values.data);
            }
            let texts = under(prompt, model, names, m, &values.data, None).await?;
            return Ok(Self::Texts(texts));
        }
        let texts = fixed(prompt, model, names).await?;
        match prompt.get("cache.keys", 2)? {
            Some(keys) => cached(prompt, keys, texts, d, names),
            None => Ok(Self::Texts(texts)),
        }
    }

    /// Logits [N, K] of unit image features [N, d].
    ///
    /// # Errors
    /// The device's, where the context depends on the image.
    pub async fn logits(&self, model: &dyn Model, images: &[f32]) -> Result<Vec<f64>> {
        let d = model.dim();
        let s = f64::from(model.logit_scale());
        let mut out = Vec::new();
        for image in images.chunks_exact(d) {
            let image: Vec<f64> = image.iter().map(|v| f64::from(*v)).collect();
            let plain = |texts: &[f64]| -> Vec<f64> {
                let rows = texts.chunks_exact(d);
                rows.map(|t| s * dot(&image, t)).collect()
            };
            match self {
                Self::Texts(texts) => out.extend(plain(texts)),
                Self::Cache(texts, cache) => {
                    let z = plain(texts);
                    let added = cache.logits(&image, texts, z.len());
                    out.extend(z.iter().zip(added).map(|(a, b)| a + b));
                }
                Self::Gated(texts, gate, parameters) => {
                    let shares = gate.shares(parameters, &image);
                    let all = plain(texts);
                    let k = all.len() / gate.experts;
                    out.extend((0..k).map(|class| {
                        let experts = shares.iter().enumerate();
                        experts.map(|(g, w)| w * all[g * k + class]).sum::<f64>()
                    }));
                }
                Self::Conditional(shape, parameters, names, layout) => {
                    let context = shape.context(parameters, &image);
                    let mut side = model.text_side(names, layout)?;
                    let features = side.forward(&context).await?;
                    out.extend(plain(&UnitRows::new(&features, d).values));
                }
            }
        }
        Ok(out)
    }

    /// One text feature per class [K, d] that stands for it whatever the image: the texts
    /// themselves, their mean over the experts, or those of a context that no image has shifted.
    ///
    /// # Errors
    /// The device's, where the context depends on the image.
    pub async fn centers(&self, model: &dyn Model) -> Result<Vec<f64>> {
        match self {
            Self::Texts(texts) | Self::Cache(texts, _) => Ok(texts.clone()),
            Self::Gated(texts, gate, _) => Ok(average(texts, gate.experts)),
            Self::Conditional(shape, parameters, names, layout) => {
                let mut side = model.text_side(names, layout)?;
                let features = side.forward(&parameters[..shape.context]).await?;
                Ok(UnitRows::new(&features, model.dim()).values)
            }
        }
    }

    /// Share of `images` [N, d] whose largest logit is at their label; 0 without images.
    ///
    /// # Errors
    /// Those of [`logits`](Self::logits).
    pub async fn accuracy(
        &self,
        model: &dyn Model,
        images: &[f32],
        labels: &[usize],
    ) -> Result<f64> {
        let logits = self.logits(model, images).await?;
        let k = logits.len() / labels.len().max(1);
        let hits = logits
            .chunks_exact(k.max(1))
            .zip(labels)
            .filter(|(z, y)| argmax(z) == **y)
            .count();
        Ok(hits as f64 / labels.len().max(1) as f64)
    }
}

/// [sets, vectors, W] of a context tensor of two or three dimensions.
fn extents(values: &Values, width: usize) -> Result<[usize; 3]> {
    let found = match values.shape[..] {
        [m, w] => [1, m, w],
        [c, m, w] => [c, m, w],
        _ => return Err(invalid("its context has one dimension")),
    };
    if found[2] == width {
        Ok(found)
    } else {
        Err(invalid("its vectors are not as wide as the model's"))
    }
}

/// Unit features [C, K, d] of `names` under `contexts`.
async fn under(
    prompt: &Prompt,
    model: &dyn Model,
    names: &[String],
    rows: usize,
    contexts: &[f32],
    assigned: Option<Vec<usize>>,
) -> Result<Vec<f64>> {
    let layout = PromptLayout {
        assigned,
        ..prompt.layout(rows)?
    };
    let mut side = model.text_side(names, &layout)?;
    let features = side.forward(contexts).await?;
    Ok(UnitRows::new(&features, model.dim()).values)
}

/// The mean over `sets` of [sets, K, d], not scaled.
fn average(texts: &[f64], sets: usize) -> Vec<f64> {
    let mut out = vec![0.0; texts.len() / sets];
    for set in texts.chunks_exact(out.len()) {
        out.iter_mut()
            .zip(set)
            .for_each(|(o, v)| *o += v / sets as f64);
    }
    out
}

/// The stored features of known names, and those of the prompt's templates for others, [K, d].
async fn fixed(prompt: &Prompt, model: &dyn Model, names: &[String]) -> Result<Vec<f64>> {
    let d = model.dim();
    let stored = prompt
        .shaped("text_features", &[prompt.class_names.len(), d])?
        .ok_or_else(|| invalid("it has neither a context nor text features"))?;
    let row = |name: &String| prompt.class_names.iter().position(|known| known == name);
    let new: Vec<String> = names.iter().filter(|n| row(n).is_none()).cloned().collect();
    let mut fresh = Vec::new();
    if !new.is_empty() {
        let templates = match prompt.extra.get("templates") {
            Some(json) => serde_json::from_str(json)
                .map_err(|_| invalid("its templates are no list of sentences"))?,
            None => vec![DEFAULT[0].to_owned()],
        };
        let mut all = Vec::new();
        for template in Template::parse_all(&templates)? {
            let features = encode(model, &template, &new).await?;
            all.extend(UnitRows::new(&features, d).values);
        }
        fresh = mean_texts(&all, new.len(), d);
    }
    let mut fresh = fresh.chunks_exact(d);
    let mut texts = Vec::with_capacity(names.len() * d);
    for name in names {
        match row(name) {
            Some(k) => texts.extend(stored[k * d..(k + 1) * d].iter().map(|v| f64::from(*v))),
            None => texts.extend(fresh.next().into_iter().flatten()),
        }
    }
    Ok(texts)
}

fn conditional(
    prompt: &Prompt,
    hidden: usize,
    model: &dyn Model,
    names: &[String],
    rows: usize,
    context: &[f32],
) -> Result<Head> {
    check_conditional(names.len())?;
    let network = Perceptron {
        input: model.dim(),
        hidden,
        output: model.width(),
    };
    let mut parameters = context.to_vec();
    for (name, shape) in [
        ("condition.weight1", vec![hidden, network.input]),
        ("condition.bias1", vec![hidden]),
        ("condition.weight2", vec![network.output, hidden]),
        ("condition.bias2", vec![network.output]),
    ] {
        let values = prompt.shaped(name, &shape)?;
        parameters.extend(values.ok_or_else(|| invalid("its network is not whole"))?);
    }
    let shape = Conditional {
        context: context.len(),
        network,
        strength: number(prompt, "strength")?,
    };
    let layout = prompt.layout(rows)?;
    Ok(Head::Conditional(shape, parameters, names.to_vec(), layout))
}

/// Refuses more classes than can be encoded anew for every image.
///
/// # Errors
/// `options/invalid`.
pub fn check_conditional(classes: usize) -> Result<()> {
    if classes <= MAX_CONDITIONAL_CLASSES {
        return Ok(());
    }
    Err(Error::new(
        Kind::OptionInvalid,
        format!(
            "A prompt that depends on the image encodes every class again for each; use it with at most {MAX_CONDITIONAL_CLASSES} classes."
        ),
    ))
}

fn cached(
    prompt: &Prompt,
    keys: &Values,
    texts: Vec<f64>,
    d: usize,
    names: &[String],
) -> Result<Head> {
    let count = keys.shape[0];
    let classes = prompt
        .shaped("cache.classes", &[count])?
        .ok_or_else(|| invalid("its cache does not name the classes of its images"))?;
    if keys.shape[1] != d {
        return Err(invalid("its cache is not as wide as the model's features"));
    }
    let mut kept = Vec::new();
    let mut rows = Vec::new();
    for (key, class) in keys.data.chunks_exact(d).zip(classes) {
        let name = prompt
            .class_names
            .get(*class as usize)
            .filter(|_| *class >= 0.0)
            .ok_or_else(|| invalid("its cache names a class that it does not have"))?;
        // Images of classes that are not asked for have nothing to say.
        if let Some(k) = names.iter().position(|n| n == name) {
            kept.push(k);
            rows.extend(key.iter().map(|v| f64::from(*v)));
        }
    }
    let likeness = match prompt.extra.get("likeness").map(String::as_str) {
        Some("predictions") => {
            let own = rows
                .chunks_exact(d)
                .flat_map(|key| predictions(key, &texts));
            Likeness::Predictions(own.collect())
        }
        _ => Likeness::Cosine,
    };
    let cache = Cache {
        keys: rows,
        classes: kept,
        alpha: number(prompt, "alpha")?,
        beta: number(prompt, "beta")?,
        likeness,
    };
    Ok(Head::Cache(texts, cache))
}

/// A number in the prompt's metadata.
fn number(prompt: &Prompt, name: &str) -> Result<f64> {
    let value = prompt.extra.get(name).and_then(|v| v.parse::<f64>().ok());
    value
        .filter(|v| v.is_finite())
        .ok_or_else(|| invalid(&format!("its {name} is no number")))
}

/// Adds a cache to a prompt of text features.
pub fn keep_cache(prompt: &mut Prompt, cache: &Cache, d: usize) {
    let count = cache.classes.len();
    let keys = cache.keys.iter().map(|v| *v as f32).collect();
    prompt.put("cache.keys", &[count, d], keys);
    let classes = cache.classes.iter().map(|c| *c as f32).collect();
    prompt.put("cache.classes", &[count], classes);
    let likeness = match cache.likeness {
        Likeness::Cosine => "cosine",
        Likeness::Predictions(_) => "predictions",
    };
    let extra = [
        ("alpha", cache.alpha.to_string()),
        ("beta", cache.beta.to_string()),
        ("likeness", likeness.to_owned()),
    ];
    prompt
        .extra
        .extend(extra.map(|(name, value)| (name.to_owned(), value)));
}
