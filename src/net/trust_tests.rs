use rcgen::{CertificateParams, KeyPair};
use rstest::rstest;

use super::*;
use pki::{Authority, Identity};

/// Authorities and certificates for the tests of everything that speaks TLS.
pub(crate) mod pki {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData, SigningKey,
        date_time_ymd,
    };
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    /// Days between which a certificate is valid, as years, months and days.
    pub(crate) type Days = ((i32, u8, u8), (i32, u8, u8));
    /// Valid at the time of the tests.
    pub(crate) const VALID: Days = ((2026, 1, 1), (2027, 1, 1));
    /// No longer valid then.
    pub(crate) const PAST: Days = ((2024, 1, 1), (2025, 1, 1));
    /// Not yet valid then.
    pub(crate) const TO_COME: Days = ((2027, 1, 1), (2028, 1, 1));

    /// What a server holds.
    pub(crate) struct Identity {
        pub(crate) chain: Vec<CertificateDer<'static>>,
        pub(crate) key: PrivateKeyDer<'static>,
    }

    impl Identity {
        /// A certificate that vouches for itself, as `openssl req -x509` makes it (`authority`), or not.
        pub(crate) fn self_signed(name: &str, days: Days, authority: bool) -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = params(&[name], days);
            if authority {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            let certificate = params.self_signed(&key).unwrap();
            Self {
                chain: vec![certificate.der().clone()],
                key: key.into(),
            }
        }
    }

    /// An X.509 certificate of version 1, as `openssl x509 -req` makes it: no extensions, and so nothing that
    /// rcgen or rustls could make or read.
    pub(crate) fn version_1(name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let algorithm = der(
            0x30,
            &[&der(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]])],
        );
        let common_name = [der(0x06, &[&[0x55, 0x04, 0x03]]), der(0x0c, &[name.as_bytes()])].concat();
        let name = der(0x30, &[&der(0x31, &[&der(0x30, &[&common_name])])]);
        let days = [der(0x17, &[b"260101000000Z"]), der(0x17, &[b"270101000000Z"])].concat();
        let body = [
            &der(0x02, &[&[1]]),
            &algorithm,
            &name,
            &der(0x30, &[&days]),
            &name,
        ];
        let body: Vec<&[u8]> = body.iter().map(|part| part.as_slice()).collect();
        let public = key.subject_public_key_info();
        let body = der(0x30, &[&body.concat(), &public]);
        let signature = der(0x03, &[&[0], &key.sign(&body).unwrap()]);
        let certificate = der(0x30, &[&body, &algorithm, &signature]);
        Identity {
            chain: vec![certificate.into()],
            key: key.into(),
        }
    }

    /// One element of DER: its tag, its length in the shortest form, its parts.
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head: &[u8] = match length {
            [0, short @ 0..=127] => &[tag, short],
            [0, short] => &[tag, 0x81, short],
            [high, low] => &[tag, 0x82, high, low],
        };
        [head, &content].concat()
    }

    /// Something that signs certificates.
    pub(crate) struct Authority {
        pub(crate) certificate: CertificateDer<'static>,
        pub(crate) pem: String,
        issuer: Issuer<'static, KeyPair>,
        above: Vec<CertificateDer<'static>>,
    }

    impl Authority {
        pub(crate) fn root(name: &str) -> Self {
            let key = KeyPair::generate().unwrap();
            let params = authority_params(name, ((2020, 1, 1), (2040, 1, 1)));
            let signed = params.self_signed(&key).unwrap();
            let (certificate, pem) = (signed.der().clone(), signed.pem());
            Self {
                certificate,
                pem,
                issuer: Issuer::new(params, key),
                above: Vec::new(),
            }
        }

        /// An authority that this one vouches for, and that goes along in the chains it signs.
        pub(crate) fn intermediate(&self, name: &str, days: Days) -> Self {
            let key = KeyPair::generate().unwrap();
            let params = authority_params(name, days);
            let signed = params.signed_by(&key, &self.issuer).unwrap();
            let (certificate, pem) = (signed.der().clone(), signed.pem());
            let mut above = self.above.clone();
            above.insert(0, certificate.clone());
            Self {
                certificate,
                pem,
                issuer: Issuer::new(params, key),
                above,
            }
        }

        pub(crate) fn issue(&self, names: &[&str], days: Days) -> Identity {
            self.sign(&params(names, days))
        }

        pub(crate) fn sign(&self, params: &CertificateParams) -> Identity {
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
            let mut chain = vec![certificate];
            chain.extend(self.above.iter().cloned());
            Identity {
                chain,
                key: key.into(),
            }
        }
    }

    pub(crate) fn params(names: &[&str], (from, until): Days) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let common = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params
    }

    fn authority_params(name: &str, days: Days) -> CertificateParams {
        let mut params = params(&[], days);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }
}

