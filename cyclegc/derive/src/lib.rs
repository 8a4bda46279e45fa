//! `#[derive(Trace)]` for `cpymem-cyclegc`.
