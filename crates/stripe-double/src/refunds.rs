//! What can be done with refunds (<https://docs.stripe.com/refunds>).

use super::control::RefundOutcome;
use super::currency::shown;
use super::form::Form;
use super::objects::{Charge, Refund};
use super::refusal::{Outcome, Refusal};
use super::state::{State, new_id};

const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

impl State {
    pub fn create_refund(&mut self, form: &Form) -> Outcome {
        form.only(&["payment_intent", "charge", "amount", "reason", "metadata"])?;
        let asked = form.integer("amount")?;
        let reason = form.one_of("reason", &REASONS)?;
        let metadata = form.metadata()?;
        let charge = self.charge_to_refund(form)?;
        let left = charge.amount - charge.amount_refunded;
        if left == 0 {
            let message = format!("Charge {} has already been refunded.", charge.id);
            return Err(Refusal::invalid(message).code("charge_already_refunded"));
        }
        let amount = asked.unwrap_or(left);
        if amount < 1 {
            return Err(Refusal::invalid("This value must be greater than or equal to 1.")
                .code("parameter_invalid_integer")
                .param("amount")
                .forgotten());
        }
        if amount > left {
            // Stripe gives no code here.
            let (amount, left) = (shown(amount, &charge.currency), shown(left, &charge.currency));
            let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
            return Err(Refusal::invalid(message).param("amount"));
        }
        let slow = charge.payment_method.as_deref() == Some("pm_card_pendingRefund");
        let refund = Refund {
            id: new_id("re"),
            intent: charge.intent,
            charge: charge.id.clone(),
            amount,
            currency: charge.currency,
            created_s: self.now_s(),
            status: if slow { "pending" } else { "succeeded" },
            reason,
            metadata,
        };
        let answer = refund.shown();
        self.refunds.insert(refund.id.clone(), refund);
        self.tell("refund.created", &answer);
        self.add_refunded(&charge.id, amount);
        if let Some(charge) = self.charges.get(&charge.id).map(Charge::shown) {
            self.tell("charge.refunded", &charge);
        }
        if !slow {
            self.tell("refund.updated", &answer);
        }
        Ok(answer)
    }

    pub fn refund(&self, id: &str) -> Outcome {
        self.refunds.get(id).map(Refund::shown).ok_or_else(|| Refusal::missing("refund", id, "id"))
    }

    /// Lets a refund that is under way arrive, or come back.
    pub fn settle_refund(&mut self, id: &str, outcome: RefundOutcome) -> Outcome<()> {
        let refund = self.refunds.get_mut(id).ok_or_else(|| Refusal::missing("refund", id, "id"))?;
        refund.status = match (refund.status, outcome) {
            ("pending", RefundOutcome::Succeeded) => "succeeded",
            ("pending" | "succeeded", RefundOutcome::Failed) => "failed",
            (status, _) => return Err(Refusal::invalid(format!("The refund has a status of {status}."))),
        };
        let (answer, charge, amount) = (refund.shown(), refund.charge.clone(), refund.amount);
        self.tell("refund.updated", &answer);
        if outcome == RefundOutcome::Failed {
            self.add_refunded(&charge, -amount);
            self.tell("refund.failed", &answer);
        }
        Ok(())
    }

    fn add_refunded(&mut self, charge: &str, amount: i64) {
        if let Some(charge) = self.charges.get_mut(charge) {
            charge.amount_refunded += amount;
        }
    }

    fn charge_to_refund(&self, form: &Form) -> Outcome<Charge> {
        if let Some(id) = form.get("charge") {
            return self.charges.get(id).cloned().ok_or_else(|| Refusal::missing("charge", id, "charge"));
        }
        let Some(id) = form.get("payment_intent") else {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refusal::invalid(message).code("parameter_missing").forgotten());
        };
        let intent =
            self.intents.get(id).ok_or_else(|| Refusal::missing("payment_intent", id, "payment_intent").status(400))?;
        let charge = intent.latest_charge.as_ref().and_then(|charge| self.charges.get(charge));
        charge.filter(|charge| charge.status == "succeeded").cloned().ok_or_else(|| {
            let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
            Refusal::invalid(message).param("payment_intent")
        })
    }
}
