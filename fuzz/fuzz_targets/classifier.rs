#![no_main]

promptlens_fuzz::fuzz!("classifier");
