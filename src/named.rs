//! Enums whose variants have a name in options, files and on the command line.

use crate::error::{Error, Kind, Result};

/// Declares an enum with a name for each variant, and `ALL`, `NAMES`, `name` and `parse` for it. The head
/// says how a message calls the thing and which error an unknown name is:
///
/// ```ignore
/// named_enum! {
///     /// Where it runs.
///     #[derive(Debug, Clone, Copy, PartialEq, Eq)]
///     pub enum Choice: "device", OptionInvalid {
///         /// The better of what is there.
///         Auto = "auto",
///         /// wgpu; `gpu` is taken too.
///         WebGpu = "webgpu" | "gpu",
///     }
/// }
/// ```
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $type:ident: $what:literal, $kind:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $name:literal $(| $alias:literal)*,)+
        }
    ) => {
        $(#[$meta])*
        $visibility enum $type {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $type {
            /// Every variant, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name of every variant.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The name in options and files.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The inverse of [`name`](Self::name).
            ///
            /// # Errors
            /// One that lists [`NAMES`](Self::NAMES).
            pub fn parse(name: &str) -> $crate::error::Result<Self> {
                match name {
                    $($name $(| $alias)* => Ok(Self::$variant),)+
                    _ => Err($crate::named::unknown($crate::error::Kind::$kind, $what, Self::NAMES)),
                }
            }
        }
    };
}

/// The error for a name that is none of `names`.
pub fn unknown(kind: Kind, what: &str, names: &[&str]) -> Error {
    let list = match names {
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
        [] => String::new(),
    };
    Error::new(kind, format!("The {what} is not known; use {list}."))
}

/// `None` for the name `none`, else what `parse` makes of it. `names` and `what` are for the message.
///
/// # Errors
/// `options/invalid` for an unknown name.
pub fn parse_or_none<T>(
    name: &str,
    what: &str,
    names: &[&str],
    parse: fn(&str) -> Result<T>,
) -> Result<Option<T>> {
    if name == "none" {
        return Ok(None);
    }
    let all: Vec<&str> = names.iter().copied().chain(["none"]).collect();
    parse(name)
        .map(Some)
        .map_err(|_| unknown(Kind::OptionInvalid, what, &all))
}

#[cfg(test)]
mod tests {
    use super::parse_or_none;

    named_enum! {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Fruit: "fruit", OptionInvalid {
            Apple = "apple",
            Pear = "pear" | "pyrus",
            Plum = "plum",
        }
    }

    #[test]
    fn a_name_leads_to_its_variant_and_back() {
        for fruit in Fruit::ALL {
            assert_eq!(Fruit::parse(fruit.name()).unwrap(), *fruit);
        }
        assert_eq!(Fruit::parse("pyrus").unwrap(), Fruit::Pear);
    }

    #[test]
    fn an_unknown_name_is_told_all_that_are_known() {
        let error = Fruit::parse("leek").unwrap_err();
        assert_eq!(error.code(), "options/invalid");
        assert_eq!(
            error.message(),
            "The fruit is not known; use apple, pear or plum."
        );
        let parse = |name| parse_or_none(name, "fruit", Fruit::NAMES, Fruit::parse);
        assert_eq!(parse("none").unwrap(), None);
        assert_eq!(parse("plum").unwrap(), Some(Fruit::Plum));
        assert_eq!(
            parse("leek").unwrap_err().message(),
            "The fruit is not known; use apple, pear, plum or none."
        );
    }
}
