//! The limit of file descriptors that the process finds.

use crate::support::{
    http::{Http, sample},
    process::Process,
    run,
};

/// Runtimes leave a container 1024, of half a million that it may have: connections were
/// refused at a tenth of the default of `CACHE_MAX_CONNECTIONS`.
#[test]
fn the_process_takes_all_descriptors_that_it_may_have() {
    run(async {
        let server = Process::start_after("ulimit -Sn 256 && ulimit -Hn 2000", &[]);
        let mut http = Http::connect(server.http_addr()).await.unwrap();
        let metrics = http.get("/metrics").await.unwrap().body;
        assert_eq!(sample(&metrics, "process_max_fds"), Some(2000.0));
    });
}
