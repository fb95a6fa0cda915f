//! Where one HTTP/1.1 message ends, for those who speak it by hand. Both sides always state the length.

/// The place of one message among received bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where the head ends.
    head: usize,
    /// Where the message ends.
    pub(super) end: usize,
}

impl Frame {
    /// The first message in `received`, once all of it is there.
    pub(super) fn find(received: &[u8]) -> Option<Self> {
        let head = received.windows(4).position(|window| window == b"\r\n\r\n")?;
        let length: usize = header(std::str::from_utf8(&received[..head]).ok()?, "content-length")?.parse().ok()?;
        let end = head + 4 + length;
        (received.len() >= end).then_some(Self { head, end })
    }

    /// Its first line and its headers.
    pub(super) fn head(self, received: &[u8]) -> &str {
        std::str::from_utf8(&received[..self.head]).unwrap_or_default()
    }

    /// Its body.
    pub(super) fn body(self, received: &[u8]) -> &[u8] {
        &received[self.head + 4..self.end]
    }
}

/// The header `name` of a head, in lower case.
pub(super) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::{Frame, header};

    #[test]
    fn a_message_is_whole_when_its_last_byte_is_there() {
        let message = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";
        let frame = Frame::find(message).map(|frame| (frame.head(message), frame.body(message), frame.end));
        assert_eq!(frame, Some(("HTTP/1.1 201 Created\r\nContent-Length: 3", b"abc".as_slice(), message.len())));
        for shorter in 0..message.len() {
            assert_eq!(Frame::find(&message[..shorter]), None, "{shorter}");
        }
    }

    #[test]
    fn headers_are_found_in_any_case_and_the_first_line_is_none() {
        let head = "POST /a:b HTTP/1.1\r\nWebhook-Id: 1:2\r\nhost: a";
        assert_eq!(header(head, "webhook-id"), Some("1:2"));
        assert_eq!(header(head, "post /a"), None);
    }
}
