//! The names of the nonlinearities, which configurations need without the engine.

/// The nonlinearity of a tower's MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(1.702 x)`, which OpenAI's weights were trained with.
    QuickGelu,
    /// Exact GELU, `x * (1 + erf(x / sqrt 2)) / 2`, the default of OpenCLIP.
    Gelu,
    /// `x` cut to 0..6, in EfficientNet-Lite.
    Relu6,
}

impl Activation {
    /// The name in a Hugging Face `config.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuickGelu => "quick_gelu",
            Self::Gelu => "gelu",
            Self::Relu6 => "relu6",
        }
    }
}
