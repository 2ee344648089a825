-- What a message is about (an e-mail's subject, a webhook's event), and the person or webhook it is for.
alter table delivery add column summary text not null default '';
alter table delivery add column subject_id uuid;
alter table delivery add column finished_at bigint;
drop index delivery_by_attempt;
create index delivery_by_attempt on delivery (kind, state, next_attempt_at);
create index delivery_by_end on delivery (state, finished_at);
