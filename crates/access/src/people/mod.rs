//! People, their groups, cards, PINs and fingers; enrolment.
