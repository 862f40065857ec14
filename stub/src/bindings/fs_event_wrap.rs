//! `internalBinding('fs_event_wrap')`.

crate::room! {
    name: "fs_event_wrap",
}
