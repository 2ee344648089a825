//! What was sent, read from the queue.

use portico_model::DeliveryId;
use portico_platform::delivery::{Mail, Message};
use portico_platform::on_db;

use crate::World;

impl World {
    /// Every e-mail queued so far, the oldest first.
    pub async fn mails(&self) -> Vec<Mail> {
        let platform = &self.test.platform;
        let mut tx = platform.db.read().await.unwrap();
        let rows: Vec<(DeliveryId, Vec<u8>)> = on_db!(&mut tx, conn => sqlx::query_as(
            "select id, message from delivery where kind = 'mail' order by id",
        ).fetch_all(conn).await)
        .unwrap();
        let open = |(id, sealed): (DeliveryId, Vec<u8>)| {
            let plain = platform.secrets.open("delivery", id.uuid().as_bytes(), &sealed).unwrap();
            match serde_json::from_slice(&plain).unwrap() {
                Message::Mail(mail) => mail,
                other => panic!("{other:?}"),
            }
        };
        rows.into_iter().map(open).collect()
    }

    /// The token of the last link sent to the address.
    pub async fn last_link(&self, to: &str, path: &str) -> String {
        let mails = self.mails().await;
        let mail = mails.iter().rev().find(|mail| mail.to == to && mail.text.contains(path)).expect("a mail");
        let (_, rest) = mail.text.split_once(&format!("{path}?token=")).unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }
}
