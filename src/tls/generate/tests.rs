use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::*;

fn request(directory: &TempDir, clients: &[&str]) -> CertificateRequest {
    CertificateRequest {
        directory: directory.path().join("certs"),
        clients: clients.iter().map(|name| (*name).to_owned()).collect(),
        server_names: vec!["logs.example.com".to_owned(), "192.0.2.7".to_owned()],
        days: DEFAULT_DAYS,
        force: false,
    }
}

/// File names of a state.
fn names(files: &[GeneratedFile], state: FileState) -> BTreeSet<String> {
    let files = files.iter().filter(|file| file.state == state);
    files.map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn read(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

#[test]
fn everything_is_made_once_and_clients_are_added_later() {
    let directory = tempfile::tempdir().unwrap();
    let files = generate(&request(&directory, &["engine-1"])).unwrap();
    let first = ["ca.crt", "ca.key", "server.crt", "server.key", "engine-1.crt", "engine-1.key"];
    assert_eq!(names(&files, FileState::Made), set(&first));
    let contents = || files.iter().map(|file| fs::read(&file.path).unwrap()).collect::<Vec<_>>();
    let before = contents();

    let again = generate(&request(&directory, &["engine-1", "engine-2"])).unwrap();
    assert_eq!(names(&again, FileState::Kept), set(&first));
    assert_eq!(names(&again, FileState::Made), set(&["engine-2.crt", "engine-2.key"]));
    assert_eq!(contents(), before);
    let certs = directory.path().join("certs");
    assert_eq!(fs::read_dir(&certs).unwrap().count(), 8, "nothing temporary stays");
    let added = read(&certs.join("engine-2.crt"));
    let ca = read(&certs.join("ca.crt"));
    let (_, ca) = X509Certificate::from_der(&ca).unwrap();
    X509Certificate::from_der(&added).unwrap().1.verify_signature(Some(ca.public_key())).unwrap();
}

#[test]
fn force_replaces_certificates_but_never_the_authority() {
    let directory = tempfile::tempdir().unwrap();
    generate(&request(&directory, &["a", "b"])).unwrap();
    let files = generate(&CertificateRequest { force: true, ..request(&directory, &["a"]) }).unwrap();
    assert_eq!(names(&files, FileState::Kept), set(&["ca.crt", "ca.key"]));
    assert_eq!(names(&files, FileState::Made), set(&["server.crt", "server.key", "a.crt", "a.key"]));
}

#[test]
fn only_the_owner_can_read_keys() {
    let directory = tempfile::tempdir().unwrap();
    for file in generate(&request(&directory, &["a"])).unwrap() {
        let mode = fs::metadata(&file.path).unwrap().permissions().mode() & 0o777;
        let expected = if file.path.extension().unwrap() == "key" { 0o600 } else { 0o644 };
        assert_eq!(mode, expected, "{}", file.path.display());
    }
}

#[test]
fn certificates_say_what_they_are_for() {
    let directory = tempfile::tempdir().unwrap();
    let files = generate(&request(&directory, &["engine-1"])).unwrap();
    let certs = directory.path().join("certs");
    let [ca, server, client] = ["ca.crt", "server.crt", "engine-1.crt"].map(|name| read(&certs.join(name)));
    let [ca, server, client] = [&ca, &server, &client].map(|der| X509Certificate::from_der(der).unwrap().1);

    assert!(ca.is_ca() && !server.is_ca() && !client.is_ca());
    assert!(ca.key_usage().unwrap().unwrap().value.key_cert_sign());
    assert!(server.extended_key_usage().unwrap().unwrap().value.server_auth);
    assert!(client.extended_key_usage().unwrap().unwrap().value.client_auth);
    assert_eq!(client.subject().to_string(), "CN=engine-1");
    let names = &server.subject_alternative_name().unwrap().unwrap().value.general_names;
    for name in ["localhost", "logs.example.com"] {
        assert!(names.contains(&GeneralName::DNSName(name)), "{names:?}");
    }
    for address in [&[127, 0, 0, 1][..], &[192, 0, 2, 7], &Ipv6Addr::LOCALHOST.octets()] {
        assert!(names.contains(&GeneralName::IPAddress(address)), "{names:?}");
    }

    let now = jiff::Timestamp::now().as_second();
    let days = |certificate: &X509Certificate<'_>| {
        (certificate.validity().not_after.timestamp() - now + 60) / 86_400
    };
    assert_eq!((days(&ca), days(&server), days(&client)), (3650, 825, 825));
    assert!(server.validity().not_before.timestamp() <= now - 3_600);
    assert_eq!(files[2].valid_until.as_second(), server.validity().not_after.timestamp());
}

#[test]
fn no_certificate_outlives_its_authority() {
    let directory = tempfile::tempdir().unwrap();
    let files = generate(&CertificateRequest { days: MAX_DAYS, ..request(&directory, &["a"]) }).unwrap();
    assert!(files.iter().all(|file| file.valid_until <= files[0].valid_until));
    for days in [0, MAX_DAYS + 1] {
        let error = generate(&CertificateRequest { days, ..request(&directory, &[]) }).unwrap_err();
        assert!(matches!(error, GenerateError::Days { .. }));
    }
}

#[test]
fn names_lead_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let long = "n".repeat(MAX_NAME_LENGTH + 1);
    for name in ["", "ca", "server", "../x", "a/b", ".x", "-x", "a b", "飛脚", &long] {
        let error = generate(&request(&directory, &[name])).unwrap_err();
        assert!(matches!(error, GenerateError::ClientName { .. }), "{name}");
    }
    let names = ["n".repeat(MAX_NAME_LENGTH), "engine_1.example.com".to_owned()];
    generate(&CertificateRequest { clients: names.to_vec(), ..request(&directory, &[]) }).unwrap();
    for name in ["", "a b", "*.*.example.com", "飛脚.example.com"] {
        let server_names = vec![name.to_owned()];
        let error = generate(&CertificateRequest { server_names, ..request(&directory, &[]) }).unwrap_err();
        assert!(matches!(error, GenerateError::ServerName { .. }), "{name}");
    }
}

