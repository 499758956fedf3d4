//! A context for all names, and adapters behind both towers (CoPrompt, Roy and Etemad, 2024).

use std::sync::Arc;

use super::context::{CONTEXT, LearnedContext};
use super::{Head, Kind, Weights, invalid, scaled_cosines};
use crate::error::Result;
use crate::math::UnitRows;
use crate::math::adapter::Adapter;
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::model::PromptModel;

const TEXT: [&str; 3] = ["adapter.text1", "adapter.text2", "text_share"];
const IMAGE: [&str; 3] = ["adapter.image1", "adapter.image2", "image_share"];

/// The kind.
pub const KIND: Kind = Kind {
    name: "adapted",
    required: &[CONTEXT, TEXT[0], TEXT[1], IMAGE[0], IMAGE[1]],
    optional: &[],
    load: |file| Ok(Box::new(AdaptedContext::load(file)?)),
};

/// An adapter with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedAdapter {
    /// Its form.
    pub adapter: Adapter,
    /// W1 and W2.
    pub parameters: Vec<f32>,
}

/// A context with an adapter for the features of texts and one for those of images.
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptedContext {
    /// The context.
    pub context: LearnedContext,
    /// On text features.
    pub text: TrainedAdapter,
    /// On image features.
    pub image: TrainedAdapter,
}

impl TrainedAdapter {
    /// Unit rows [N, d] of unit rows.
    pub fn unit(&self, rows: &[f64]) -> UnitRows {
        let adapted = rows.chunks_exact(self.adapter.dim);
        let adapted: Vec<f64> = adapted
            .flat_map(|row| self.adapter.forward(&self.parameters, row).output)
            .collect();
        UnitRows::new(&adapted, self.adapter.dim)
    }

    fn save(&self, names: [&str; 3], file: &mut Prompt) {
        let Adapter { dim, hidden, share } = self.adapter;
        let (w1, w2) = self.parameters.split_at(hidden * dim);
        file.put(names[0], &[hidden, dim], w1.to_vec());
        file.put(names[1], &[dim, hidden], w2.to_vec());
        file.note(names[2], share);
    }

    fn load(names: [&str; 3], file: &Prompt) -> Result<Self> {
        let Some(first) = file.get(names[0], 2)? else {
            return Err(invalid("it lacks an adapter"));
        };
        let [hidden, dim] = first.shape[..] else {
            return Err(invalid("its adapter is no matrix"));
        };
        let Some(second) = file.shaped(names[1], &[dim, hidden])? else {
            return Err(invalid("its adapter lacks its second layer"));
        };
        let share = file.number(names[2])?;
        if !(0.0..=1.0).contains(&share) {
            return Err(invalid("the share of its adapter is not between 0 and 1"));
        }
        Ok(Self {
            adapter: Adapter { dim, hidden, share },
            parameters: [&first.data, second].concat(),
        })
    }
}

impl AdaptedContext {
    fn load(file: &Prompt) -> Result<Self> {
        Ok(Self {
            context: LearnedContext::load(file)?,
            text: TrainedAdapter::load(TEXT, file)?,
            image: TrainedAdapter::load(IMAGE, file)?,
        })
    }
}

impl Weights for AdaptedContext {
    fn save(&self, file: &mut Prompt) {
        self.context.save(file);
        self.text.save(TEXT, file);
        self.image.save(IMAGE, file);
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let d = model.dim();
            if self.text.adapter.dim != d || self.image.adapter.dim != d {
                return Err(invalid(
                    "its adapters are not as wide as the model's features",
                ));
            }
            let plain = self.context.open(known, model, names).await?;
            let texts = plain.centers(model).await?;
            Ok(Arc::new(AdaptedHead {
                texts: self.text.unit(&texts).values,
                image: self.image.clone(),
            }) as Arc<dyn Head>)
        })
    }
}

/// Adapters in use.
#[derive(Debug)]
struct AdaptedHead {
    texts: Vec<f64>,
    image: TrainedAdapter,
}

impl Head for AdaptedHead {
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let adapted = self.image.unit(image).values;
        let logits = scaled_cosines(model, &adapted, &self.texts);
        Box::pin(std::future::ready(Ok(logits)))
    }

    fn centers<'a>(&'a self, _: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        Box::pin(std::future::ready(Ok(self.texts.clone())))
    }
}
