//! What versions change and whom they concern.
