//! The e-mails of this domain. Plain text, short, and none has anything in it that its reader did not know, but the link.

use portico_model::identity::{Role, User};
use portico_platform::Platform;
use portico_platform::delivery::{Mail, Message};

fn mail(to: &str, subject: String, text: String) -> Message {
    Message::Mail(Mail { to: to.to_owned(), subject, text })
}

fn link(platform: &Platform, path: &str, token: &str) -> String {
    format!("{}{path}?token={token}", platform.config.public_url())
}

fn hours_or_days(seconds: i64) -> String {
    if seconds <= 5_400 {
        format!("{} minutes", seconds.div_euclid(60).max(1))
    } else if seconds <= 172_800 {
        format!("{} hours", seconds.div_euclid(3_600))
    } else {
        format!("{} days", seconds.div_euclid(86_400))
    }
}

/// To set a new password.
pub fn password_reset(user: &User, token: &str, address: &str, platform: &Platform) -> Message {
    let link = link(platform, "/reset-password", token);
    let life = hours_or_days(platform.config.identity.reset_link_s);
    let text = format!(
        "Hello {},\n\nsomeone at the network address {address} asked for a new password for your Portico account.\n\
         Set it here, within {life}; the link works once:\n\n{link}\n\nIf it was not you, do nothing: your password stays \
         as it is.\n",
        user.username
    );
    mail(&user.email, "Set a new password for Portico".to_owned(), text)
}

/// To confirm an address.
pub fn verification(user: &User, token: &str, platform: &Platform) -> Message {
    let link = link(platform, "/verify-email", token);
    let life = hours_or_days(platform.config.identity.verification_link_s);
    let text = format!(
        "Hello {},\n\nplease confirm that this e-mail address belongs to your Portico account, within {life}:\n\n{link}\n\n\
         If you have no account there, do nothing.\n",
        user.username
    );
    mail(&user.email, "Confirm your e-mail address".to_owned(), text)
}

/// To make an account.
pub fn invitation(email: &str, organization: &str, role: Role, token: &str, platform: &Platform) -> Message {
    let link = link(platform, "/invitation", token);
    let life = hours_or_days(platform.config.identity.invitation_s);
    let text = format!(
        "Hello,\n\nyou are invited to Portico of {organization}, as {}.\nMake your account here, within {life}; the link \
         works once:\n\n{link}\n",
        role.as_str()
    );
    mail(email, format!("Your invitation to {organization}"), text)
}

/// That something about how one signs in has changed.
pub fn security_notice(user: &User, what: &str, address: &str, platform: &Platform) -> Message {
    let text = format!(
        "Hello {},\n\n{what} for your Portico account, from the network address {address}.\n\nIf it was not you, set a new \
         password at once and look at your sessions:\n\n{}/forgot-password\n",
        user.username,
        platform.config.public_url()
    );
    mail(&user.email, what.to_owned(), text)
}

/// As [`security_notice`], to the address that the account had before.
pub fn email_changed(user: &User, old: &str, address: &str, platform: &Platform) -> Message {
    let text = format!(
        "Hello {},\n\nthe e-mail address of your Portico account was changed to another one, from the network address \
         {address}.\n\nIf it was not you, tell your administrator at once: {}\n",
        user.username,
        platform.config.public_url()
    );
    mail(old, "Your e-mail address was changed".to_owned(), text)
}
