//! The plural of an English name, by rule.

/// Names that have no plural of their own, or are one.
const SAME: &[&str] = &[
    "sheep", "deer", "fish", "bison", "aircraft", "trousers", "jeans",
];
const IRREGULAR: &[(&str, &str)] = &[
    ("man", "men"),
    ("woman", "women"),
    ("person", "people"),
    ("child", "children"),
    ("mouse", "mice"),
    ("goose", "geese"),
    ("ox", "oxen"),
    ("tooth", "teeth"),
    ("foot", "feet"),
    ("wolf", "wolves"),
    ("leaf", "leaves"),
    ("loaf", "loaves"),
    ("knife", "knives"),
    ("calf", "calves"),
    ("potato", "potatoes"),
    ("tomato", "tomatoes"),
    ("mango", "mangoes"),
];

/// The plural of `name`, or none for a name that is one already.
pub fn plural(name: &str) -> Option<String> {
    let (before, last) = match name.rsplit_once(' ') {
        Some((before, last)) => (format!("{before} "), last),
        None => (String::new(), name),
    };
    let lower = last.to_lowercase();
    if lower.is_empty() || SAME.contains(&lower.as_str()) || !lower.is_ascii() {
        return None;
    }
    if let Some((_, many)) = IRREGULAR.iter().find(|(one, _)| *one == lower) {
        return Some(format!("{before}{many}"));
    }
    let vowel = |c: char| matches!(c, 'a' | 'e' | 'i' | 'o' | 'u');
    let plural = if lower.ends_with("ss")
        || ["x", "z", "ch", "sh"]
            .iter()
            .any(|end| lower.ends_with(end))
    {
        format!("{last}es")
    } else if lower.ends_with('s') {
        return None;
    } else if let Some(stem) = last.strip_suffix('y').filter(|stem| !stem.ends_with(vowel)) {
        format!("{stem}ies")
    } else {
        format!("{last}s")
    };
    Some(format!("{before}{plural}"))
}

#[cfg(test)]
mod tests {
    use super::plural;

    #[test]
    fn names_get_the_plural_that_people_say() {
        for (one, many) in [
            ("rose", "roses"),
            ("golden retriever", "golden retrievers"),
            ("butterfly", "butterflies"),
            ("monkey", "monkeys"),
            ("church", "churches"),
            ("wildcat", "wildcats"),
            ("woman", "women"),
            ("glass", "glasses"),
        ] {
            assert_eq!(plural(one).as_deref(), Some(many));
        }
        for name in ["sunglasses", "deer", "shoes", ""] {
            assert_eq!(plural(name), None);
        }
    }
}
