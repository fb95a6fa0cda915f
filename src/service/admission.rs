//! Who may be sent to now: an endpoint or a host that is busy with others has to wait.

use std::collections::HashMap;

use url::Url;

use crate::domain::endpoint::EndpointId;
use crate::store::deliveries::Claimed;
use crate::store::endpoints::Target;

/// The deliveries that may go now, and those whose endpoint or host is busy with others.
pub(super) fn admitted<P>(
    claimed: Vec<Claimed>,
    targets: &HashMap<String, Target>,
    mut admit: impl FnMut(&EndpointId, &str) -> Option<P>,
) -> (Vec<(Claimed, P)>, Vec<Claimed>) {
    let (mut passed, mut busy) = (Vec::with_capacity(claimed.len()), Vec::new());
    for claimed in claimed {
        let pass = targets.get(&claimed.endpoint_id).and_then(|target| admit(&target.id, &host(target)));
        match pass {
            Some(pass) => passed.push((claimed, pass)),
            None => busy.push(claimed),
        }
    }
    (passed, busy)
}

/// What the limit of a host counts: host and port of a webhook, the domain of a mailbox.
fn host(target: &Target) -> String {
    let of_url = |url: Url| url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
    match target.id {
        EndpointId::Webhook(_) => Url::parse(&target.address).map(of_url).unwrap_or_default(),
        EndpointId::Mailbox(_) => target.address.rsplit('@').next().unwrap_or_default().to_ascii_lowercase(),
    }
}