#[test]
fn half_of_a_pair_is_not_guessed_at() {
    let directory = tempfile::tempdir().unwrap();
    generate(&request(&directory, &["a"])).unwrap();
    let certs = directory.path().join("certs");
    for (missing, present) in [("a.key", "a.crt"), ("server.crt", "server.key"), ("ca.key", "ca.crt")] {
        let content = fs::read(certs.join(missing)).unwrap();
        fs::remove_file(certs.join(missing)).unwrap();
        let error = generate(&request(&directory, &["a"])).unwrap_err().to_string();
        assert!(error.contains(&format!("{present} exists, but ")) && error.contains(missing), "{error}");
        fs::write(certs.join(missing), content).unwrap();
    }
    generate(&request(&directory, &["a"])).unwrap();
}

#[test]
fn what_belongs_to_another_authority_is_refused() {
    let ours = tempfile::tempdir().unwrap();
    let theirs = tempfile::tempdir().unwrap();
    generate(&request(&ours, &[])).unwrap();
    generate(&request(&theirs, &[])).unwrap();
    let path = |directory: &TempDir, name: &str| directory.path().join("certs").join(name);

    for name in ["server.crt", "server.key"] {
        fs::copy(path(&theirs, name), path(&ours, name)).unwrap();
    }
    let error = generate(&request(&ours, &[])).unwrap_err();
    assert!(matches!(error, GenerateError::ForeignCertificate { .. }), "{error}");
    generate(&CertificateRequest { force: true, ..request(&ours, &[]) }).unwrap();

    fs::copy(path(&theirs, "ca.key"), path(&ours, "ca.key")).unwrap();
    let error = generate(&request(&ours, &[])).unwrap_err();
    assert!(matches!(error, GenerateError::ForeignKey { .. }), "{error}");

    fs::copy(path(&ours, "server.crt"), path(&ours, "ca.crt")).unwrap();
    fs::copy(path(&ours, "server.key"), path(&ours, "ca.key")).unwrap();
    let error = generate(&request(&ours, &[])).unwrap_err();
    assert!(matches!(error, GenerateError::NoAuthority { .. }), "{error}");

    fs::write(path(&ours, "ca.crt"), "nonsense").unwrap();
    let error = generate(&request(&ours, &[])).unwrap_err();
    assert!(matches!(error, GenerateError::BadCertificate { .. }), "{error}");
}

