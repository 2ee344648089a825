-- Until when one that came without reservation and permit may stay, by the rules of the lot when it came.
alter table parking_session add column may_stay_until bigint;
