//! Real Redis servers as child processes, on free loopback ports and in folders of their own.
//!
//! Each ends with the process that started it, however that ends: a shell waits for the end of its
//! input, which is when the test is gone, and kills the server then.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The server, or one that is called in the same way, such as valkey-server.
fn program() -> String {
    std::env::var("TINY_CACHE_TEST_REDIS").unwrap_or_else(|_| "redis-server".to_owned())
}

/// How long a start, or a change of a cluster, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the server, and kills it when the input ends.
const UNTIL_INPUT_ENDS: &str = r#"
"$@" </dev/null >/dev/null 2>&1 &
server=$!
echo "$server"
read -r _
kill -CONT "$server" 2>/dev/null
kill -KILL "$server" 2>/dev/null
wait
"#;

/// A running server. Dropping it kills it.
pub(crate) struct Redis {
    port: u16,
    pid: i32,
    shell: Child,
    /// Closed, it ends the server.
    _input: ChildStdin,
    folder: TempDir,
    options: Vec<String>,
}

impl Redis {
    /// A server for the whole process.
    pub(crate) fn of_this_process() -> &'static Self {
        static SHARED: LazyLock<Redis> = LazyLock::new(|| Redis::start(&[]));
        &SHARED
    }

    /// Starts a server on a free port, and waits until it answers.
    pub(crate) fn start(options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        // A port that another takes in between is one that does not answer as ours does.
        Self::run(free_port(), tempfile::tempdir().unwrap(), options)
    }

    fn run(port: u16, folder: TempDir, options: Vec<String>) -> Self {
        let program = program();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", UNTIL_INPUT_ENDS, "redis", &program, "--port", &port.to_string()]);
        shell.args(["--bind", "127.0.0.1", "--save", "", "--dir", folder.path().to_str().unwrap()]);
        shell.args(["--enable-debug-command", "yes"]).args(&options);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let input = shell.stdin.take().unwrap();
        let pid = pid.trim().parse().unwrap();
        let redis = Self { port, pid, shell, _input: input, folder, options };
        let give_up = Instant::now() + PATIENCE;
        while !redis.try_ask(&["PING"]).is_some_and(|pong| pong.starts_with("+PONG")) {
            assert!(
                Instant::now() < give_up,
                "{program} does not answer. The suite needs Redis 7 or Valkey: `apt-get install \
                 redis-server`, or set TINY_CACHE_TEST_REDIS to the program"
            );
            thread::sleep(Duration::from_millis(10));
        }
        redis
    }

    /// The port for encrypted connections, if it has one.
    fn tls_port(&self) -> Option<u16> {
        let at = self.options.iter().position(|option| option == "--tls-port")?;
        self.options[at + 1].parse().ok()
    }

    /// Where other servers, and nodes, connect to.
    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.tls_port().unwrap_or(self.port))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a command on a connection of its own, and returns the answer as it comes. It fails the
    /// test if the server refuses.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let answer = self.try_ask(command).unwrap_or_else(|| panic!("no answer to {command:?}"));
        assert!(!answer.starts_with('-'), "{command:?}: {answer}");
        answer
    }

    /// As [`Self::ask`]. `None`: there is no answer.
    pub(crate) fn try_ask(&self, command: &[&str]) -> Option<String> {
        try_ask(self.port, command)
    }

    /// Cuts the connections on which it tells of changes, and returns how many there were.
    pub(crate) fn cut_tracking(&self) -> usize {
        let clients = self.ask(&["CLIENT", "LIST"]);
        let field = |line: &str, name: &str| {
            line.split(' ').find_map(|field| field.strip_prefix(name).map(str::to_owned))
        };
        let is_tracking =
            |line: &&str| field(line, "flags=").is_some_and(|flags| flags.contains('B'));
        let ids: Vec<_> =
            clients.lines().filter(is_tracking).filter_map(|line| field(line, "id=")).collect();
        for id in &ids {
            self.ask(&["CLIENT", "KILL", "ID", id]);
        }
        ids.len()
    }

    /// Kills the server.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            assert!(Instant::now() < give_up, "the server on {} does not end", self.port);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts it again on its port. It has only what it wrote to its folder.
    pub(crate) fn restart(mut self) -> Self {
        self.kill();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let (port, options) = (self.port, std::mem::take(&mut self.options));
        drop(self);
        Self::run(port, folder, options)
    }

    /// Stops it without a word, as a network that is cut does.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let mut kill = Command::new("/bin/kill");
        kill.args([&format!("-{signal}"), &self.pid.to_string()]).stderr(Stdio::null());
        kill.status().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.signal("CONT");
        self.signal("KILL");
        // The shell waits for its input, which is dropped after this.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn try_ask(port: u16, command: &[&str]) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(socket, "*{}\r\n", command.len()).ok()?;
    for part in command {
        write!(socket, "${}\r\n{part}\r\n", part.len()).ok()?;
    }
    // Whatever it says ends with the connection, which this closes.
    socket.write_all(b"*1\r\n$4\r\nQUIT\r\n").ok()?;
    socket.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    // A sentinel does not know the word, and closes because this side has nothing more to say.
    let end = answer.rfind("+OK\r\n").or_else(|| answer.rfind("-ERR unknown command 'QUIT'"));
    end.map(|end| answer[..end].to_owned())
}

