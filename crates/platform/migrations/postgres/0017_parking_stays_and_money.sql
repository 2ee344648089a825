-- Until when one that came without reservation and permit may stay, by the rules of the lot when it came.
alter table parking_session add column may_stay_until bigint;
-- What is owed beyond the price: kept of a price that fell (above 0), given back though it was owed (below 0).
alter table parking_reservation add column adjustment_minor bigint not null default 0;
-- What Stripe told is kept until it is worked off; after that its name is enough to know it again.
update parking_stripe_event set body = '' where handled_at is not null;