const NOW: &str = "2026-11-22T00:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn judged(trust: &Trust, identity: &Identity, time: &str) -> ChainVerdict {
    trust.judge(&identity.chain[0], &identity.chain[1..], at(time))
}

fn reason(verdict: &ChainVerdict) -> &str {
    match verdict {
        ChainVerdict::Invalid { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::trusted(pki::VALID, ChainVerdict::Trusted)]
#[case::expired(pki::PAST, ChainVerdict::Expired)]
#[case::not_yet_valid(pki::TO_COME, ChainVerdict::NotYetValid)]
fn a_chain_to_a_known_root(#[case] days: pki::Days, #[case] verdict: ChainVerdict) {
    let root = Authority::root("Lab Root");
    let trust = Trust::only([root.certificate.clone()]);
    let middle = root.intermediate("Lab Issuing", ((2020, 1, 1), (2040, 1, 1)));
    assert_eq!(judged(&trust, &root.issue(&["mx.acme.test"], days), NOW), verdict);
    assert_eq!(
        judged(&trust, &middle.issue(&["mx.acme.test"], days), NOW),
        verdict
    );
}

#[test]
fn an_intermediate_that_expired_or_was_left_out() {
    let root = Authority::root("Lab Root");
    let trust = Trust::only([root.certificate.clone()]);
    let old = root
        .intermediate("Lab Issuing", pki::PAST)
        .issue(&["mx.acme.test"], pki::VALID);
    assert_eq!(judged(&trust, &old, NOW), ChainVerdict::Expired);
    let mut short = root
        .intermediate("Lab Issuing", pki::VALID)
        .issue(&["mx.acme.test"], pki::VALID);
    short.chain.truncate(1);
    assert_eq!(judged(&trust, &short, NOW), ChainVerdict::UnknownIssuer);
}

/// Whether we know an issuer or not, it vouches for what it signed, as long as all of it is in date.
#[test]
fn issuers_vouch_for_what_they_signed() {
    let trust = Trust::only([Authority::root("Lab Root").certificate]);
    let theirs = Authority::root("Theirs");
    let stranger = Authority::root("Stranger");
    let vouching = |middle: &Authority, days| {
        let mut shown = middle.issue(&["mx.acme.test"], days).chain;
        shown.push(theirs.certificate.clone());
        shown.push(stranger.certificate.clone());
        trust.vouching(&shown, at(NOW))
    };
    let (yes, no) = (Some(true), Some(false));
    let middle = theirs.intermediate("Issuing", pki::VALID);
    assert_eq!(vouching(&middle, pki::VALID), [None, yes, yes, no]);
    assert_eq!(vouching(&middle, pki::PAST), [None, no, no, no]);
    let old = theirs.intermediate("Issuing", pki::PAST);
    assert_eq!(vouching(&old, pki::VALID), [None, no, no, no]);
    assert_eq!(trust.vouching(&[], at(NOW)), []);
}

#[test]
fn issuers_that_we_do_not_know() {
    let trust = Trust::only([Authority::root("Lab Root").certificate]);
    let stranger = Authority::root("Stranger");
    let mut theirs = stranger.issue(&["mx.acme.test"], pki::VALID);
    assert_eq!(judged(&trust, &theirs, NOW), ChainVerdict::UnknownIssuer);
    theirs.chain.push(stranger.certificate.clone());
    assert_eq!(
        judged(&trust, &theirs, NOW),
        ChainVerdict::UnknownIssuer,
        "sending the root earns no trust"
    );
    let namesake = Authority::root("Lab Root").issue(&["mx.acme.test"], pki::VALID);
    assert!(matches!(
        judged(&trust, &namesake, NOW),
        ChainVerdict::UnknownIssuer | ChainVerdict::Invalid { .. }
    ));
}

#[rstest]
fn certificates_that_vouch_for_themselves(#[values(true, false)] authority: bool) {
    let valid = Identity::self_signed("mx.acme.test", pki::VALID, authority);
    let past = Identity::self_signed("mx.acme.test", pki::PAST, authority);
    let nobody = Trust::only([]);
    assert_eq!(judged(&nobody, &valid, NOW), ChainVerdict::SelfSigned);
    assert_eq!(judged(&nobody, &past, NOW), ChainVerdict::Expired);
    let named = Trust::only([valid.chain[0].clone(), past.chain[0].clone()]);
    assert_eq!(
        judged(&named, &valid, NOW),
        ChainVerdict::Trusted,
        "the operator named it"
    );
    assert_eq!(judged(&named, &past, NOW), ChainVerdict::Expired);
}

#[test]
fn a_certificate_of_version_1() {
    let server = pki::version_1("mx.acme.test");
    assert_eq!(judged(&Trust::only([]), &server, NOW), ChainVerdict::SelfSigned);
    assert_eq!(
        judged(&Trust::only([]), &server, "2027-06-01T00:00:00Z"),
        ChainVerdict::Expired
    );
    assert_eq!(
        judged(&Trust::only(server.chain.clone()), &server, NOW),
        ChainVerdict::Trusted
    );
}

#[test]
fn other_faults_are_said_in_words() {
    let root = Authority::root("Lab Root");
    let trust = Trust::only([root.certificate.clone()]);
    let mut client_only = pki::params(&["mx.acme.test"], pki::VALID);
    client_only.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    assert_eq!(
        reason(&judged(&trust, &root.sign(&client_only), NOW)),
        "it is not meant for servers"
    );
    let mut noise = root.issue(&["mx.acme.test"], pki::VALID);
    noise.chain[0] = CertificateDer::from(vec![0x30, 0x80, 0x1b, 0x5b]);
    assert_eq!(
        reason(&judged(&trust, &noise, NOW)),
        "a certificate cannot be read"
    );
    let authority = Identity {
        chain: vec![root.intermediate("Lab Issuing", pki::VALID).certificate],
        key: KeyPair::generate().unwrap().into(),
    };
    assert_eq!(reason(&judged(&trust, &authority, NOW)), "CaUsedAsEndEntity");
}

#[test]
fn a_verdict_is_remembered_until_a_certificate_changes_its_validity() {
    use ChainVerdict::{Expired, NotYetValid, Trusted};
    let root = Authority::root("Lab Root");
    let trust = Trust::only([root.certificate.clone()]);
    let server = root.issue(&["mx.acme.test"], pki::VALID);
    let verdicts = |times: &[&str]| -> Vec<ChainVerdict> {
        times.iter().map(|time| judged(&trust, &server, time)).collect()
    };
    assert_eq!(
        verdicts(&[
            "2025-12-31T23:59:59.999Z",
            "2026-01-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
            "2027-01-01T00:00:00.999Z",
            "2027-01-01T00:00:01Z",
            "2026-06-01T00:00:00Z",
        ]),
        [NotYetValid, Trusted, Trusted, Trusted, Expired, Trusted]
    );
    let known = trust.verdicts.len();
    assert_eq!(known, 1, "one chain, one entry");
}

#[test]
fn a_remembered_verdict_is_not_formed_again() {
    let trust = Trust::only([]);
    let server = Identity::self_signed("mx.acme.test", pki::VALID, true);
    assert_eq!(judged(&trust, &server, NOW), ChainVerdict::SelfSigned);
    // Put a verdict that nobody would form where the first one is kept: it must come back.
    trust.verdicts.overwrite(&ChainVerdict::Revoked);
    assert_eq!(
        judged(&trust, &server, "2026-12-31T00:00:00Z"),
        ChainVerdict::Revoked
    );
}

#[test]
fn chains_are_told_apart_by_where_one_certificate_ends() {
    let (one, two) = (CertificateDer::from(vec![1, 2]), CertificateDer::from(vec![3]));
    let (three, four) = (CertificateDer::from(vec![1]), CertificateDer::from(vec![2, 3]));
    assert_ne!(fingerprint([&one, &two]), fingerprint([&three, &four]));
}

#[test]
fn roots_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let root = Authority::root("Lab Root");
    let server = root.issue(&["mx.acme.test"], pki::VALID);
    let own = CertificateParams::new(vec!["x.test".to_owned()]).unwrap();
    let own = own.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let root_pem = write("root.pem", &root.pem);
    let several = write("several.pem", &format!("# ours\n{}\n{}", own.pem(), root.pem));
    for path in [root_pem, several] {
        let (trust, _) = Trust::load(&[path]).unwrap();
        assert_eq!(judged(&trust, &server, NOW), ChainVerdict::Trusted);
    }

    let message = |path: PathBuf| {
        let text = Trust::load(&[path]).unwrap_err().to_string();
        text.replace(&folder.path().display().to_string(), "DIR")
    };
    let texts = [
        message(folder.path().join("missing.pem")),
        message(write("empty.pem", "nothing here\n")),
        message(write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB")),
        message(write(
            "odd.pem",
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
        )),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    DIR/missing.pem: No such file or directory (os error 2)
    DIR/empty.pem: there is no certificate in it
    DIR/cut.pem: a certificate is cut off: its END line is missing
    DIR/odd.pem: a certificate is no base64
    ");
}

#[test]
fn there_are_always_roots() {
    let (trust, _) = Trust::load(&[]).unwrap();
    assert!(!trust.roots.is_empty());
}
