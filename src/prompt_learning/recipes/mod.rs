//! Every recipe that promptlens knows: one file each, and one line here.

use super::recipe::Recipe;
use crate::error::{Error, Kind, Result};

macro_rules! recipes {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// The recipes, in the order in which they are shown.
        pub const RECIPES: &[Recipe] = &[$($name::RECIPE),*];
    };
}

recipes! {
    templates,
    cupl,
    fudd,
    proapo,
    tip_adapter,
    tip_adapter_f,
    tfup,
    taskres,
    ranking,
    proxies,
    coop,
    coop_snapshots,
    locoop,
    ogen,
    kgcoop,
    prograd,
    promptsrc,
    msgcoop,
    pre,
    mocoop,
    cocoop,
    atprompt,
    lapt,
    mvp,
    multi_lane,
    coprompt,
    clip_lit,
    mvlpt,
    dcar,
    disa,
    kapt,
    pvp,
}

/// The recipe of this name or alias.
///
/// # Errors
/// `options/invalid`.
pub fn find(name: &str) -> Result<&'static Recipe> {
    RECIPES
        .iter()
        .find(|recipe| recipe.is_called(name))
        .ok_or_else(|| {
            let known: Vec<_> = RECIPES.iter().map(|recipe| recipe.name).collect();
            Error::new(
                Kind::OptionInvalid,
                format!(
                    "There is no recipe {name:?}; there are {}.",
                    known.join(", ")
                ),
            )
        })
}
