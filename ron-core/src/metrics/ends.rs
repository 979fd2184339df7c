//! How calls can end: every outcome with every status code that it can come with, each of them at a fixed place.

use crate::error::ErrorKind;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this status, or from the cache.
    Ok(Option<u16>),
    /// With an error, which is the gateway's where there is a status.
    Failed(ErrorKind, Option<u16>),
    /// Its future was dropped.
    Dropped,
}

/// No answer.
const NONE: &str = "none";
/// A status that is not in these lists.
const OTHER: &str = "other";

/// What successes come with.
const SUCCESSES: [(u16, &str); 2] = [(200, "200"), (206, "206")];
/// What the protocol, or HTTP in front of it, refuses calls with.
const REFUSALS: [(u16, &str); 23] = [
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (408, "408"),
    (409, "409"),
    (410, "410"),
    (411, "411"),
    (413, "413"),
    (415, "415"),
    (416, "416"),
    (422, "422"),
    (429, "429"),
    (499, "499"),
    (500, "500"),
    (501, "501"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
    (505, "505"),
    (507, "507"),
];

const DROPPED: usize = 0;
const CACHED: usize = 1;
const SUCCEEDED: usize = 2;
const SUCCEEDED_OTHERWISE: usize = SUCCEEDED + SUCCESSES.len();
const FAILED: usize = SUCCEEDED_OTHERWISE + 1;
const REFUSED: usize = FAILED + ErrorKind::COUNT;
const SERVER_OTHERWISE: usize = REFUSED + REFUSALS.len();
const UNKNOWN: usize = SERVER_OTHERWISE + 1;

/// How many places there are.
pub(super) const ENDS: usize = UNKNOWN + 1;

impl End {
    /// Its place among [`ENDS`].
    pub(super) fn place(self) -> usize {
        let position = |statuses: &[(u16, &str)], status| {
            let mut listed = statuses.iter().map(|(status, _)| *status);
            listed.position(|listed| listed == status)
        };
        match self {
            Self::Dropped => DROPPED,
            Self::Ok(None) => CACHED,
            Self::Ok(Some(status)) => {
                position(&SUCCESSES, status).map_or(SUCCEEDED_OTHERWISE, |at| SUCCEEDED + at)
            }
            Self::Failed(kind, None) => FAILED + kind.number() as usize - 1,
            Self::Failed(kind, Some(status)) => match position(&REFUSALS, status) {
                Some(at) => REFUSED + at,
                None if kind == ErrorKind::Server => SERVER_OTHERWISE,
                None => UNKNOWN,
            },
        }
    }
}

/// The labels `outcome` and `code` of a place.
pub(super) fn labels(place: usize) -> (&'static str, &'static str) {
    match place {
        DROPPED => ("dropped", NONE),
        CACHED => ("ok", NONE),
        SUCCEEDED..SUCCEEDED_OTHERWISE => ("ok", SUCCESSES[place - SUCCEEDED].1),
        SUCCEEDED_OTHERWISE => ("ok", OTHER),
        FAILED..REFUSED => {
            let kind = ErrorKind::all().nth(place - FAILED);
            (kind.unwrap_or(ErrorKind::Unknown).name(), NONE)
        }
        REFUSED..SERVER_OTHERWISE => {
            let (status, code) = REFUSALS[place - REFUSED];
            (ErrorKind::of_status(status).0.name(), code)
        }
        SERVER_OTHERWISE => (ErrorKind::Server.name(), OTHER),
        _ => (ErrorKind::Unknown.name(), OTHER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_place_has_labels_of_its_own() {
        let all: HashSet<_> = (0..ENDS).map(labels).collect();
        assert_eq!(all.len(), ENDS);
    }

    #[test]
    fn every_end_is_where_its_labels_are() {
        let of = |end: End| labels(end.place());
        assert_eq!(of(End::Dropped), ("dropped", "none"));
        assert_eq!(of(End::Ok(None)), ("ok", "none"));
        assert_eq!(of(End::Ok(Some(206))), ("ok", "206"));
        assert_eq!(of(End::Ok(Some(299))), ("ok", "other"));
        for kind in ErrorKind::all() {
            assert_eq!(of(End::Failed(kind, None)), (kind.name(), "none"));
        }
        for status in 300..=u16::MAX {
            let kind = ErrorKind::of_status(status).0;
            let (outcome, code) = of(End::Failed(kind, Some(status)));
            assert_eq!(outcome, kind.name(), "{status}");
            assert!(code == OTHER || code == status.to_string(), "{status}");
        }
    }

    /// So that a new status of the protocol is counted as what it is.
    #[test]
    fn every_single_status_of_the_error_table_is_listed() {
        for kind in ErrorKind::all() {
            for (statuses, _) in kind.statuses() {
                let status = *statuses.start();
                let is_range_of_its_own = statuses.start() == statuses.end();
                let (_, code) = labels(End::Failed(kind, Some(status)).place());
                assert!(
                    !is_range_of_its_own || code == status.to_string(),
                    "{status}"
                );
            }
        }
    }
}
