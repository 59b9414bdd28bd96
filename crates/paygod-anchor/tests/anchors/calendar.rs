//! The client against a fake calendar on this machine, in every mood.

use std::time::{Duration, Instant};

use paygod_anchor::calendar::{AllowList, Calendar, CalendarError};
use paygod_anchor::ots::{Attestation, CalendarUri, Timestamp};
use paygod_anchor::practice::{FakeCalendar, Mood};

const DIGEST: [u8; 32] = [0x42; 32];

fn start(mood: Mood) -> (FakeCalendar, Calendar, CalendarUri) {
    let fake = FakeCalendar::start(mood).unwrap();
    let allowed = AllowList::new([fake.url()]).unwrap();
    let uri = CalendarUri::new(fake.url()).unwrap();
    (fake, Calendar::new(allowed, Duration::from_secs(2)), uri)
}

/// The message that the calendar promised more about.
fn promised(timestamp: &Timestamp) -> Vec<u8> {
    let mut message = Vec::new();
    timestamp
        .walk(&DIGEST, &mut |found| {
            assert!(matches!(found.attestation, Attestation::Pending(_)));
            message = found.message().to_vec();
        })
        .unwrap();
    message
}

#[test]
fn a_calendar_takes_a_digest_and_later_has_the_way_to_a_block() {
    let (fake, calendar, uri) = start(Mood::Honest);
    let mut timestamp = calendar.submit(&uri, &DIGEST).unwrap();
    let message = promised(&timestamp);
    assert_eq!(calendar.upgrade(&uri, &message).unwrap(), None);
    fake.mine(1_700_000_000);
    let more = calendar.upgrade(&uri, &message).unwrap().unwrap();
    assert!(more.is_complete());
    let path: Vec<_> = {
        let mut path = Vec::new();
        timestamp
            .walk(&DIGEST, &mut |found| {
                path = found.path.iter().map(|op| (*op).clone()).collect()
            })
            .unwrap();
        path
    };
    timestamp
        .graft(&path.iter().collect::<Vec<_>>(), more)
        .unwrap();
    assert!(timestamp.is_complete());
    assert_eq!(calendar.upgrade(&uri, b"never seen").unwrap(), None);
}

#[test]
fn garbage_is_refused() {
    let (_fake, calendar, uri) = start(Mood::Garbage);
    assert!(matches!(
        calendar.submit(&uri, &DIGEST),
        Err(CalendarError::Garbage { .. })
    ));
    assert!(matches!(
        calendar.upgrade(&uri, &DIGEST),
        Err(CalendarError::Garbage { .. })
    ));
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let (_fake, calendar, uri) = start(Mood::Oversized);
    assert!(matches!(
        calendar.submit(&uri, &DIGEST),
        Err(CalendarError::TooLong { .. })
    ));
}

#[test]
fn a_slow_calendar_costs_the_time_limit_and_no_more() {
    let (_fake, _, uri) = start(Mood::Silent);
    let allowed = AllowList::new([uri.as_str()]).unwrap();
    let calendar = Calendar::new(allowed, Duration::from_millis(100));
    let began = Instant::now();
    assert!(matches!(
        calendar.submit(&uri, &DIGEST),
        Err(CalendarError::Silent { .. })
    ));
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_redirect_is_not_followed() {
    let other = FakeCalendar::start(Mood::Honest).unwrap();
    let (_fake, calendar, uri) = start(Mood::Redirecting(format!("{}/digest", other.url())));
    assert!(matches!(
        calendar.submit(&uri, &DIGEST),
        Err(CalendarError::Status { status: 302, .. })
    ));
    assert!(matches!(
        calendar.upgrade(&uri, &DIGEST),
        Err(CalendarError::Status { status: 302, .. })
    ));
    assert_eq!(other.questions(), 0);
}

#[test]
fn a_failing_calendar_and_one_that_is_gone_are_told_apart() {
    let (fake, calendar, uri) = start(Mood::Failing);
    assert!(matches!(
        calendar.submit(&uri, &DIGEST),
        Err(CalendarError::Status { status: 500, .. })
    ));
    drop(fake);
    assert!(matches!(
        calendar.submit(&uri, &DIGEST),
        Err(CalendarError::Silent { .. })
    ));
}

#[test]
fn an_address_that_is_not_on_the_list_is_never_asked() {
    let (_fake, calendar, _) = start(Mood::Honest);
    let other = FakeCalendar::start(Mood::Honest).unwrap();
    let uri = CalendarUri::new(other.url()).unwrap();
    assert!(matches!(
        calendar.submit(&uri, &DIGEST),
        Err(CalendarError::NotAllowed { .. })
    ));
    assert!(matches!(
        calendar.upgrade(&uri, &DIGEST),
        Err(CalendarError::NotAllowed { .. })
    ));
    assert_eq!(other.questions(), 0);
}
