//! WGSL with just enough preprocessing to unroll loops and leave bindings out.
//!
//! Software adapters keep an array with a loop index in memory, so hot loops must be written out;
//! and an automatic bind-group layout holds only bindings that are used, so optional inputs must
//! vanish from the text. Directives stand alone on a line:
//!
//! ```text
//! #if NAME / #else / #end     keeps one branch; NAME is a defined flag
//! #for i COUNT ... #end       repeats the body with $i = 0, 1, ..; COUNT is a number or constant
//! #include NAME               the file shaders/shared/NAME.wgsl, expanded in place; NAME may hold $s
//! $NAME or ${NAME}            the value of a constant
//! ```

use std::collections::BTreeMap;

/// The texts that several shaders share.
const SHARED: &[(&str, &str)] = &[
    ("bytes", include_str!("../../shaders/shared/bytes.wgsl")),
    ("finish", include_str!("../../shaders/shared/finish.wgsl")),
    (
        "fold_key",
        include_str!("../../shaders/shared/fold_key.wgsl"),
    ),
    ("gelu", include_str!("../../shaders/shared/gelu.wgsl")),
    ("heads", include_str!("../../shaders/shared/heads.wgsl")),
    ("norm", include_str!("../../shaders/shared/norm.wgsl")),
    (
        "quick_gelu",
        include_str!("../../shaders/shared/quick_gelu.wgsl"),
    ),
    ("relu6", include_str!("../../shaders/shared/relu6.wgsl")),
    (
        "start_query",
        include_str!("../../shaders/shared/start_query.wgsl"),
    ),
    (
        "store_query",
        include_str!("../../shaders/shared/store_query.wgsl"),
    ),
    ("weights", include_str!("../../shaders/shared/weights.wgsl")),
];

/// Values for a shader's constants. A flag is a constant whose value is not `"0"`.
pub type Constants = BTreeMap<&'static str, String>;

/// Expands `source` with `constants`.
///
/// # Panics
/// On an unbalanced directive or an unknown name: shaders are part of this crate, so that is a bug
/// which the kernel tests meet first.
pub fn expand(source: &str, constants: &Constants) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let scope: BTreeMap<String, String> = constants
        .iter()
        .map(|(k, v)| ((*k).to_string(), v.clone()))
        .collect();
    let mut out = String::with_capacity(source.len() * 2);
    block(&lines, &scope, &mut out);
    out
}

fn block(lines: &[&str], scope: &BTreeMap<String, String>, out: &mut String) {
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.first().copied() {
            Some("#if") => {
                let (middle, end) = close(lines, at);
                let on = scope.get(words[1]).is_some_and(|v| v != "0");
                let branch = match (on, middle) {
                    (true, m) => &lines[at + 1..m.unwrap_or(end)],
                    (false, Some(m)) => &lines[m + 1..end],
                    (false, None) => &[],
                };
                block(branch, scope, out);
                at = end;
            }
            Some("#for") => {
                let (_, end) = close(lines, at);
                let count: u32 = value(words[2], scope).parse().expect("#for takes a count");
                let mut inner = scope.clone();
                for i in 0..count {
                    inner.insert(words[1].to_string(), i.to_string());
                    block(&lines[at + 1..end], &inner, out);
                }
                at = end;
            }
            Some("#include") => {
                let mut name = String::new();
                substitute(words[1], scope, &mut name);
                let text = SHARED
                    .iter()
                    .find_map(|(known, text)| (*known == name).then_some(text))
                    .unwrap_or_else(|| panic!("shaders/shared holds no {name}"));
                block(&text.lines().collect::<Vec<_>>(), scope, out);
            }
            _ => {
                substitute(line, scope, out);
                out.push('\n');
            }
        }
        at += 1;
    }
}

/// The lines of the `#else` (if any) and `#end` that belong to the directive at `start`.
fn close(lines: &[&str], start: usize) -> (Option<usize>, usize) {
    let mut depth = 0;
    let mut middle = None;
    for (at, line) in lines.iter().enumerate().skip(start) {
        match line.split_whitespace().next() {
            Some("#if" | "#for") => depth += 1,
            Some("#else") if depth == 1 => middle = Some(at),
            Some("#end") => {
                depth -= 1;
                if depth == 0 {
                    return (middle, at);
                }
            }
            _ => {}
        }
    }
    panic!("a directive is not closed: {}", lines[start]);
}

fn value<'a>(word: &'a str, scope: &'a BTreeMap<String, String>) -> &'a str {
    scope.get(word).map_or(word, String::as_str)
}

fn substitute(line: &str, scope: &BTreeMap<String, String>, out: &mut String) {
    let mut rest = line;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, after) = match rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            Some(pair) => pair,
            None => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                rest.split_at(rest.find(|c| !word(c)).unwrap_or(rest.len()))
            }
        };
        out.push_str(
            scope
                .get(name)
                .unwrap_or_else(|| panic!("shader constant ${name} has no value")),
        );
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &str)]) -> Constants {
        pairs.iter().map(|(k, v)| (*k, (*v).to_string())).collect()
    }

    #[test]
    fn loops_unroll_and_branches_vanish() {
        let source = "#for i N\nlet a${i}_ = x[$i];\n#if BIAS\nb$i\n#else\nn$i\n#end\n#end\n";
        assert_eq!(
            expand(source, &with(&[("N", "2"), ("BIAS", "1")])),
            "let a0_ = x[0];\nb0\nlet a1_ = x[1];\nb1\n"
        );
        assert_eq!(
            expand(source, &with(&[("N", "1"), ("BIAS", "0")])),
            "let a0_ = x[0];\nn0\n"
        );
    }

    #[test]
    fn shared_texts_are_expanded_where_they_stand() {
        let constants = with(&[("ACTIVATION", "quick_gelu")]);
        let text = expand("#include $ACTIVATION\n", &constants);
        assert!(
            text.contains("fn activate(") && !text.contains('#'),
            "{text}"
        );
    }

    #[test]
    #[should_panic(expected = "has no value")]
    fn an_unknown_constant_is_a_bug() {
        expand("let x = $MISSING;", &Constants::new());
    }
}
