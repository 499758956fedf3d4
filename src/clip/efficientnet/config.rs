//! Sizes of EfficientNet-Lite 0 to 4, and the convolutions that each is made of.

use crate::error::Result;
use crate::quant::Role;

use super::super::config::{TensorSpec, invalid_file};

/// Channels of the stem, the same in every size.
const STEM: usize = 32;
/// Channels of the last layer, the same in every size: the width of the pooled features.
pub const FEATURES: usize = 1280;
/// Added to the variance in every batch norm.
pub const BATCH_NORM_EPS: f64 = 1e-3;

/// (repeats, kernel, stride of the first block, expansion, channels) of each stage of Lite0.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// The five published sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lite {
    /// 3.4 M parameters without the classifier.
    Lite0,
    /// 4.1 M.
    Lite1,
    /// 4.8 M.
    Lite2,
    /// 6.9 M.
    Lite3,
    /// 11.7 M.
    Lite4,
}

impl Lite {
    /// Every size.
    pub const ALL: [Self; 5] = [
        Self::Lite0,
        Self::Lite1,
        Self::Lite2,
        Self::Lite3,
        Self::Lite4,
    ];

    /// The name in timm.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lite0 => "tf_efficientnet_lite0",
            Self::Lite1 => "tf_efficientnet_lite1",
            Self::Lite2 => "tf_efficientnet_lite2",
            Self::Lite3 => "tf_efficientnet_lite3",
            Self::Lite4 => "tf_efficientnet_lite4",
        }
    }

    /// The inverse of [`name`](Self::name). timm may put the weights' tag behind it:
    /// `tf_efficientnet_lite0.in1k`.
    pub fn parse(name: &str) -> Option<Self> {
        let bare = name.split_once('.').map_or(name, |(bare, _)| bare);
        Self::ALL.into_iter().find(|lite| lite.name() == bare)
    }

    /// The size whose convolutions all have the weights' shape that `shape` tells.
    pub fn find(shape: impl Fn(&Convolution) -> Option<Vec<usize>>) -> Option<Self> {
        // A deeper one has all convolutions of a shallower one of the same width.
        Self::ALL.into_iter().rev().find(|lite| {
            let all = EfficientNetConfig::trunk(*lite, 1).convolutions();
            all.iter()
                .all(|conv| shape(conv).is_some_and(|shape| shape == conv.shape))
        })
    }

    /// How many times as many channels and blocks as Lite0, in tenths.
    const fn multipliers(self) -> (usize, usize) {
        match self {
            Self::Lite0 => (10, 10),
            Self::Lite1 => (10, 11),
            Self::Lite2 => (11, 12),
            Self::Lite3 => (12, 14),
            Self::Lite4 => (14, 18),
        }
    }

    /// `base` channels widened for this size: the nearest multiple of 8 that loses at most a tenth.
    const fn channels(self, base: usize) -> usize {
        let tenths = base * self.multipliers().0;
        let rounded = (tenths + 40) / 80 * 8;
        if 100 * rounded < 9 * tenths {
            rounded + 8
        } else {
            rounded
        }
    }

    /// Blocks of each stage; the first and the last stage are not deepened.
    fn repeats(self, stage: usize) -> usize {
        let base = STAGES[stage].0;
        if stage == 0 || stage == STAGES.len() - 1 {
            base
        } else {
            (base * self.multipliers().1).div_ceil(10)
        }
    }
}

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

/// A convolution with the batch norm behind it. The names are those of timm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// Name of the convolution, without `.weight`.
    pub name: String,
    /// Name of the batch norm, without `.weight`.
    pub norm: String,
    /// Both names in the files of the efficientnet-pytorch package.
    pub published: [String; 2],
    /// Outputs, inputs of each output, height and width of the kernel.
    pub shape: [usize; 4],
    /// How the weights are used.
    pub role: Role,
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

impl Convolution {
    /// The weights.
    pub fn weight(&self) -> TensorSpec {
        spec(format!("{}.weight", self.name), &self.shape, self.role)
    }

    /// The biases, which a convolution has once its batch norm is folded.
    pub fn bias(&self) -> TensorSpec {
        spec(format!("{}.bias", self.name), &self.shape[..1], Role::Float)
    }

    /// Scale, shift, mean and variance of the batch norm.
    pub fn norms(&self) -> [String; 4] {
        ["weight", "bias", "running_mean", "running_var"]
            .map(|part| format!("{}.{part}", self.norm))
    }
}

fn spec(name: String, shape: &[usize], role: Role) -> TensorSpec {
    TensorSpec {
        name,
        shape: shape.to_vec(),
        role,
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
