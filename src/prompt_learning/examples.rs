//! Labeled images as cached features: every image in the same few fixed crops.

use half::f16;

use crate::error::{Error, Kind, Result};
use crate::rng::Rng;

/// The most images that one prompt learns from.
pub const MAX_EXAMPLES: usize = 200_000;

/// The most bytes of local features that are kept.
const MAX_LOCAL_BYTES: usize = 512 << 20;

/// Features [N, views, d] of unit length and the class of each image. View 0 is the plain image.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    features: Vec<f32>,
    /// Unit features of the regions of every view, [N, views, P, d], in half the room; empty if nobody
    /// asked for them.
    local_features: Vec<f16>,
    labels: Vec<usize>,
    views: usize,
    dim: usize,
    fresh: bool,
}

impl Examples {
    /// Checks `features` [labels, views, dim] of `labels` below `classes`.
    ///
    /// # Errors
    /// `data/empty` without images, `data/too-large` above [`MAX_EXAMPLES`], `engine/not-finite`,
    /// `engine/internal` if the lengths disagree.
    pub fn new(
        features: Vec<f32>,
        labels: Vec<usize>,
        views: usize,
        dim: usize,
        classes: usize,
    ) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::new(
                Kind::DataEmpty,
                "There is no image to learn from; give at least one whose folder is a class name.",
            ));
        }
        if labels.len() > MAX_EXAMPLES {
            return Err(Error::new(
                Kind::DataTooLarge,
                format!("Teach with at most {MAX_EXAMPLES} images."),
            ));
        }
        let expected = labels.len().checked_mul(views * dim);
        if views == 0
            || dim == 0
            || expected != Some(features.len())
            || labels.iter().any(|y| *y >= classes)
        {
            return Err(Error::new(
                Kind::Internal,
                "The features of the examples do not fit their labels.",
            ));
        }
        if features.iter().any(|v| !v.is_finite()) {
            return Err(Error::new(
                Kind::NotFinite,
                "The features of an example contain NaN or infinity.",
            ));
        }
        Ok(Self {
            features,
            local_features: Vec::new(),
            labels,
            views,
            dim,
            fresh: false,
        })
    }

    /// The same with unit features of the regions of every view, [N, views, P, d].
    ///
    /// # Errors
    /// `data/too-large` if there are too many, `engine/internal` if they do not fit the views.
    pub fn with_local_features(self, local_features: Vec<f16>) -> Result<Self> {
        if size_of_val(local_features.as_slice()) > MAX_LOCAL_BYTES {
            return Err(Error::new(
                Kind::DataTooLarge,
                "The regions of so many photos do not fit into memory; give fewer photos or fewer crops.",
            ));
        }
        if !local_features.len().is_multiple_of(self.features.len()) {
            return Err(Error::new(
                Kind::Internal,
                "The local features of the examples do not fit their views.",
            ));
        }
        Ok(Self {
            local_features,
            ..self
        })
    }

    /// The same images, of which every epoch takes the next crop, behind the plain one, instead of a
    /// random one; and leaves out a last batch that is smaller than the others, as Dassl.
    pub fn with_fresh_crops(self) -> Self {
        Self {
            fresh: true,
            ..self
        }
    }

    /// The same images under other labels.
    ///
    /// # Errors
    /// `engine/internal` if there is not one label for each.
    pub fn labeled(self, labels: Vec<usize>) -> Result<Self> {
        let (fresh, local_features) = (self.fresh, self.local_features);
        let examples = Self::new(self.features, labels, self.views, self.dim, usize::MAX)?;
        Ok(Self {
            fresh,
            local_features,
            ..examples
        })
    }

    /// Images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never: there is at least one image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Columns of a feature.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Crops per image, the plain one among them.
    pub fn views(&self) -> usize {
        self.views
    }

    /// The class of every image, [N].
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The feature [d] of one crop of image `index`.
    pub fn view(&self, index: usize, view: usize) -> &[f32] {
        let start = (index * self.views + view) * self.dim;
        &self.features[start..start + self.dim]
    }

    /// The features [P, d] of the regions of one crop of image `index`; empty if there are none.
    pub fn regions(&self, index: usize, view: usize) -> &[f16] {
        let each = self.local_features.len() / (self.len() * self.views);
        let start = (index * self.views + view) * each;
        &self.local_features[start..start + each]
    }

    /// The features of the plain images, [N, d].
    pub fn plain(&self) -> Vec<f32> {
        (0..self.len())
            .flat_map(|i| self.view(i, 0))
            .copied()
            .collect()
    }

    /// The normalized mean over all crops of every image, [N, d].
    pub fn means(&self) -> Vec<f32> {
        let mut out = vec![0f32; self.len() * self.dim];
        for (i, row) in out.chunks_exact_mut(self.dim).enumerate() {
            let mut sum = vec![0f64; self.dim];
            for v in 0..self.views {
                let view = self.view(i, v);
                sum.iter_mut()
                    .zip(view)
                    .for_each(|(s, x)| *s += f64::from(*x));
            }
            let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
            let length = length.max(f64::MIN_POSITIVE);
            row.iter_mut()
                .zip(sum)
                .for_each(|(out, s)| *out = (s / length) as f32);
        }
        out
    }

    /// Images of every class, [classes].
    pub fn counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for label in &self.labels {
            counts[*label] += 1;
        }
        counts
    }

    /// The images at `indices`, in that order.
    ///
    /// # Errors
    /// `data/empty` for no index, `engine/internal` for one that is out of range.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        if indices.iter().any(|i| *i >= self.len()) {
            return Err(Error::new(Kind::Internal, "There is no such example."));
        }
        let features = indices
            .iter()
            .flat_map(|i| (0..self.views).flat_map(|v| self.view(*i, v)))
            .copied()
            .collect();
        let labels = indices.iter().map(|i| self.labels[*i]).collect();
        let local_features = indices
            .iter()
            .flat_map(|i| (0..self.views).flat_map(|v| self.regions(*i, v)))
            .copied()
            .collect();
        let examples = Self::new(features, labels, self.views, self.dim, usize::MAX)?;
        Ok(Self {
            fresh: self.fresh,
            local_features,
            ..examples
        })
    }

    /// How many batches of `size` images an epoch has.
    pub fn batches(&self, size: usize) -> usize {
        let size = size.max(1);
        if self.fresh && self.len() >= size {
            self.len() / size
        } else {
            self.len().div_ceil(size)
        }
    }
}

