//! Names that lie: against answers handed in, and against a name server on loopback that says whatever it likes.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::proto::op::{Message, OpCode, Query};
use hickory_resolver::proto::rr::rdata::{A, CNAME};
use hickory_resolver::proto::rr::{Name as DomainName, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::*;
use crate::domain::delivery_outcome::{FailureKind, Outcome};
use crate::outbound::{Outbound, OutboundSettings};

fn guarded(lookup: Lookup) -> GuardedResolver {
    GuardedResolver::new(Arc::new(Guard::new(&OutboundSettings::default())), lookup)
}

/// A resolver whose name server gives these answers one after the other, and the last one ever after.
fn resolver(answers: &'static [&'static [&'static str]]) -> GuardedResolver {
    let asked = AtomicUsize::new(0);
    guarded(Arc::new(move |_| {
        let answer = answers[asked.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
        let addresses = answer.iter().map(|address| address.parse().unwrap()).collect();
        futures::future::ready(Ok(addresses)).boxed()
    }))
}

async fn resolve(resolver: &GuardedResolver) -> Result<Vec<String>, ResolveFault> {
    let found = resolver.resolve("receiver.example".parse().unwrap()).await;
    found
        .map(|addresses| addresses.map(|address| address.ip().to_string()).collect())
        .map_err(|error| *error.downcast::<ResolveFault>().unwrap())
}

#[tokio::test]
async fn exactly_the_addresses_that_were_judged_are_dialled() {
    let public = resolver(&[&["1.1.1.1", "2a00:1450:4001::1"]]);
    assert_eq!(resolve(&public).await.unwrap(), ["1.1.1.1", "2a00:1450:4001::1"]);
}

#[tokio::test]
async fn one_inner_address_among_public_ones_refuses_the_name() {
    for inner in ["10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1", "0.0.0.0"] {
        let answer: &'static [&'static str] = Box::leak(Box::new(["1.1.1.1", inner]));
        assert_eq!(resolve(&resolver(Box::leak(Box::new([answer])))).await, Err(ResolveFault::Forbidden), "{inner}");
    }
}

#[tokio::test]
async fn a_name_that_turns_inwards_between_two_requests_is_judged_anew() {
    let rebinding = resolver(&[&["1.1.1.1"], &["169.254.169.254"], &["1.1.1.1"]]);
    assert!(resolve(&rebinding).await.is_ok());
    assert_eq!(resolve(&rebinding).await, Err(ResolveFault::Forbidden));
    assert!(resolve(&rebinding).await.is_ok());
}

#[tokio::test]
async fn a_name_without_addresses_is_not_found() {
    assert_eq!(resolve(&resolver(&[&[]])).await, Err(ResolveFault::NotFound));
}

/// What a name server answers to one question.
type Said = (ResponseCode, Vec<Record>);
/// What it answers to every one, which are counted; nothing for silence.
type Answers = fn(&Query, usize) -> Option<Said>;

/// A resolver, with the settings of the service, that asks a name server on loopback which answers so.
async fn asking(answers: Answers) -> GuardedResolver {
    guarded(lookup_at(answers).await)
}

/// The look-up alone.
async fn lookup_at(answers: Answers) -> Lookup {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    connections[0].port = udp.local_addr().unwrap().port();
    connections[1].port = tcp.local_addr().unwrap().port();
    tokio::spawn(serve(udp, tcp, answers));
    let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, connections.into());
    let config = ResolverConfig::from_name_servers(vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    lookup_with(Some(built(builder).unwrap()))
}

async fn serve(udp: UdpSocket, tcp: TcpListener, answers: Answers) {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut question = [0; 1024];
    loop {
        tokio::select! {
            Ok((length, from)) = udp.recv_from(&mut question) => {
                let Some(mut answer) = answered(&question[..length], answers, &asked) else { continue };
                if answer.to_vec().unwrap().len() > 512 {
                    // What does not fit into a packet is to be had by TCP.
                    answer.answers.clear();
                    answer.metadata.truncation = true;
                }
                udp.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
            Ok((stream, _)) = tcp.accept() => {
                tokio::spawn(serve_connection(stream, answers, Arc::clone(&asked)));
            }
        }
    }
}

async fn serve_connection(mut stream: TcpStream, answers: Answers, asked: Arc<AtomicUsize>) {
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await.unwrap();
        let answer = answered(&question, answers, &asked).unwrap().to_vec().unwrap();
        stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
        stream.write_all(&answer).await.unwrap();
    }
}

fn answered(question: &[u8], answers: Answers, asked: &AtomicUsize) -> Option<Message> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let (code, records) = answers(&query, asked.fetch_add(1, Ordering::Relaxed))?;
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.response_code = code;
    answer.metadata.recursion_available = true;
    answer.add_query(query);
    answer.add_answers(records);
    Some(answer)
}

/// These addresses, to whoever asks for such.
fn addresses(query: &Query, addresses: impl IntoIterator<Item = Ipv4Addr>) -> Said {
    let record = |address| Record::from_rdata(query.name().clone(), 0, RData::A(A(address)));
    let records =
        if query.query_type() == RecordType::A { addresses.into_iter().map(record).collect() } else { vec![] };
    (ResponseCode::NoError, records)
}

#[tokio::test]
async fn a_name_server_is_believed_as_far_as_the_guard_lets_it() {
    let good = asking(|query, _| Some(addresses(query, [Ipv4Addr::new(1, 1, 1, 1)]))).await;
    assert_eq!(resolve(&good).await.unwrap(), ["1.1.1.1"]);
    let mixed = asking(|query, _| Some(addresses(query, [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::LOCALHOST]))).await;
    assert_eq!(resolve(&mixed).await, Err(ResolveFault::Forbidden));
}

#[tokio::test]
async fn a_hundred_addresses_are_all_judged() {
    let many = asking(|query, _| Some(addresses(query, (1..=100).map(|last| Ipv4Addr::new(1, 1, 1, last))))).await;
    assert_eq!(resolve(&many).await.unwrap().len(), 100);
    let last_is_inner = asking(|query, _| {
        let public = (1..=99).map(|last| Ipv4Addr::new(1, 1, 1, last));
        Some(addresses(query, public.chain([Ipv4Addr::new(10, 0, 0, 1)])))
    })
    .await;
    assert_eq!(resolve(&last_is_inner).await, Err(ResolveFault::Forbidden));
}

#[tokio::test]
async fn a_name_that_rebinds_with_every_question_is_judged_with_every_request() {
    // Each request asks twice, for either kind of address.
    let rebinding = asking(|query, asked| {
        let address = if asked < 2 { Ipv4Addr::new(1, 1, 1, 1) } else { Ipv4Addr::new(169, 254, 169, 254) };
        Some(addresses(query, [address]))
    })
    .await;
    assert_eq!(resolve(&rebinding).await.unwrap(), ["1.1.1.1"]);
    assert_eq!(resolve(&rebinding).await, Err(ResolveFault::Forbidden));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_from_servers_that_fail() {
    let missing = asking(|_, _| Some((ResponseCode::NXDomain, Vec::new()))).await;
    assert_eq!(resolve(&missing).await, Err(ResolveFault::NotFound));
    let empty = asking(|_, _| Some((ResponseCode::NoError, Vec::new()))).await;
    assert_eq!(resolve(&empty).await, Err(ResolveFault::NotFound));
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        let failing: Answers = match code {
            ResponseCode::ServFail => |_, _| Some((ResponseCode::ServFail, Vec::new())),
            _ => |_, _| Some((ResponseCode::Refused, Vec::new())),
        };
        assert_eq!(resolve(&asking(failing).await).await, Err(ResolveFault::Unavailable), "{code}");
    }
}

/// Two names that are aliases of each other.
#[expect(clippy::unnecessary_wraps, reason = "one of several answers")]
fn circle(query: &Query, _: usize) -> Option<Said> {
    let other = if query.name().to_ascii().starts_with("receiver") { "other.example." } else { "receiver.example." };
    let target = RData::CNAME(CNAME(DomainName::from_ascii(other).unwrap()));
    Some((ResponseCode::NoError, vec![Record::from_rdata(query.name().clone(), 0, target)]))
}

#[tokio::test]
async fn names_that_lead_in_circles_or_nowhere_come_to_an_end() {
    assert!(resolve(&asking(circle).await).await.is_err());
    let to_inside = asking(|query, _| {
        let target = DomainName::from_ascii("metadata.example.").unwrap();
        let address = Record::from_rdata(target.clone(), 0, RData::A(A(Ipv4Addr::new(169, 254, 169, 254))));
        let alias = Record::from_rdata(query.name().clone(), 0, RData::CNAME(CNAME(target)));
        Some((ResponseCode::NoError, vec![alias, address]))
    })
    .await;
    assert_eq!(resolve(&to_inside).await, Err(ResolveFault::Forbidden));
}

#[tokio::test]
async fn a_silent_name_server_is_given_up() {
    let silent = asking(|_, _| None).await;
    assert_eq!(resolve(&silent).await, Err(ResolveFault::Unavailable));
}

#[tokio::test]
async fn a_request_to_a_name_that_leads_nowhere_ends_in_time_and_says_why() {
    let (missing, failing) = (Outcome::Configuration(FailureKind::Dns), Outcome::Transient(FailureKind::Dns));
    let cases: [(&str, Answers, Outcome); 4] = [
        ("no such name", |_, _| Some((ResponseCode::NXDomain, Vec::new())), missing),
        ("servers that fail", |_, _| Some((ResponseCode::ServFail, Vec::new())), failing),
        // The time for a connection, of which the name is a part, is over before the look-up gives up.
        ("silence", |_, _| None, Outcome::Transient(FailureKind::Connect)),
        ("a circle", circle, missing),
    ];
    let settings = OutboundSettings::default();
    for (name, answers, outcome) in cases {
        let outbound = Outbound::with_lookup(&settings, lookup_at(answers).await).unwrap();
        let exchange = outbound.post(&"https://receiver.example/x".parse().unwrap(), Vec::new(), Vec::new()).await;
        assert_eq!((exchange.outcome, exchange.status, exchange.peer.as_deref()), (outcome, None, None), "{name}");
        assert!(exchange.duration < settings.connect_timeout + Duration::from_millis(500), "{name}: {exchange:?}");
    }
}
