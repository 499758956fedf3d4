//! Tools for the words of a prompt.

mod composed;
mod drift;
mod proposals;
mod suggested;
mod visible;

use promptlens::tools::TOOLS;

#[test]
fn every_tool_says_what_it_is() {
    let names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
    assert_eq!(
        names,
        [
            "black-box",
            "ipo",
            "glov",
            "templates-suggested",
            "visualness",
            "vsc"
        ]
    );
    for tool in TOOLS {
        let json = serde_json::to_value(tool).unwrap();
        assert_eq!(json["kind"], "tool", "{json}");
        for key in ["name", "paper", "summary", "needs", "command"] {
            assert!(!json[key].as_str().unwrap().is_empty(), "{key}: {json}");
        }
        // What is known from a description or an abstract alone does not claim to be the method.
        let after = match json["evidence"].as_str().unwrap() {
            "readme" => "after the description of ",
            "abstract" => "after the idea of ",
            _ => "",
        };
        assert!(tool.paper.starts_with(after), "{json}");
    }
}
