use portico_model::notifications::{Preference, Wish};
use portico_model::{OrganizationId, UserId};
use portico_platform::{Error, Result, Tx, on_db};

/// What the person has chosen.
pub async fn list(tx: &mut Tx, organization: OrganizationId, user: UserId) -> Result<Vec<Preference>> {
    let rows: Vec<(String, String, String)> = on_db!(tx, conn => sqlx::query_as(
        "select kind, push, mail from notification_preference where organization_id = $1 and user_id = $2",
    ).bind(organization).bind(user).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(kind, push, mail)| Ok(Preference { kind, push: parse(&push)?, mail: parse(&mail)? }))
        .collect()
}

fn parse(text: &str) -> Result<Wish> {
    Wish::parse(text).ok_or_else(|| Error::internal(format!("unknown wish {text} in the database")))
}

pub async fn upsert(tx: &mut Tx, organization: OrganizationId, user: UserId, preference: &Preference) -> Result<()> {
    on_db!(tx, conn => sqlx::query(
        "insert into notification_preference (user_id, organization_id, kind, push, mail) values ($1, $2, $3, $4, $5)
         on conflict (user_id, kind) do update set push = excluded.push, mail = excluded.mail",
    )
    .bind(user).bind(organization).bind(&preference.kind).bind(preference.push.as_str())
    .bind(preference.mail.as_str())
    .execute(conn).await.map(drop))?;
    Ok(())
}
