//! A client's site, two name servers, a resolver and two witnesses; and one look at it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mailflow::app::look::{self, Look, Progress};
use mailflow::config::{self, Config};
use mailflow::inventory::{Inventory, Surroundings};
use mailflow::model::{ClientId, Code, DomainName, State, Subject, Target, Verdict};
use mailflow::net::Net as _;
use mailflow::net::fake::{FakeNet, MailServer, Peer};
use mailflow::net::trust::Trust;
use mailflow::picture::Learnt;
use mailflow::probe::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub const ROUTER: [u8; 4] = [198, 51, 100, 1];
pub const MX: [u8; 4] = [198, 51, 100, 10];
pub const RESOLVER: [u8; 4] = [192, 0, 2, 52];
pub const NAME_SERVERS: [[u8; 4]; 2] = [[192, 0, 2, 53], [192, 0, 2, 54]];
pub const ANCHOR: [u8; 4] = [192, 0, 2, 200];

/// How long a look may take.
pub const DEADLINE: Duration = Duration::from_secs(50);

pub const CONFIG: &str = r#"
[vantage]
name = "hq"
helo = "probe.msp.test"
anchors = ["ping:192.0.2.200", "smtp:192.0.2.200:25"]
[resolver]
servers = ["192.0.2.52"]
[probes]
timeout = "4s"
greeting_timeout = "8s"
[[clients]]
name = "ACME"
domains = ["acme.test"]
[[clients.gateways]]
name = "hq-router"
address = "198.51.100.1"
networks = ["198.51.100.0/26"]
checks = ["ping", "tcp:443"]
"#;

const ZONES: &str = "
    test.          60 SOA 1 60
    test.          NS ns.nic.test.
    ns.nic.test.   A 192.0.2.40
    nic.msp.test.  A 192.0.2.1
    acme.test.     60 SOA 1 5
    acme.test.     NS ns1.nic.test.
    acme.test.     NS ns2.nic.test.
    ns1.nic.test.  A 192.0.2.53
    ns2.nic.test.  A 192.0.2.54
    acme.test.     5 MX 10 mx.acme.test.
    acme.test.     5 TXT v=spf1 ip4:198.51.100.0/26 -all
    _dmarc.acme.test. 5 TXT \"v=DMARC1; p=reject\"
    mx.acme.test.  5 A 198.51.100.10
";

/// An authority, and the server certificates that it or somebody else signs.
pub struct Authority {
    pub root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self {
            root,
            issuer: Issuer::new(params, key),
        }
    }

    /// A server's side of TLS, with a certificate for `name` that ends with that year.
    pub fn serves(&self, name: &str, last_year: i32) -> Arc<ServerConfig> {
        self.shows(name, last_year, &[])
    }

    /// Likewise, with the authority's own certificate after it.
    pub fn serves_with_issuer(&self, name: &str, last_year: i32) -> Arc<ServerConfig> {
        self.shows(name, last_year, std::slice::from_ref(&self.root))
    }

    fn shows(&self, name: &str, last_year: i32, more: &[CertificateDer<'static>]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(last_year, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert([&[certificate], more].concat(), PrivateKeyDer::from(key));
        Arc::new(server.unwrap())
    }
}

/// The small internet and ourselves in it.
pub struct World {
    pub net: FakeNet,
    pub config: Config,
    pub learnt: Learnt,
    pub authority: Authority,
}

/// What a look gave.
pub struct Looked {
    pub verdict: Arc<Verdict>,
    pub elapsed: Duration,
    /// The probes that ran, in the order in which they began.
    pub probes: Vec<Subject>,
}

impl Looked {
    pub fn code(&self) -> Option<Code> {
        self.verdict.cause.as_ref().map(|cause| cause.code)
    }

    /// State, cause and exit code.
    pub fn outcome(&self) -> (State, &'static str, u8) {
        let state = self.verdict.state;
        (state, self.code().map_or("", Code::as_str), state.exit_code())
    }

    pub fn warnings(&self) -> Vec<&'static str> {
        self.verdict.also.iter().map(|one| one.code.as_str()).collect()
    }
}

impl World {
    /// All is well.
    pub fn healthy() -> Self {
        let net = FakeNet::new();
        net.load(ZONES).unwrap();
        net.resolver(RESOLVER);
        for server in NAME_SERVERS {
            net.host(server);
        }
        net.host(ANCHOR);
        net.listen((ANCHOR, 25), Peer::mail("anchor.nic.test"));
        net.host(ROUTER);
        let authority = Authority::new("Lab Root");
        let world = Self {
            net,
            config: configured(CONFIG),
            learnt: Learnt::default(),
            authority,
        };
        world.mail_server(MX, world.secured());
        world
    }

    /// A mail server with a good certificate.
    pub fn secured(&self) -> MailServer {
        MailServer::new("mx.acme.test").with_tls(self.authority.serves("mx.acme.test", 2027))
    }

    pub fn mail_server(&self, address: [u8; 4], server: MailServer) {
        self.net.listen((address, 25), Peer::Mail(Box::new(server)));
    }

    /// What a daemon would have learnt of a router that answers.
    pub fn router_known(&mut self) {
        let client = ClientId::parse("acme").unwrap();
        self.learnt.see_gateway(&client, &"hq-router".into());
    }

    /// One look at acme.test.
    pub async fn look(&self) -> Looked {
        let domain = DomainName::parse("acme.test").unwrap();
        let mut inventory = Inventory::new(&self.config, &Surroundings::default());
        inventory.add_domain(&self.config, domain.clone());
        let context = Context {
            resolvers: Arc::clone(&inventory.resolvers),
            root_keys: None,
            helo: "probe.msp.test".into(),
            ipv6: false,
            snmp: Arc::default(),
            canaries: Arc::default(),
        };
        let trust = Arc::new(Trust::only([self.authority.root.clone()]));
        let start: Timestamp = self.net.now();
        let mut probes = Vec::new();
        let wanted = Look {
            net: &Arc::new(self.net.clone()),
            context: &context,
            trust: &trust,
            inventory: Arc::new(inventory),
            learnt: self.learnt.clone(),
            deadline: DEADLINE,
        };
        let monitor = look::once(wanted, |step| {
            if let Progress::Began(subject) = step {
                probes.push((*subject).clone());
            }
        })
        .await;
        Looked {
            verdict: Arc::clone(monitor.verdict(&Target::Domain(domain)).unwrap()),
            elapsed: self.net.now().duration_since(start).try_into().unwrap(),
            probes,
        }
    }

    /// Bytes that the peers at an address got rid of.
    pub fn sent(&self, address: [u8; 4]) -> u64 {
        self.net.counts(IpAddr::from(address)).sent
    }
}

/// A configuration from its text.
pub fn configured(text: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mailflow.toml");
    std::fs::write(&path, text).unwrap();
    match config::load(Some(&path), std::iter::empty()) {
        Ok(loaded) => loaded.config,
        Err(problems) => panic!("{}", problems.render(false)),
    }
}

pub fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub fn smtp(address: [u8; 4]) -> Subject {
    Subject::Smtp(SocketAddr::from((address, 25)))
}
