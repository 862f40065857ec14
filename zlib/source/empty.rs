//! There is nothing here.
