//! Classifier files: settings of a class list, with a prompt inside.

use promptlens::classifier_file::ClassifierFile;

use super::checked;

const AREAS: &[&str] = &[
    "prompt/",
    "labels/",
    "calibration/",
    "negatives/",
    "options/invalid",
];

pub fn run(bytes: &[u8]) {
    let Some(file) = checked(ClassifierFile::from_bytes(bytes), AREAS) else {
        return;
    };
    assert!(!file.labels.is_empty() && !file.templates.is_empty());
    assert!(
        file.templates
            .iter()
            .all(|template| template.contains("{}"))
    );
    if let Some(prompt) = &file.prompt {
        assert_eq!(Some(&prompt.model_sha256), file.model.sha256.as_ref());
    }
    assert!(
        file.rejection
            .threshold
            .is_none_or(|own| own.value.is_finite())
    );
}
