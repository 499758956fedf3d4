//! Tools for the words of a prompt: each is one file here and one line in [`tools!`].
//!
//! They train nothing. Three of them work with a language model that you choose and ask yourself
//! ([`proposals`]); none is inside.

use serde::Serialize;

use crate::prompt_learning::recipe::Evidence;

pub mod history;
pub mod proposals;
pub mod scorer;

macro_rules! tools {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// The tools, in the order in which they are shown.
        pub const TOOLS: &[Tool] = &[$($name::TOOL),*];
    };
}

tools! {
    black_box,
    ipo,
    glov,
    templates_suggested,
    visualness,
    vsc,
}

/// What a tool says about itself.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "kind", rename = "tool")]
pub struct Tool {
    /// Its name in lists.
    pub name: &'static str,
    /// Who published it.
    pub paper: &'static str,
    /// One line on what it does.
    pub summary: &'static str,
    /// What it was written from.
    pub evidence: Evidence,
    /// What it needs.
    pub needs: &'static str,
    /// The command that runs it, behind `promptlens`.
    pub command: &'static str,
    /// How it asks for proposals and reads them, if it does.
    #[serde(skip)]
    pub method: Option<&'static proposals::Method>,
}
