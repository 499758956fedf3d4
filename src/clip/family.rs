//! What a configuration is about: CLIP, a family of image-text models that is not made of CLIP's
//! parts, and then what to load instead, or something else.

use serde_json::{Map, Value};

/// What a `config.json` is about; other libraries use the name too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A CLIP of transformers, or nothing readable, which is to be told.
    Clip,
    /// A class of the publisher's own, or another family. An OpenCLIP configuration beside it
    /// says more.
    Wrapper,
    /// No model of transformers.
    Other,
}

impl Subject {
    /// The subject of the `config.json` that `bytes` are.
    pub fn of(bytes: &[u8]) -> Self {
        let Ok(root) = serde_json::from_slice::<Map<String, Value>>(bytes) else {
            return Self::Clip;
        };
        let keys = ["model_type", "text_config", "vision_config"];
        if !keys.iter().any(|key| root.contains_key(*key)) {
            return Self::Other;
        }
        let kind = root.get("model_type").and_then(Value::as_str);
        let classes = root.get("architectures").and_then(Value::as_array);
        let own = |class: &Value| {
            class
                .as_str()
                .is_some_and(|class| class.starts_with("CLIP"))
        };
        let other_class = classes.is_some_and(|all| !all.is_empty() && !all.iter().any(own));
        match other_class || kind.is_some_and(|kind| kind != "clip") {
            true => Self::Wrapper,
            false => Self::Clip,
        }
    }
}

/// A model that is refused by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    /// What people call it.
    pub(super) name: &'static str,
    /// What would load: "load ... instead".
    pub(super) instead: &'static str,
}

const ANY: &str = "a CLIP such as laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K";
const SMALL: &str = "a small CLIP such as wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M";
const ENGLISH: &str =
    "a CLIP that reads English, such as laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K,";
const WHOLE: &str =
    "the whole CLIP that the tower is part of, such as openai/clip-vit-large-patch14,";

const SIGLIP: Family = family("SigLIP", ANY);
const SIGLIP_2: Family = family("SigLIP 2", ANY);
const OTHER_TEXT: Family = family("a text tower of another kind", ENGLISH);
const OTHER_IMAGE: Family = family("an image tower with other parts", ANY);

/// The vocabulary that tells SigLIP 2 from SigLIP: Gemma's.
const GEMMA_TOKENS: u64 = 256_000;

const fn family(name: &'static str, instead: &'static str) -> Family {
    Family { name, instead }
}

/// `model_type` in a Hugging Face `config.json`.
const MODEL_TYPES: &[(&str, Family)] = &[
    ("align", family("ALIGN", ANY)),
    ("altclip", family("AltCLIP", ENGLISH)),
    ("blip", family("BLIP", ANY)),
    ("blip-2", family("BLIP-2", ANY)),
    ("chinese_clip", family("Chinese-CLIP", ENGLISH)),
    ("clap", family("CLAP, which hears sounds", ANY)),
    ("clip_text_model", family("a text tower alone", WHOLE)),
    ("clip_vision_model", family("a vision tower alone", WHOLE)),
    ("clipseg", family("CLIPSeg", ANY)),
    ("jina_clip", family("jina-clip", ENGLISH)),
    ("metaclip_2", family("MetaCLIP 2", ENGLISH)),
    ("mobileclip", family("MobileCLIP", SMALL)),
    ("siglip2", SIGLIP_2),
    ("siglip_vision_model", SIGLIP),
    ("vision-text-dual-encoder", OTHER_TEXT),
];

/// Parts of `timm_model_name` in an `open_clip_config.json`.
const TIMM_NAMES: &[(&str, Family)] = &[
    ("siglip2", SIGLIP_2),
    ("fastvit_mci", family("MobileCLIP", SMALL)),
    ("_mci_", family("MobileCLIP", SMALL)),
    ("eva02", family("EVA02", ANY)),
    ("eva_", family("EVA", ANY)),
    ("vit_pe_", family("PE-Core", ANY)),
    ("convnext", family("ConvNeXt", ANY)),
    ("resnet", family("ResNet", ANY)),
    ("vitamin", family("ViTamin", ANY)),
];

/// The family that a Hugging Face `config.json` describes, unless it is CLIP or not known.
pub(super) fn of_hugging_face(root: &Map<String, Value>) -> Option<Family> {
    let kind = root.get("model_type")?.as_str()?;
    if kind == "siglip" {
        let tokens = root
            .get("text_config")
            .and_then(|t| t["vocab_size"].as_u64());
        return Some(siglip(tokens));
    }
    let known = MODEL_TYPES.iter().find(|(name, _)| *name == kind);
    known.map(|(_, family)| *family)
}

/// The family that the model of an `open_clip_config.json` is of, unless it is a CLIP.
pub(super) fn of_open_clip(model: &Map<String, Value>) -> Option<Family> {
    let none = Value::Null;
    let vision = model.get("vision_cfg").unwrap_or(&none);
    let text = model.get("text_cfg").unwrap_or(&none);
    let says = |part: &Value, key: &str| part[key].as_bool() == Some(true);
    let other = |pool: &Value, own: &str| pool.as_str().is_some_and(|pool| pool != own);

    if let Some(name) = vision["timm_model_name"].as_str() {
        if name.contains("siglip") && !name.contains("siglip2") {
            return Some(siglip(text["vocab_size"].as_u64()));
        }
        if let Some((_, family)) = TIMM_NAMES.iter().find(|(part, _)| name.contains(part)) {
            return Some(*family);
        }
    }
    if model.get("multimodal_cfg").is_some_and(Value::is_object) {
        return Some(family("CoCa", ANY));
    }
    if vision["layers"].is_array() {
        return Some(family("ResNet", ANY));
    }
    if let Some(name) = text["hf_model_name"].as_str() {
        return Some(match name.contains("xlm-roberta") {
            true => family("XLM-RoBERTa", ENGLISH),
            false => OTHER_TEXT,
        });
    }
    if says(vision, "no_ln_pre") && other(&vision["pool_type"], "tok") {
        return Some(family("CLIPA", ANY));
    }
    if other(&text["pool_type"], "argmax") || says(text, "embed_cls") {
        return Some(OTHER_TEXT);
    }
    let parts = [
        "no_ln_pre",
        "attentional_pool",
        "input_patchnorm",
        "global_average_pool",
    ];
    let foreign = parts.iter().any(|part| says(vision, part));
    (foreign || other(&vision["pool_type"], "tok")).then_some(OTHER_IMAGE)
}

fn siglip(tokens: Option<u64>) -> Family {
    match tokens {
        Some(GEMMA_TOKENS) => SIGLIP_2,
        _ => SIGLIP,
    }
}
