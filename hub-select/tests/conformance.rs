//! The contract of a hub, kept by this one

hub_core::conformance!(|| Ok(Box::new(hub_select::Select::new()?)));
