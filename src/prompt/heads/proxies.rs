//! A map of the image feature, and a proxy for every class in its space (Ren et al., 2024).

use std::sync::Arc;

use super::texts::{FEATURES, TextFeatures};
use super::{Head, Kind, Weights, invalid, scaled_cosines};
use crate::error::Result;
use crate::math::{UnitRows, dot};
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::model::PromptModel;

const MAP: &str = "map";

/// The kind.
pub const KIND: Kind = Kind {
    name: "proxies",
    required: &[FEATURES, MAP],
    optional: &[],
    load: |file| Ok(Box::new(Proxies::load(file)?)),
};

/// A f for a matrix A [d, d].
pub fn mapped(map: &[f64], image: &[f64]) -> Vec<f64> {
    let rows = map.chunks_exact(image.len());
    rows.map(|row| dot(row, image)).collect()
}

/// Proxies and the map of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxies {
    /// Of the known names; other names have the text feature that proxies start from.
    pub proxies: TextFeatures,
    /// A [d, d]: images are compared as norm(A f).
    pub map: Vec<f32>,
}

impl Proxies {
    fn load(file: &Prompt) -> Result<Self> {
        let proxies = TextFeatures::load(file)?;
        let d = proxies.features.len() / file.class_names.len().max(1);
        let Some(map) = file.shaped(MAP, &[d, d])? else {
            return Err(invalid("it has no map of image features"));
        };
        Ok(Self {
            proxies,
            map: map.to_vec(),
        })
    }
}

impl Weights for Proxies {
    fn save(&self, file: &mut Prompt) {
        self.proxies.put(file);
        let d = self.proxies.features.len() / file.class_names.len().max(1);
        file.put(MAP, &[d, d], self.map.clone());
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            Ok(Arc::new(ProxyHead {
                proxies: self.proxies.on(known, model, names).await?,
                map: self.map.iter().map(|v| f64::from(*v)).collect(),
            }) as Arc<dyn Head>)
        })
    }
}

/// Proxies in use.
#[derive(Debug)]
struct ProxyHead {
    /// [K, d].
    proxies: Vec<f64>,
    /// [d, d].
    map: Vec<f64>,
}

impl Head for ProxyHead {
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let image = UnitRows::new(&mapped(&self.map, image), image.len()).values;
        let logits = scaled_cosines(model, &image, &self.proxies);
        Box::pin(std::future::ready(Ok(logits)))
    }

    /// norm(Aᵀ p) of every class: f · Aᵀ p is p · A f.
    fn centers<'a>(&'a self, model: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        let d = model.dim();
        let pulled = self.proxies.chunks_exact(d).flat_map(|proxy| {
            let mut sum = vec![0.0; d];
            for (row, p) in self.map.chunks_exact(d).zip(proxy) {
                sum.iter_mut().zip(row).for_each(|(s, a)| *s += p * a);
            }
            sum
        });
        let centers = UnitRows::new(&pulled.collect::<Vec<_>>(), d).values;
        Box::pin(std::future::ready(Ok(centers)))
    }
}
