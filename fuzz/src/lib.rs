//! libFuzzer's side of the targets: what they share with the ordinary tests is in [`targets`].

pub mod targets;

pub use cap;
pub use libfuzzer_sys;

/// A binary that libFuzzer runs on the target of this name, with the memory of [`targets::MAX_MEMORY`]: an
/// allocation beyond it fails, which a reader must answer with an error.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        #[global_allocator]
        static MEMORY: $crate::cap::Cap<std::alloc::System> =
            $crate::cap::Cap::new(std::alloc::System, $crate::targets::MAX_MEMORY);

        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::targets::run($name, bytes));
    };
}
