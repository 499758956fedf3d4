//! A context that every image shifts: v_m + a π(f), the same shift for all m (CoCoOp, Zhou et al.,
//! 2022).

use std::sync::Arc;

use super::context::{CONTEXT, check_width, load_layout, save_layout};
use super::{Head, Kind, Weights, invalid, scaled_cosines};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::math::UnitRows;
use crate::math::perceptron::Perceptron;
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::PromptModel;

const WEIGHT1: &str = "condition.weight1";
const BIAS1: &str = "condition.bias1";
const WEIGHT2: &str = "condition.weight2";
const BIAS2: &str = "condition.bias2";
const STRENGTH: &str = "strength";

/// The kind.
pub const KIND: Kind = Kind {
    name: "conditional",
    required: &[CONTEXT, WEIGHT1, BIAS1, WEIGHT2, BIAS2],
    optional: &[],
    load: |file| Ok(Box::new(ConditionalContext::load(file)?)),
};

/// The most classes that can be encoded again for every image.
pub const MAX_CLASSES: usize = 50;

/// Refuses more classes than can be encoded again for every image.
///
/// # Errors
/// `options/invalid`.
pub fn check_classes(classes: usize) -> Result<()> {
    if classes <= MAX_CLASSES {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::OptionInvalid,
        format!(
            "A prompt that depends on the image encodes every class again for each; use it with at most {MAX_CLASSES} classes."
        ),
    ))
}

/// How an image shifts the context, over one flat list of parameters: v [M, W], then those of π.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditional {
    /// How many numbers v has.
    pub context: usize,
    /// π, the meta-net: d -> hidden -> W.
    pub network: Perceptron,
    /// a, the weight of the shift.
    pub strength: f64,
}

impl Conditional {
    /// The context [M, W] of an image with unit feature `image` [d].
    pub fn context(&self, parameters: &[f32], image: &[f64]) -> Vec<f32> {
        let (v, network) = parameters.split_at(self.context);
        let mut out = v.to_vec();
        if self.strength == 0.0 {
            return out;
        }
        let shift = self.network.forward(network, image).output;
        for row in out.chunks_exact_mut(self.network.output) {
            for (v, s) in row.iter_mut().zip(&shift) {
                *v = (f64::from(*v) + self.strength * s) as f32;
            }
        }
        out
    }
}

/// The context and the network that shifts it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionalContext {
    /// The order of vectors and name; `assigned` is not used.
    pub layout: PromptLayout,
    /// How an image shifts the context.
    pub condition: Conditional,
    /// Its parameters.
    pub parameters: Vec<f32>,
}

/// The tensors of the network in the order of its parameters.
fn tensors(network: &Perceptron) -> [(&'static str, Vec<usize>); 4] {
    let Perceptron {
        input,
        hidden,
        output,
    } = *network;
    [
        (WEIGHT1, vec![hidden, input]),
        (BIAS1, vec![hidden]),
        (WEIGHT2, vec![output, hidden]),
        (BIAS2, vec![output]),
    ]
}

impl ConditionalContext {
    fn load(file: &Prompt) -> Result<Self> {
        let (Some(context), Some(first)) = (file.get(CONTEXT, 2)?, file.get(WEIGHT1, 2)?) else {
            return Err(invalid("it has no context for all classes"));
        };
        let network = Perceptron {
            input: first.shape[1],
            hidden: first.shape[0],
            output: context.shape[1],
        };
        let mut parameters = context.data.clone();
        for (name, shape) in tensors(&network) {
            let values = file.shaped(name, &shape)?;
            parameters.extend(values.ok_or_else(|| invalid("its network is not whole"))?);
        }
        Ok(Self {
            layout: load_layout(file, context.shape[0])?,
            condition: Conditional {
                context: context.data.len(),
                network,
                strength: file.number(STRENGTH)?,
            },
            parameters,
        })
    }
}

impl Weights for ConditionalContext {
    fn save(&self, file: &mut Prompt) {
        save_layout(&self.layout, file);
        let Conditional {
            context,
            network,
            strength,
        } = self.condition;
        let (v, mut rest) = self.parameters.split_at(context);
        file.put(CONTEXT, &[self.layout.rows(), network.output], v.to_vec());
        for (name, shape) in tensors(&network) {
            let (values, after) = rest.split_at(shape.iter().product());
            file.put(name, &shape, values.to_vec());
            rest = after;
        }
        file.note(STRENGTH, strength);
    }

    fn open<'a>(
        &'a self,
        _: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            check_classes(names.len())?;
            let Conditional {
                context, network, ..
            } = self.condition;
            check_width(model, &self.parameters[..context], 1, &self.layout)?;
            if network.input != model.dim() {
                return Err(invalid(
                    "its network is not as wide as the model's features",
                ));
            }
            Ok(Arc::new(ConditionalHead {
                names: names.to_vec(),
                prompt: self.clone(),
            }) as Arc<dyn Head>)
        })
    }
}

/// A prompt that is encoded again for every image.
#[derive(Debug)]
struct ConditionalHead {
    names: Vec<String>,
    prompt: ConditionalContext,
}

impl ConditionalHead {
    /// Unit text features [K, d] under one context.
    async fn texts(&self, model: &dyn PromptModel, context: &[f32]) -> Result<Vec<f64>> {
        let mut side = model.text_side(&self.names, &self.prompt.layout)?;
        let features = side.forward(context).await?;
        Ok(UnitRows::new(&features, model.dim()).values)
    }
}

impl Head for ConditionalHead {
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        Box::pin(async move {
            let ConditionalContext {
                condition,
                parameters,
                ..
            } = &self.prompt;
            let context = condition.context(parameters, image);
            let texts = self.texts(model, &context).await?;
            Ok(scaled_cosines(model, image, &texts))
        })
    }

    /// Those of the context that no image has shifted.
    fn centers<'a>(&'a self, model: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        let context = &self.prompt.parameters[..self.prompt.condition.context];
        Box::pin(self.texts(model, context))
    }
}
