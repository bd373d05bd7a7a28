//! What is sent and received.

/// A message: text or bytes. An empty one is a message too.
///
/// ```
/// use green_ws::Message;
///
/// assert_eq!(Message::from("hello"), Message::Text("hello".to_owned()));
/// assert_eq!(Message::from(&b"\x00\x01"[..]).as_bytes(), [0, 1]);
/// assert_eq!(Message::from("hello").as_text(), Some("hello"));
/// assert_eq!(Message::from("hello").into_bytes(), b"hello");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, in UTF-8.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// The bytes, of a text those of its UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }

    /// As [`as_bytes`](Message::as_bytes), without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Message::Text(text) => text.into_bytes(),
            Message::Binary(bytes) => bytes,
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::Binary(bytes)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Message {
        Message::Binary(bytes.to_vec())
    }
}

/// Why a connection was closed: a code and a text for the log.
///
/// The codes are those of RFC 6455, 7.4: 1000 is a normal end, 1001 that an end goes away, 1011 an error of the server;
/// 4000 to 4999 are free for programs.
///
/// ```
/// use green_ws::Close;
///
/// fn is_normal(close: &Close) -> bool {
///     matches!(close.code, 1000 | 1001)
/// }
/// assert!(is_normal(&Close { code: 1001, reason: "the server goes away".to_owned() }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code of the close frame.
    pub code: u16,
    /// The text of the close frame: at most 123 bytes, often empty.
    pub reason: String,
}