fn free_port() -> u16 {
    // The bus of a cluster has a port 10,000 above.
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}

/// The PEM files of servers that speak TLS with one another and with nodes.
pub(crate) struct Pem {
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pem {
    fn options(&self, port: u16) -> Vec<String> {
        let port = port.to_string();
        let options = [
            ("--tls-port", &*port),
            ("--tls-cert-file", &self.certificate),
            ("--tls-key-file", &self.key),
            ("--tls-ca-cert-file", &self.authority),
            ("--tls-auth-clients", "no"),
            ("--tls-replication", "yes"),
        ];
        options.iter().flat_map(|(name, value)| [*name, value]).map(str::to_owned).collect()
    }
}

/// A server with these options, and over TLS where there are files for it.
fn start(options: &[&str], pem: Option<&Pem>) -> Redis {
    let tls = pem.map(|pem| pem.options(free_port())).unwrap_or_default();
    let options: Vec<_> = options.iter().copied().chain(tls.iter().map(String::as_str)).collect();
    Redis::start(&options)
}

/// A server, a replica of it, and a sentinel that watches both. Dropping it kills them.
pub(crate) struct Watched {
    pub(crate) server: Redis,
    pub(crate) replica: Redis,
    sentinel: Sentinel,
}

struct Sentinel {
    port: u16,
    tls_port: Option<u16>,
    process: Child,
    _folder: TempDir,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Watched {
    pub(crate) fn start() -> Self {
        Self::start_over(None)
    }

    /// Likewise, all of them over TLS where there are files for it.
    pub(crate) fn start_over(pem: Option<&Pem>) -> Self {
        let quick = ["--repl-diskless-sync-delay", "0"];
        let (server, replica) = (start(&quick, pem), start(&quick, pem));
        let place = server.place().replace(':', " ");
        let [host, primary] = place.split(' ').collect::<Vec<_>>()[..] else { panic!("{place}") };
        replica.ask(&["REPLICAOF", host, primary]);
        let (folder, port, tls_port) = (tempfile::tempdir().unwrap(), free_port(), free_port());
        let file = folder.path().join("sentinel.conf");
        let mut settings = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main {place} 1\n\
             sentinel down-after-milliseconds main 700\nsentinel failover-timeout main 3000\n",
        );
        for option in pem.map(|pem| pem.options(tls_port)).unwrap_or_default().chunks(2) {
            settings += &option.join(" ").replacen("--", "", 1);
            settings.push('\n');
        }
        std::fs::write(&file, settings).unwrap();
        let mut sentinel = Command::new(program());
        sentinel.arg(file).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null());
        let process = sentinel.spawn().unwrap();
        let tls_port = pem.map(|_| tls_port);
        let sentinel = Sentinel { port, tls_port, process, _folder: folder };
        let watched = Self { server, replica, sentinel };
        let give_up = Instant::now() + PATIENCE;
        while !watched.is_whole() {
            assert!(Instant::now() < give_up, "the sentinel never knows server and replica");
            thread::sleep(Duration::from_millis(20));
        }
        watched
    }

