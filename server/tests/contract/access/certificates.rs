//! Those whom a client's certificate names.

use tonic::Code;

use crate::support::{
    Deployment,
    certificates::Identity,
    messages::every_call,
    wire::{Wire, stream_as},
};
use tiny_cache_test_support::certificates::Authority;

use super::{
    callers::{Caller, Files, callers},
    table::{code, expected},
};

crate::rows_on!(over_tls, Tls, a_certificate_says_who_its_holder_is);
crate::rows_on!(by_hyper_over_tls, ByHyperOverTls, a_certificate_says_who_its_holder_is);

const NAMES: [(&str, &str); 3] = [
    ("uri", "certificate:spiffe://example.org/web"),
    ("dns", "certificate:web.example.org"),
    ("cn", "certificate:Web"),
];

fn vars<'a>(authority: &'a str, name: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("CACHE_TLS_REQUIRE_CLIENT_AUTH", "true"),
        ("CACHE_TLS_CLIENT_CA_PATH", authority),
        ("CACHE_ACCESS_CERTIFICATE_IDENTITY", name),
    ]
}

async fn a_certificate_says_who_its_holder_is(on: Deployment) {
    let files = Files::new();
    let authority = Authority::new("clients");
    files.write("authority.pem", &authority.pem());
    let named = authority.sign_client("spiffe://example.org/web", "WEB.example.org", "Web");
    // Called like a token that may do everything, and with nothing that could be a URI.
    let ops = authority.sign(&["ops"]);
    for (name, identity) in NAMES {
        let path = files.path("authority.pem");
        let site = files.start_with(on, &vars(&path, name));
        let open = async |certificate: &Identity| {
            Wire::open(stream_as(site.grpc_addr(), certificate).await).await
        };
        let (mut web, mut other) = (open(&named).await, open(&ops).await);
        let bare = Caller { what: "a certificate", authorization: None, identity: None };
        // rcgen gives a certificate a common name of its own.
        let stranger = match name {
            "uri" => None,
            "dns" => Some("certificate:ops"),
            _ => Some("certificate:rcgen self signed cert"),
        };
        for call in every_call() {
            for namespace in ["", "shop", "shop-eu", "-"] {
                let place = (namespace != "-").then_some(namespace);
                let got = code(&mut web, &call, &bare, namespace).await;
                assert_eq!(got, expected(Some(identity), call.rpc, place), "{name}: {}", call.rpc);
                let got = code(&mut other, &call, &bare, namespace).await;
                assert_eq!(got, expected(stranger, call.rpc, place), "{name}: {}", call.rpc);
            }
            // A token decides, be it for more or for less; a bad one is no way back to the rest.
            for caller in &callers() {
                if caller.authorization.is_some() {
                    let got = code(&mut web, &call, caller, "shop").await;
                    let by_token = expected(caller.identity, call.rpc, Some("shop"));
                    assert_eq!(got, by_token, "{name}: {} by {}", call.rpc, caller.what);
                }
            }
        }
    }
}

/// Where certificates alone say who callers are, `authorization` is somebody else's matter.
#[test]
fn metadata_that_no_setting_asks_for_is_passed_over() {
    crate::support::run(async {
        let files = Files::new();
        let authority = Authority::new("clients");
        files.write("authority.pem", &authority.pem());
        let path = files.path("authority.pem");
        let rules = files.path("rules.toml");
        let mut all = vars(&path, "uri").to_vec();
        all.push(("CACHE_ACCESS_RULES_PATH", &rules));
        let site = Deployment::Tls.start_with(&all);
        let named = authority.sign_client("spiffe://example.org/web", "x", "y");
        let mut wire = Wire::open(stream_as(site.grpc_addr(), &named).await).await;
        let get = &every_call()[0];
        for caller in callers() {
            let got = code(&mut wire, get, &caller, "shop").await;
            assert_eq!(got, Code::Ok, "{}", caller.what);
        }
    });
}
