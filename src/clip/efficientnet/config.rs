//! The blocks and convolutions of an EfficientNet-Lite tower.

use super::super::config_fields::invalid_file;
use super::super::tensor_spec::TensorSpec;
use super::convolution::{Convolution, spec};
use super::lite::{FEATURES, Lite, STAGES, STEM};
use crate::error::Result;
use crate::quant::Role;

/// One block: an optional 1 x 1 expansion, a depthwise convolution, a 1 x 1 projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockShape {
    /// Which stage, from 0.
    pub stage: usize,
    /// Which block of the stage, from 0.
    pub index: usize,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the depthwise convolution.
    pub stride: usize,
    /// Channels that come in.
    pub input: usize,
    /// Channels of the depthwise convolution.
    pub hidden: usize,
    /// Channels that go out.
    pub output: usize,
}

impl BlockShape {
    /// Whether a 1 x 1 convolution widens the input first.
    pub const fn expands(&self) -> bool {
        self.hidden != self.input
    }

    /// Whether the input is added to the output.
    pub const fn residual(&self) -> bool {
        self.stride == 1 && self.input == self.output
    }
}

/// The image tower as OpenCLIP configures it: a trunk of timm, average pooling, a linear projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EfficientNetConfig {
    /// The trunk.
    pub lite: Lite,
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Whether the projection has a bias (`timm_proj_bias`, false when left out).
    pub projection_bias: bool,
}

impl EfficientNetConfig {
    /// A tower by timm's name of its trunk.
    ///
    /// # Errors
    /// `config/invalid` for any other trunk; `file` is named as the place.
    pub fn new(file: &str, name: &str, image_size: usize, projection_bias: bool) -> Result<Self> {
        let lite = Lite::parse(name).ok_or_else(|| {
            let shown: String = name.chars().take(60).collect();
            invalid_file(
                file,
                format!(
                    "describes the image tower {shown:?}; of timm's only tf_efficientnet_lite0 to lite4 are supported"
                ),
            )
        })?;
        Ok(Self {
            lite,
            image_size,
            projection_bias,
        })
    }

    /// A trunk whose projection does not matter.
    pub const fn trunk(lite: Lite, image_size: usize) -> Self {
        Self {
            lite,
            image_size,
            projection_bias: false,
        }
    }

    /// The size whose convolutions all have the weights' shape that `shape` tells.
    pub fn find_lite(shape: impl Fn(&Convolution) -> Option<Vec<usize>>) -> Option<Lite> {
        // A deeper one has all convolutions of a shallower one of the same width.
        Lite::ALL.into_iter().rev().find(|lite| {
            let all = Self::trunk(*lite, 1).convolutions();
            all.iter()
                .all(|conv| shape(conv).is_some_and(|shape| shape == conv.shape))
        })
    }

    /// Cells along one side of the last layer: every stride of 2 rounds up.
    pub const fn grid(&self) -> usize {
        self.image_size.div_ceil(32)
    }

    /// Every block in order.
    pub fn blocks(&self) -> Vec<BlockShape> {
        let mut blocks = Vec::new();
        let mut input = STEM;
        for (stage, &(_, kernel, stride, expansion, channels)) in STAGES.iter().enumerate() {
            let output = self.lite.channels(channels);
            for index in 0..self.lite.repeats(stage) {
                blocks.push(BlockShape {
                    stage,
                    index,
                    kernel,
                    stride: if index == 0 { stride } else { 1 },
                    input,
                    hidden: input * expansion,
                    output,
                });
                input = output;
            }
        }
        blocks
    }

    /// Values of the largest activation of one image.
    pub fn widest(&self) -> usize {
        let mut side = self.image_size.div_ceil(2);
        let mut widest = side * side * STEM;
        for block in self.blocks() {
            widest = widest.max(side * side * block.hidden);
            side = side.div_ceil(block.stride);
        }
        widest.max(side * side * FEATURES)
    }