#[test]
fn server_and_client_trust_each_other() {
    let directory = tempfile::tempdir().unwrap();
    generate(&request(&directory, &["engine-1"])).unwrap();
    let path = |name: &str| directory.path().join("certs").join(name);
    let key = |name| PrivateKeyDer::from_pem_file(path(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read(&path("ca.crt"))).unwrap();
    let roots = Arc::new(roots);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build().unwrap();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![read(&path("server.crt"))], key("server.key"))
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![read(&path("engine-1.crt"))], key("engine-1.key"))
        .unwrap();
    let (server, client) = (Arc::new(server), Arc::new(client));
    for name in ["localhost", "logs.example.com", "127.0.0.1", "::1", "192.0.2.7"] {
        let mut server = ServerConnection::new(server.clone()).unwrap();
        let mut client = ClientConnection::new(client.clone(), ServerName::try_from(name).unwrap()).unwrap();
        while server.is_handshaking() || client.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            bytes.clear();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut bytes.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        assert_eq!(server.peer_certificates().unwrap(), [read(&path("engine-1.crt"))]);
    }
}

/// Serial numbers on the list, and its own number.
fn published(directory: &TempDir) -> (Vec<Vec<u8>>, u64) {
    let der = CertificateRevocationListDer::from_pem_file(directory.path().join("certs/ca.crl")).unwrap();
    let (_, list) = CertificateRevocationList::from_der(&der).unwrap();
    let serials = list.iter_revoked_certificates().map(|entry| entry.raw_serial().to_vec()).collect();
    (serials, u64::try_from(list.crl_number().unwrap()).unwrap())
}

#[test]
fn revoked_certificates_stay_on_the_list() {
    let directory = tempfile::tempdir().unwrap();
    let certs = directory.path().join("certs");
    generate(&request(&directory, &["a", "b"])).unwrap();
    let serial = |name: &str| {
        let der = read(&certs.join(name));
        X509Certificate::from_der(&der).unwrap().1.raw_serial().to_vec()
    };
    let revoke = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        revoke(&certs, &names)
    };
    let file = revoke(&[]).unwrap();
    assert_eq!((file.path, file.state), (certs.join("ca.crl"), FileState::Made));
    assert_eq!(published(&directory), (vec![], 1));
    revoke(&["a"]).unwrap();
    let old = serial("a.crt");
    generate(&CertificateRequest { force: true, ..request(&directory, &["a"]) }).unwrap();
    revoke(&["b", "a", "b"]).unwrap();
    revoke(&[]).unwrap();
    assert_eq!(published(&directory), (vec![old, serial("b.crt"), serial("a.crt")], 4));
}

#[test]
fn only_what_the_authority_issued_is_revoked() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let certs = |directory: &TempDir| directory.path().join("certs");
    let error = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        revoke(&certs(&ours), &names).unwrap_err()
    };
    assert!(matches!(error(&[]), GenerateError::Missing { .. }), "no authority is made for it");
    generate(&request(&ours, &["a"])).unwrap();
    generate(&request(&theirs, &["b"])).unwrap();
    assert!(matches!(error(&["b"]), GenerateError::Missing { .. }));
    assert!(matches!(error(&["../certs/a"]), GenerateError::ClientName { .. }));
    std::fs::copy(certs(&theirs).join("b.crt"), certs(&ours).join("b.crt")).unwrap();
    assert!(matches!(error(&["b"]), GenerateError::ForeignCertificate { .. }));
    revoke(&certs(&theirs), &[]).unwrap();
    std::fs::copy(certs(&theirs).join("ca.crl"), certs(&ours).join("ca.crl")).unwrap();
    assert!(matches!(error(&["a"]), GenerateError::ForeignList { .. }));
    std::fs::write(certs(&ours).join("ca.crl"), "nonsense").unwrap();
    assert!(matches!(error(&["a"]), GenerateError::BadList { .. }));
}
