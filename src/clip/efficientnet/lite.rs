//! EfficientNet-Lite 0 to 4: how many channels and blocks each size has.

/// Channels of the stem, the same in every size.
pub(super) const STEM: usize = 32;
/// Channels of the last layer, the same in every size: the width of the pooled features.
pub const FEATURES: usize = 1280;
/// (repeats, kernel, stride of the first block, expansion, channels) of each stage of Lite0.
pub(super) const STAGES: [(usize, usize, usize, usize, usize); 7] = [
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
    pub(super) const fn channels(self, base: usize) -> usize {
        let tenths = base * self.multipliers().0;
        let rounded = (tenths + 40) / 80 * 8;
        if 100 * rounded < 9 * tenths {
            rounded + 8
        } else {
            rounded
        }
    }

    /// Blocks of each stage; the first and the last stage are not deepened.
    pub(super) fn repeats(self, stage: usize) -> usize {
        let base = STAGES[stage].0;
        if stage == 0 || stage == STAGES.len() - 1 {
            base
        } else {
            (base * self.multipliers().1).div_ceil(10)
        }
    }
}
