//! What DNS says of domains, for a first configuration.

use super::*;
use crate::app::start;
use crate::app::survey::survey;
use crate::model::dns::{Exchange, Lookup};

const ZONES: &str = "
    hosted.test.                     5 MX 1 aspmx.l.google.com.
    google._domainkey.hosted.test.   5 TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"
    parked.test.                     5 MX 0 .
";

#[tokio::test(start_paused = true)]
async fn dns_tells_provider_and_keys_and_no_server_is_bothered() {
    let bench = Bench::new();
    bench.net.add(ZONES).unwrap();
    let config = daemon::configured(CONFIG);
    let (_, context, trust) = start::vantage(&config, &bench.net).unwrap();
    let names = ["acme.test", "hosted.test", "parked.test", "nowhere.test"];
    let names = names.map(|text| DomainName::parse(text).unwrap());
    let mut done = 0;
    let found = survey(&bench.net, &context, &trust, &names, || done += 1).await;
    assert_eq!(done, 4);
    let seen: Vec<_> = found.iter().map(|one| one.domain.clone()).collect();
    assert_eq!(seen, names);
    assert!(found[0].provider.is_none() && found[0].dkim.is_empty());
    assert_eq!(&*found[1].provider.as_ref().unwrap().name, "Google");
    assert_eq!(found[1].dkim, ["google"]);
    let parked = found[2].mx.as_ref().unwrap().records().unwrap();
    assert_eq!(parked[0].exchange, Exchange::Null);
    assert!(matches!(found[3].mx, Some(Lookup::NxDomain { .. })));
    assert_eq!(bench.net.counts(MX_ACME).dials, 0);
}
