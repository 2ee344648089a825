//! What readers know without network.

pub mod page;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use portico_model::access::sync::ReaderSync;

use crate::failure::Failure;
use crate::load::Ask;

/// All readers of doors.
#[server(name = ListReaders, prefix = "/sfn", endpoint = "access/readers", input = GetUrl)]
pub async fn list_readers() -> Result<Vec<ReaderSync>, Failure> {
    use crate::server::{access, actor, failed};

    access()?.readers(&actor()?).await.map_err(failed)
}

impl Ask for ListReaders {
    fn query(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
