//! What a gateway can be told about its index.

/// How many names a gateway keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexLimits {
    /// Names of all tenants; a publish of one more is answered 507 `storage_full`. Default: 1,000,000.
    pub max_names: usize,
}

impl Default for IndexLimits {
    fn default() -> Self {
        Self {
            max_names: 1_000_000,
        }
    }
}