    pub(crate) fn url(&self) -> String {
        match self.sentinel.tls_port {
            None => format!("redis-sentinel://127.0.0.1:{}/main", self.sentinel.port),
            Some(port) => format!("rediss-sentinel://127.0.0.1:{port}/main"),
        }
    }

    fn is_whole(&self) -> bool {
        let knows = try_ask(self.sentinel.port, &["SENTINEL", "REPLICAS", "main"]);
        let port = self.replica.tls_port().unwrap_or(self.replica.port);
        knows.is_some_and(|replicas| replicas.contains(&port.to_string()))
            && self.replica.ask(&["ROLE"]).contains("connected")
    }
}

/// A cluster of three primaries and three replicas. Dropping it kills them.
pub(crate) struct Cluster {
    nodes: Vec<Redis>,
}

const PRIMARIES: usize = 3;

impl Cluster {
    /// A cluster for the whole process.
    pub(crate) fn of_this_process() -> &'static Self {
        static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);
        &SHARED
    }

    pub(crate) fn start() -> Self {
        Self::start_over(None)
    }

    /// Likewise, all of it over TLS where there are files for it.
    pub(crate) fn start_over(pem: Option<&Pem>) -> Self {
        let mut options = vec!["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        let mut create = Command::new("redis-cli");
        if let Some(pem) = pem {
            options.extend(["--tls-cluster", "yes"]);
            create.args(["--tls", "--cacert", &pem.authority]);
        }
        let nodes: Vec<_> = (0..2 * PRIMARIES).map(|_| start(&options, pem)).collect();
        create.args(["--cluster", "create"]).args(nodes.iter().map(Redis::place));
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let made = create.output().expect("redis-cli comes with redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { nodes };
        cluster.wait_until("it is whole", |cluster| {
            cluster.nodes.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).contains("state:ok"))
                && cluster.nodes[PRIMARIES..]
                    .iter()
                    .all(|node| node.ask(&["ROLE"]).contains("connected"))
        });
        cluster
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(Redis::place).collect();
        let scheme = self.nodes[0].tls_port().map_or("redis", |_| "rediss");
        format!("{scheme}-cluster://{}", nodes.join(","))
    }

    pub(crate) fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// A node, to be killed.
    pub(crate) fn node_mut(&mut self, index: usize) -> &mut Redis {
        &mut self.nodes[index]
    }

    /// The numbers of the nodes that are primaries, as a node says that answers.
    pub(crate) fn primaries(&self) -> Vec<usize> {
        let is_primary =
            |node: &Redis| node.try_ask(&["ROLE"]).is_some_and(|role| role.contains("master"));
        (0..self.nodes.len()).filter(|index| is_primary(&self.nodes[*index])).collect()
    }

    /// The id of a node.
    pub(crate) fn id(&self, index: usize) -> String {
        let answer = self.nodes[index].ask(&["CLUSTER", "MYID"]);
        answer.lines().nth(1).unwrap().to_owned()
    }

    /// A command that moves slots from one primary to another, with their keys.
    pub(crate) fn mover(&self, from: usize, to: usize, slots: u16) -> Command {
        let mut mover = Command::new("redis-cli");
        mover.args(["--cluster", "reshard", &format!("127.0.0.1:{}", self.nodes[from].port)]);
        mover.args(["--cluster-from", &self.id(from), "--cluster-to", &self.id(to)]);
        mover.args(["--cluster-slots", &slots.to_string(), "--cluster-yes"]);
        mover
    }

    pub(crate) fn wait_until(&self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !reached(self) {
            assert!(Instant::now() < give_up, "the cluster never comes so far that {what}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
