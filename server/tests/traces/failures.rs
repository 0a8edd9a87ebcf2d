//! A collector that is dead, slow or unwilling costs spans, and nothing else.

use crate::{
    receiver::{Manner, Receiver},
    support::{messages::key, run},
    traced,
};

#[test]
fn a_collector_that_refuses_is_logged_once() {
    run(async {
        let receiver = Receiver::that(Manner::Refuses).await;
        let mut server = traced(&receiver, &[]);
        let mut cache = server.connect().await;
        for exports in 1..=3 {
            cache.get(key("k")).await.unwrap();
            receiver.wait(|seen| seen.requests >= exports).await;
        }
        let problem = "spans cannot be exported; they are dropped";
        let lines = server.logged();
        let told = lines.iter().filter(|line| line["fields"]["message"] == problem).count();
        assert_eq!(told, 1, "{lines:#?}");
    });
}
