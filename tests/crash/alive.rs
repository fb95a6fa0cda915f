//! The sign of life of the program as it is shipped.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::process::{PATIENCE, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_process_gives_a_sign_of_life() {
    let monitor = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/ping/secret-of-the-monitor", monitor.local_addr().unwrap());
    let setup = Setup::new().with("ART33_HEARTBEAT_URL", &url);
    let process = setup.start().await;
    let (mut caller, _) = timeout(PATIENCE, monitor.accept()).await.expect("it calls").unwrap();
    let mut request = [0; 1024];
    let read = caller.read(&mut request).await.unwrap();
    let request = String::from_utf8_lossy(&request[..read]).into_owned();
    assert!(request.starts_with("GET /ping/secret-of-the-monitor HTTP/1.1"), "{request}");
    caller.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    process.terminate();
    let (status, log) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("secret-of-the-monitor"), "{log}");
    assert!(!setup.answer(&["config"]).contains("secret-of-the-monitor"), "the address is a secret");
}
