-- When money was taken, for receipts: through Stripe, and at the place (of several times the last).
alter table parking_payment add column paid_at bigint;
update parking_payment set paid_at = updated_at where state = 'paid';
alter table parking_reservation add column paid_on_site_at bigint;
