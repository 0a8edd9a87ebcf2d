//! Any mix of reads, writes, removals and counters in one call.

use std::time::Duration;

use tiny_cache_client::{
    AddOutcome, ChangeOutcome, Client, Condition, ErrorKind, Server, Step, StepOutcome,
    testing::TestServer,
};

async fn done(client: &Client, steps: impl IntoIterator<Item = Step>) -> Vec<StepOutcome> {
    client.batch(steps).await.unwrap().into_iter().map(|step| step.unwrap()).collect()
}

#[tokio::test]
async fn each_step_has_its_result_and_its_options() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    client.set("a", "old").await.unwrap();
    let minute = Duration::from_secs(60);
    let results = done(
        &client,
        [
            client.read("a").into(),
            client.write("a", "new").ttl(minute).with_previous().into(),
            client.write("a", "no").when(Condition::Absent).into(),
            client.read("a").touch(2 * minute).into(),
            client.read("a").without_value().into(),
            client.add("n", 5).at_most(7).into(),
            client.add("n", 5).at_most(7).saturating().into(),
            client.remove("a").when(Condition::Value("new".into())).into(),
            client.read("a").into(),
        ],
    )
    .await;
    assert_eq!(results[0].entry().unwrap().value.as_deref(), Some(&b"old"[..]));
    let written = results[1].change().unwrap();
    assert!(written.is_applied() && written.process_id > 0);
    assert_eq!(written.previous_value.as_deref(), Some(&b"old"[..]));
    assert_eq!(results[2].change().unwrap().outcome, ChangeOutcome::Exists);
    let read = results[3].entry().unwrap();
    assert_eq!((Some(read.version), read.process_id), (written.version, written.process_id));
    let known = results[4].entry().unwrap();
    assert!(known.value.is_none() && known.ttl_left.unwrap() > minute);
    let counted = results[5].counter().unwrap();
    assert_eq!((counted.value, counted.process_id), (5, written.process_id));
    let counted = results[6].counter().unwrap();
    assert_eq!((counted.value, counted.outcome), (7, AddOutcome::Saturated));
    assert!(results[7].change().unwrap().is_applied());
    assert_eq!(results[8], StepOutcome::Read(None));
    assert!(results[8].entry().is_none() && results[8].change().is_none());
}

/// Steps that build on one another were made out of order where parts are under way together.
#[tokio::test]
async fn many_steps_of_one_key_are_made_in_their_order() {
    let server = TestServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let steps = (0..3_500).map(|_| client.add("n", 1).into());
    let results = done(&client, steps).await;
    let counts = results.iter().map(|step| step.counter().unwrap().value);
    assert!(counts.eq(1..=3_500));
}

#[tokio::test]
async fn a_step_that_is_refused_fails_alone() {
    let server = TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "1000")]).await.unwrap();
    let client = server.client().await.unwrap();
    client.set("text", "no number").await.unwrap();
    let results = client
        .batch([
            client.write("", "v").into(),
            client.read("a").namespace("elsewhere").into(),
            client.write("big", vec![0; 1001]).into(),
            client.add("text", 1).into(),
            client.write("a", "v").into(),
        ])
        .await
        .unwrap();
    let kinds: Vec<_> = results
        .iter()
        .map(|step| step.as_ref().err().map(tiny_cache_client::Error::kind))
        .collect();
    let invalid = Some(ErrorKind::Validation);
    let (large, other) = (Some(ErrorKind::ResourceExhausted), Some(ErrorKind::Other));
    assert_eq!(kinds, [invalid, invalid, large, other, None]);
    let text = |place: usize| results[place].as_ref().unwrap_err().to_string();
    assert!(text(1).contains("set them on the batch"), "{}", text(1));
    assert!(text(2).contains("(the value has 1001 bytes"), "{}", text(2));
    assert!(!results[2].as_ref().unwrap_err().may_have_been_applied());

    assert_eq!(done(&client, []).await, []);
    let options = client.batch([client.read("a").into()]).namespace("team").await.unwrap();
    assert_eq!(*options[0].as_ref().unwrap(), StepOutcome::Read(None));
}

#[tokio::test]
async fn values_that_a_reply_has_no_room_for_are_asked_for_again() {
    let server = TestServer::start_with([("CACHE_MAX_VALUE_BYTES", "1048576")]).await.unwrap();
    let client = server.client().await.unwrap();
    let value = vec![7; 1 << 20];
    client.set("large", value.clone()).await.unwrap();
    let results = done(&client, (0..20).map(|_| client.read("large").into())).await;
    let found = results.iter().map(|step| step.entry().unwrap().value.as_deref().unwrap());
    assert!(found.eq((0..20).map(|_| &value[..])));

    // What was written is not written again: the value that was there is lost.
    let steps = (0..6).map(|_| client.write("large", "v").with_previous().into());
    let steps: Vec<Step> = steps.collect();
    client.set("large", value.clone()).await.unwrap();
    let mut all = vec![client.read("large").into(); 5];
    all.extend(steps);
    let results = client.batch(all).await.unwrap();
    let changed = &results[5];
    let error = changed.as_ref().expect_err("the reads took the room");
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.may_have_been_applied(), "{error:?}");
    assert_eq!(client.get_text("large").await.unwrap().as_deref(), Some("v"));
}

#[tokio::test]
async fn steps_go_to_the_servers_of_their_keys() {
    let servers = [TestServer::start().await.unwrap(), TestServer::start().await.unwrap()];
    let named = servers.iter().zip(["a", "b"]);
    let named = named.map(|(server, name)| Server::new(server.address()).name(name));
    let client = Client::builder("").servers(named).connect().await.unwrap();
    let keys: Vec<_> = (0..60).map(|number| format!("k:{number}")).collect();
    let steps = keys
        .iter()
        .flat_map(|key| [client.write(key, key.clone()).into(), client.read(key).into()]);
    let results = done(&client, steps).await;
    for (key, pair) in keys.iter().zip(results.chunks(2)) {
        let read = pair[1].entry().unwrap();
        assert_eq!(read.value.as_deref(), Some(key.as_bytes()));
        assert_eq!(Some(read.version), pair[0].change().unwrap().version);
    }
    for name in ["a", "b"] {
        let only = client.on_server(name).await.unwrap();
        assert!((1..60).contains(&only.stats().await.unwrap().entries), "{name}");
    }
}
