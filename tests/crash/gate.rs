//! A door before the receivers that can be shut: who knocks then hears nothing at all, not even that nobody is there.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// The door; open at first.
pub(crate) struct Gate {
    address: SocketAddr,
    orders: UnboundedSender<Order>,
    /// Whoever stands in the doorway while it is shut.
    inside: Option<TcpStream>,
}

enum Order {
    Shut(oneshot::Sender<()>),
    Open,
}

impl Gate {
    /// A door to what listens at `target`.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        // One connection that nobody accepts fills the queue; the kernel then drops whatever else knocks.
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let (orders, given) = unbounded_channel();
        tokio::spawn(admit(listener, target, given));
        Self { address, orders, inside: None }
    }

    /// The endpoint of a controller, behind the door.
    pub(crate) fn url(&self, controller: usize) -> String {
        format!("http://{}/{controller}", self.address)
    }

    /// Shuts it: from now on nobody gets a connection.
    pub(crate) async fn shut(&mut self) {
        let (done, is_shut) = oneshot::channel();
        drop(self.orders.send(Order::Shut(done)));
        is_shut.await.unwrap();
        self.inside = Some(TcpStream::connect(self.address).await.unwrap());
    }

    /// Opens it again.
    pub(crate) fn open(&mut self) {
        self.inside = None;
        drop(self.orders.send(Order::Open));
    }
}

/// Lets in whoever comes, unless told to shut; ends with the gate.
async fn admit(listener: TcpListener, target: SocketAddr, mut orders: UnboundedReceiver<Order>) {
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return,
                Some(Order::Open) => {}
                Some(Order::Shut(done)) => {
                    done.send(()).unwrap_or_default();
                    while !matches!(orders.recv().await, None | Some(Order::Open)) {}
                }
            },
            came = listener.accept() => {
                let (mut outer, _) = came.unwrap();
                tokio::spawn(async move {
                    let mut inner = TcpStream::connect(target).await.unwrap();
                    drop(copy_bidirectional(&mut outer, &mut inner).await);
                });
            }
        }
    }
}