    /// Every convolution of the trunk in order.
    pub fn convolutions(&self) -> Vec<Convolution> {
        let mut list = Vec::new();
        let mut add = |at: &str, conv: &str, norm: usize, published: [String; 2], shape, role| {
            list.push(Convolution {
                name: format!("visual.trunk.{at}{conv}"),
                norm: format!("visual.trunk.{at}bn{norm}"),
                published,
                shape,
                role,
            });
        };
        let stem = ["_conv_stem", "_bn0"].map(str::to_owned);
        add("", "conv_stem", 1, stem, [STEM, 3, 3, 3], Role::Kernel);
        let mut last = STEM;
        for (number, b) in self.blocks().into_iter().enumerate() {
            let at = format!("blocks.{}.{}.", b.stage, b.index);
            let published = |conv: &str, norm: usize| {
                [
                    format!("_blocks.{number}._{conv}"),
                    format!("_blocks.{number}._bn{norm}"),
                ]
            };
            let mut norm = 0;
            let mut next = || {
                norm += 1;
                norm
            };
            if b.expands() {
                let shape = [b.hidden, b.input, 1, 1];
                let names = published("expand_conv", 0);
                add(&at, "conv_pw", next(), names, shape, Role::Linear);
            }
            let shape = [b.hidden, 1, b.kernel, b.kernel];
            let names = published("depthwise_conv", 1);
            add(&at, "conv_dw", next(), names, shape, Role::Kernel);
            // timm calls the only 1 x 1 convolution of a block `conv_pw`.
            let projection = if b.expands() { "conv_pwl" } else { "conv_pw" };
            let shape = [b.output, b.hidden, 1, 1];
            let names = published("project_conv", 2);
            add(&at, projection, next(), names, shape, Role::Linear);
            last = b.output;
        }
        let head = ["_conv_head", "_bn1"].map(str::to_owned);
        let shape = [FEATURES, last, 1, 1];
        add("", "conv_head", 2, head, shape, Role::Linear);
        list
    }

    /// The tensors of the tower with batch norms folded: what a model holds.
    pub fn tensors(&self, projection_dim: usize) -> Vec<TensorSpec> {
        let mut list = Vec::new();
        for conv in self.convolutions() {
            list.push(conv.weight());
            list.push(conv.bias());
        }
        self.projection(projection_dim, &mut list);
        list
    }

    /// The tensors of the tower with its batch norms: what timm saves.
    pub fn unfolded(&self, projection_dim: usize) -> Vec<TensorSpec> {
        let mut list = Vec::new();
        for conv in self.convolutions() {
            list.push(TensorSpec {
                // Not to be rounded before the batch norm is in it.
                role: Role::Float,
                ..conv.weight()
            });
            for part in conv.norms() {
                list.push(spec(part, &conv.shape[..1], Role::Float));
            }
        }
        self.projection(projection_dim, &mut list);
        list
    }

    fn projection(&self, projection_dim: usize, list: &mut Vec<TensorSpec>) {
        let weight = "visual.head.proj.weight".to_owned();
        list.push(spec(weight, &[projection_dim, FEATURES], Role::Linear));
        if self.projection_bias {
            let bias = "visual.head.proj.bias".to_owned();
            list.push(spec(bias, &[projection_dim], Role::Float));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EfficientNetConfig, Lite};

    #[test]
    fn sizes_have_the_published_numbers_of_parameters() {
        // Published counts less the classifier of 1280 x 1000 + 1000, batch norms counted as scale
        // and shift.
        let counts = [4_652_008, 5_416_680, 6_092_072, 8_197_096, 13_006_568];
        for (lite, count) in Lite::ALL.into_iter().zip(counts) {
            let held: usize = EfficientNetConfig::trunk(lite, 160)
                .convolutions()
                .iter()
                .map(|conv| conv.shape.iter().product::<usize>() + 2 * conv.shape[0])
                .sum();
            assert_eq!(held, count - 1_281_000, "{}", lite.name());
        }
    }

    #[test]
    fn the_grid_rounds_every_stride_up() {
        let grid = |image_size| EfficientNetConfig::trunk(Lite::Lite0, image_size).grid();
        assert_eq!([128, 160, 224, 240, 33].map(grid), [4, 5, 7, 8, 2]);
    }

    #[test]
    fn names_are_read_with_and_without_a_tag() {
        assert_eq!(Lite::parse("tf_efficientnet_lite3.in1k"), Some(Lite::Lite3));
        assert_eq!(Lite::parse("tf_efficientnet_lite4"), Some(Lite::Lite4));
        assert_eq!(Lite::parse("efficientnet_lite0"), None);
    }
}