/// Up to `shots` random items of every class among `labels`, in their order.
pub fn sample_shots(labels: &[usize], shots: usize, seed: u64) -> Vec<usize> {
    let mut left: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    let mut kept: Vec<usize> = Rng::derive(seed, 0)
        .permutation(labels.len())
        .into_iter()
        .filter(|i| {
            let left = left.entry(labels[*i]).or_insert(shots);
            let wanted = *left > 0;
            *left -= usize::from(wanted);
            wanted
        })
        .collect();
    kept.sort_unstable();
    kept
}

/// The images of one training step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Where each image stands among the examples [B], for losses that know more of them than a class;
    /// empty if nobody knows.
    pub places: Vec<usize>,
    /// Unit features [B, d].
    pub images: Vec<f64>,
    /// Unit features of their regions [B, P, d]; empty if the recipe does not ask for them.
    pub local_features: Vec<f64>,
    /// Classes [B].
    pub labels: Vec<usize>,
    /// Columns of a feature.
    pub dim: usize,
}

impl Batch {
    /// The crops `(image, view)` of `examples`.
    pub fn gather(examples: &Examples, picks: &[(usize, usize)]) -> Self {
        let images = picks
            .iter()
            .flat_map(|(i, v)| examples.view(*i, *v))
            .map(|x| f64::from(*x))
            .collect();
        let regions = picks.iter().flat_map(|(i, v)| examples.regions(*i, *v));
        Self {
            places: picks.iter().map(|(i, _)| *i).collect(),
            images,
            local_features: regions.map(|x| f64::from(*x)).collect(),
            labels: picks.iter().map(|(i, _)| examples.labels[*i]).collect(),
            dim: examples.dim,
        }
    }

    /// Images in it.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The images one by one, [d] each.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.images.chunks_exact(self.dim)
    }
}

/// The batches of epoch number `epoch`: every image once, in random order, in a random one of its
/// crops, or the one of this epoch. The last batch may be smaller.
pub fn batches(
    examples: &Examples,
    size: usize,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<(usize, usize)>> {
    let mut rng = Rng::derive(seed, epoch as u64);
    let picks: Vec<(usize, usize)> = rng
        .permutation(examples.len())
        .into_iter()
        .map(|i| match examples.fresh && examples.views > 1 {
            true => (i, 1 + epoch % (examples.views - 1)),
            false => (i, rng.below(examples.views as u64) as usize),
        })
        .collect();
    let batches = picks.chunks(size.max(1)).map(<[_]>::to_vec);
    batches.take(examples.batches(size)).collect()
}
