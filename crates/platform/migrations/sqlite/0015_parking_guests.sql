-- Stays without an account: what is kept of the secret of their link.
alter table parking_reservation add column guest_hash blob;
create unique index parking_reservation_by_guest on parking_reservation (guest_hash) where guest_hash is not null;
