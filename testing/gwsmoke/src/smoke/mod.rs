//! Smoke checks: one object after another through both faces, and what the gateway must refuse.

mod capabilities;
mod http;
mod oap;
mod sample;
mod verdict;

pub use verdict::{Checks, Mismatch, Observer, Result, State, Verdict};

use crate::options::{Face, Faces};
use crate::report::SmokeReport;
use crate::settings::{Settings, Unusable};
use capabilities::Capabilities;
use sample::Sample;

/// Runs the checks of the faces, each after the other. `observe` hears of each verdict as it comes.
///
/// # Errors
/// Where a setting cannot be used. A gateway that does not answer is a failed check.
pub async fn run(
    settings: &Settings,
    faces: Faces,
    observe: Observer<'_>,
) -> std::result::Result<SmokeReport, Unusable> {
    let sample = Sample::fresh();
    let capabilities = Capabilities::of(&settings.capability)?;
    let http = match faces.includes(Face::Http) {
        true => Some(settings.http()?),
        false => None,
    };
    let mut checks = Checks::new(observe);
    let mut over_oap = None;
    if faces.includes(Face::Oap) {
        checks.turn_to(Face::Oap);
        let face = oap::Oap::new(settings, &capabilities, &sample).await?;
        face.check(&mut checks).await;
        over_oap = Some(face);
    }
    if let Some(http) = http {
        checks.turn_to(Face::Http);
        let limit = settings.config.overall_timeout;
        let mut face = http::Http::new(http, limit, &capabilities, &sample);
        let answers = face.check(&mut checks).await;
        if let Some(oap) = over_oap.filter(|_| answers) {
            face.check_against(&oap, &mut checks).await;
        }
    }
    Ok(SmokeReport::new(settings, checks.into_verdicts()))
}
