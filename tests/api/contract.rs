//! The contract: operations and routes are the same, and every operation keeps its promises to strangers.
